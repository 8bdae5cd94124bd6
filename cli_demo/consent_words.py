"""What ``e2e consent`` says, in the languages that people who use it speak."""

import locale
import os
from typing import Final, NamedTuple

import e2ecore


class Words(NamedTuple):
    """What the verbs say in one language."""

    ask: str
    yes: tuple[str, ...]
    refused: str
    given: str
    not_out: str
    withdrawn: str
    nothing: str
    states: dict[e2ecore.ConsentState, str]
    off: str
    until: str
    youth_on: str
    youth_off: str
    youth_tries: str
    new_passcode: str
    once_more: str
    passcode: str
    elsewhere: str
    reworded: str
    purposes: dict[str, str]
    wrong_mark: str
    nobody_to_ask: str
    chain: str
    passphrase: str
    new_passphrase: str


WORDS: Final = {
    "en": Words(
        "Do you agree? Write yes, or anything else for no: ",
        ("yes", "y"),
        "You did not agree. Nothing was changed.",
        "You have agreed. To take it back: e2e consent withdraw {purpose}",
        "It is noted here, and told to the relay when it is reached.",
        "Taken back. It is off now.",
        "There was nothing to take back.",
        {
            e2ecore.ConsentState.GRANTING: "on (the relay does not know yet)",
            e2ecore.ConsentState.GRANTED: "on",
            e2ecore.ConsentState.WITHDRAWING: "off (the relay does not know yet)",
            e2ecore.ConsentState.WITHDRAWN: "taken back",
            e2ecore.ConsentState.EXPIRED: "over",
        },
        "off",
        "until",
        "Youth mode is on. It is left by its passcode: e2e youth off",
        "Youth mode is off.",
        "Wrong passcodes so far: {failures}. The next one can be tried in {minutes} min.",
        "Passcode for the parents (6 characters or more): ",
        "Once more: ",
        "Passcode: ",
        "Nothing here counts on this device; account",
        "The notice has changed since you agreed. Read it, then agree anew or take it back:"
        " e2e consent show {purpose}",
        {
            e2ecore.Purpose.MULTI_DEVICE_SYNC: "several devices",
            e2ecore.Purpose.HISTORY_TRANSFER: "history on another device",
            e2ecore.Purpose.CLOUD_BACKUP: "backup in the cloud",
            e2ecore.Purpose.READ_RECEIPTS: "telling others what was read",
            e2ecore.Purpose.PRESENCE: "telling others who is there",
            e2ecore.Purpose.TYPING: "telling others who is typing",
            e2ecore.Purpose.CONTACT_DISCOVERY: "finding contacts",
            e2ecore.Purpose.THIRD_PARTY_SHARING: "passing data on to others",
            e2ecore.Purpose.LOCATION_MATCHING: "finding people nearby",
            e2ecore.Purpose.PROFILING: "profiles for recommendations",
        },
        "This is not the mark of the notice as it is now; read it: e2e consent show",
        "Nobody can be asked here; see --agree",
        "{account}: {entries} entries, {devices} devices",
        "Passphrase: ",
        "New passphrase: ",
    ),
    "zh-CN": Words(
        "您是否同意？同意请输入“是”，输入其他内容表示不同意：",
        ("是", "同意", "yes", "y"),
        "您没有同意，未作任何更改。",
        "您已同意。如需撤回：e2e consent withdraw {purpose}",
        "已在本设备记录，连接到中继后会告知中继。",
        "已撤回，现已关闭。",
        "没有可撤回的同意。",
        {
            e2ecore.ConsentState.GRANTING: "开启（中继尚未获知）",
            e2ecore.ConsentState.GRANTED: "开启",
            e2ecore.ConsentState.WITHDRAWING: "关闭（中继尚未获知）",
            e2ecore.ConsentState.WITHDRAWN: "已撤回",
            e2ecore.ConsentState.EXPIRED: "已到期",
        },
        "关闭",
        "有效期至",
        "青少年模式已开启。退出需输入密码：e2e youth off",
        "青少年模式已关闭。",
        "已输错密码 {failures} 次，{minutes} 分钟后可再次尝试。",
        "请由监护人设置密码（至少 6 个字符）：",
        "请再次输入：",
        "密码：",
        "以下内容在本设备上不生效；账号",
        "您同意之后，告知书已有变更。请阅读后重新同意或撤回：e2e consent show {purpose}",
        {
            e2ecore.Purpose.MULTI_DEVICE_SYNC: "多设备使用",
            e2ecore.Purpose.HISTORY_TRANSFER: "历史记录传送",
            e2ecore.Purpose.CLOUD_BACKUP: "云端备份",
            e2ecore.Purpose.READ_RECEIPTS: "已读回执",
            e2ecore.Purpose.PRESENCE: "在线状态",
            e2ecore.Purpose.TYPING: "正在输入提示",
            e2ecore.Purpose.CONTACT_DISCOVERY: "查找联系人",
            e2ecore.Purpose.THIRD_PARTY_SHARING: "向第三方提供",
            e2ecore.Purpose.LOCATION_MATCHING: "附近的人",
            e2ecore.Purpose.PROFILING: "画像与推荐",
        },
        "这不是当前告知书的标记，请先阅读：e2e consent show",
        "此处无法询问，请参阅 --agree",
        "{account}：{entries} 条记录，{devices} 台设备",
        "密码短语：",
        "新的密码短语：",
    ),
}
"""By language tag."""


def chosen_language(language: str | None) -> str:
    """The language to speak: the one asked for, else the system's, else English."""
    found = language or os.environ.get("LC_ALL") or os.environ.get("LANG")
    found = found or locale.getlocale()[0] or "en"
    return "zh-CN" if found.lower().startswith("zh") else "en"


def words_in(language: str | None) -> Words:
    """What to say in the language that was asked for, or the system's."""
    return WORDS[chosen_language(language)]
