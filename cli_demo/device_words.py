"""What ``e2e device`` says, in the languages that people who use it speak."""

from typing import Final, NamedTuple

import e2ecore
from cli_demo.consent_words import chosen_language


class DeviceWords(NamedTuple):
    """What the verbs say in one language."""

    code: str
    waiting: str
    compare: str
    ask_same: str
    yes: tuple[str, ...]
    refused: str
    linked: str
    ask_code: str
    joining: str
    confirm_there: str
    joined: str
    removed: str
    left_over: str
    this: str
    in_use: str
    no_consent: str
    gone: str
    news_added: str
    news_removed: str
    news_what: str
    reasons: dict[e2ecore.RemovalReason, str]
    erased: str
    not_erased: str
    no_such_device: str
    link_or_move: str
    move_means: str
    ask_move: str
    stays: str
    ask_same_and_move: str
    moved: str
    news_moved: str
    confirm_means: str
    ask_confirm: str
    confirmed: str
    not_confirmed: str
    too_early: str
    early: str
    news_confirmed: str
    comes_into: str
    since: str
    to_enter: str
    to_leave: str
    can_change: str


WORDS: Final = {
    "en": DeviceWords(
        "On the new device: e2e device join {code}",
        "The code is good for ten minutes, and once. Never type or scan a code here that somebody"
        " sent you.",
        "Check string: {check}. The new device must show the same six digits.",
        "Does it? Write yes, or anything else for no: ",
        ("yes", "y"),
        "Refused. Nothing was linked, and the code is void.",
        "Linked: device {device}.",
        "Code that the other device shows: ",
        "You are joining the account of {who}.",
        "Check string: {check}. Compare it with the other device, and confirm there.",
        "This device belongs to the account now. Earlier messages stay where they are.",
        "Removed: device {device}. It is shut out now.",
        "{count} conversations do not have new keys yet; that goes on whenever you are online.",
        "this device",
        "in use",
        "not covered by a consent",
        "removed",
        "NOTICE: a device was linked to your account on {day}: {device}",
        "NOTICE: a device was removed from your account on {day}: {device}",
        "If that was not you: e2e device remove DEVICE. Seen: e2e device list",
        {
            e2ecore.RemovalReason.REMOVED: "removed",
            e2ecore.RemovalReason.CONSENT_WITHDRAWN: "removed, as the consent was taken back",
            e2ecore.RemovalReason.CONSENT_EXPIRED: "removed, as the consent was over",
            e2ecore.RemovalReason.MOVED: "left behind, as the account moved",
        },
        "The relay {server} has signed on {day} that it deleted all it kept for {device} alone:"
        " {envelopes} envelopes, {conversations} places in conversations, {key_packages} keys,"
        " {blobs} files.",
        "The relay has not signed yet that it keeps nothing for {device}; see e2e device list.",
        "No such device, or several: see e2e device list",
        "You have not agreed to several devices. To use both: e2e consent grant multi_device_sync."
        " To go on with the new one only: e2e device move",
        "Your account MOVES to the new device. That cannot be undone from here.\n"
        "  - This device can send and receive nothing any more.\n"
        "  - What is stored here stays here, to be read. It does not come along: messages,"
        " drafts, blocks, pins, settings. Take the messages along in a file: e2e export FILE"
        " here, e2e import FILE there.\n"
        "  - Your conversations come along as soon as somebody in them is online. Your contacts"
        " are told that you have another device.",
        "Move it? Write yes, or anything else for no: ",
        "Nothing was moved.",
        "Does it, and shall the account move there now? Write yes, or anything else for no: ",
        "Moved: device {device} has the account now. What is stored here stays readable.",
        "NOTICE: your account has moved to another device: {device}. Nothing can be sent here.",
        "Device {device}, linked on {day}.\n"
        "Confirmed, it can do with your account what this device can: link and remove devices,"
        " agree to things in your name, close the account. Removing it later does not take that"
        " key back. Confirm only a device that you linked yourself and that you still have.",
        "Is it yours? Write yes, or anything else for no: ",
        "Confirmed: device {device} can change the account as well. If one is lost, the other"
        " goes on.",
        "Nothing was confirmed.",
        "It was linked less than a day ago; it can be confirmed from {day} on. A day is what"
        " it takes to notice that somebody else has linked it. Now all the same: --now",
        "confirmed, without waiting a day",
        "NOTICE: a device can change your account since {day}: {device} ({how})",
        "It comes into {count} conversations in the background.",
        "since {day}",
        "still to come into {count} conversations",
        "still in {count} conversations",
        "can change the account",
    ),
    "zh-CN": DeviceWords(
        "请在新设备上输入：e2e device join {code}",
        "此代码十分钟内有效，且只能用一次。切勿在本设备上输入或扫描他人发来的代码。",
        "校验数字：{check}。新设备必须显示相同的六位数字。",
        "是否相同？相同请输入“是”，输入其他内容表示不同：",
        ("是", "相同", "yes", "y"),
        "已拒绝，未关联任何设备，此代码已作废。",
        "已关联设备 {device}。",
        "请输入另一台设备上显示的代码：",
        "您正在加入 {who} 的账号。",
        "校验数字：{check}。请与另一台设备核对，并在那台设备上确认。",
        "本设备现已属于该账号。以前的消息仍留在原处。",
        "已移除设备 {device}，它已无法使用此账号。",
        "还有 {count} 个会话尚未更换密钥，联网后会继续进行。",
        "本设备",
        "使用中",
        "没有有效的同意",
        "已移除",
        "提醒：{day} 有设备关联到您的账号：{device}",
        "提醒：{day} 有设备从您的账号移除：{device}",
        "如非本人操作：e2e device remove 设备。查看：e2e device list",
        {
            e2ecore.RemovalReason.REMOVED: "已移除",
            e2ecore.RemovalReason.CONSENT_WITHDRAWN: "已移除（同意已撤回）",
            e2ecore.RemovalReason.CONSENT_EXPIRED: "已移除（同意已到期）",
            e2ecore.RemovalReason.MOVED: "已停用（账号已迁移）",
        },
        "中继 {server} 已于 {day} 签名确认，仅为设备 {device} 保存的数据均已删除："
        "信封 {envelopes} 个，会话位置 {conversations} 个，"
        "密钥 {key_packages} 个，文件 {blobs} 个。",
        "中继尚未签名确认不再为 {device} 保存任何数据；可用 e2e device list 查看。",
        "没有此设备，或有多台符合：请查看 e2e device list",
        "您尚未同意使用多台设备。如需两台都用：e2e consent grant multi_device_sync。"
        "如只用新设备：e2e device move",
        "您的账号将转移到新设备。此操作无法在本设备上撤销。\n"
        "  - 本设备将不能再收发任何消息。\n"
        "  - 已保存的内容留在本设备上，仍可阅读，但不会随账号转移：消息、草稿、"
        "黑名单、置顶和设置都不会转移。可用文件带走消息："
        "在本设备 e2e export 文件，在新设备 e2e import 文件。\n"
        "  - 会话中有人在线时，会话即转到新设备。您的联系人会得知您换了设备。",
        "是否转移？是请输入“是”，输入其他内容表示否：",
        "未转移任何内容。",
        "是否相同，并且现在就转移账号？是请输入“是”，输入其他内容表示否：",
        "已转移：账号现属于设备 {device}。已保存的内容仍可在此阅读。",
        "提醒：您的账号已转移到另一台设备：{device}。本设备不能再发送消息。",
        "设备 {device}，关联于 {day}。\n"
        "确认后，它对账号的权限与本设备相同：可关联和移除设备、以您的名义作出同意、注销账号。"
        "以后移除它也无法收回该密钥。请只确认您亲自关联且仍在您手中的设备。",
        "是您的设备吗？是请输入“是”，输入其他内容表示否：",
        "已确认：设备 {device} 也能更改账号。其中一台丢失时，另一台仍可继续。",
        "未确认任何设备。",
        "该设备关联还不到一天，{day} 起方可确认。一天的时间可用来发现他人关联的设备。"
        "如仍要立即确认：--now",
        "已确认（未等满一天）",
        "提醒：自 {day} 起有设备能更改您的账号：{device}（{how}）",
        "它将在后台加入 {count} 个会话。",
        "自 {day}",
        "还有 {count} 个会话待加入",
        "还在 {count} 个会话中",
        "能更改账号",
    ),
}
"""By language tag."""


def device_words(language: str | None) -> DeviceWords:
    """What to say in the language that was asked for, or the system's."""
    return WORDS[chosen_language(language)]
