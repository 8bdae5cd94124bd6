"""What is known of a contact, in words that need no explanation."""

from collections.abc import Callable
from typing import Final, NamedTuple

import e2ecore
from cli_demo.consent_words import chosen_language
from cli_demo.naming import short


class ContactWords(NamedTuple):
    """What ``e2e verify``, ``contacts`` and ``contact`` say in one language."""

    states: dict[e2ecore.Verification, str]
    devices: str
    device: str
    removed: str
    lapsed: str
    differ: str
    heading: str
    other_runs: str
    short: dict[e2ecore.Verification, str]
    blocked: str
    calls: str
    called: str
    uncalled: str
    forgotten: str


WORDS: Final = {
    "en": ContactWords(
        {
            e2ecore.Verification.UNVERIFIED: (
                "NOT COMPARED: somebody could stand between you and {who}. If both of you see the"
                " same number: e2e verify {who} --mark"
            ),
            e2ecore.Verification.VERIFIED: "VERIFIED: you have compared; nothing changed since.",
            e2ecore.Verification.CHANGED: (
                "STOP: the devices of {who} have changed since you compared. Nothing is sent to"
                " them. Ask them, in person, whether they have a new device; then compare again:"
                " e2e verify {who} --mark. To go on without comparing: e2e verify {who} --unmark"
            ),
        },
        "Devices of {who}:",
        "{device}  since {day}",
        "removed {day}",
        "not talked to: the consent to several devices is over",
        "The numbers differ. Do not trust this connection to {who}.",
        "Safety number with {who} ({state})",
        "The other person runs: e2e verify with your handle, and must see the same.",
        {
            e2ecore.Verification.UNVERIFIED: "unverified",
            e2ecore.Verification.VERIFIED: "verified",
            e2ecore.Verification.CHANGED: "CHANGED: stop",
        },
        "blocked",
        "you say: {name}",
        "You call {handle} {name} now, on all your devices. Nobody else sees it.",
        "You have no name of your own for {handle} any more.",
        "{handle} is not among your contacts any more. Conversations and blocks stay.",
    ),
    "zh-CN": ContactWords(
        {
            e2ecore.Verification.UNVERIFIED: (
                "尚未核对：可能有人在您与 {who} 之间冒充。双方看到的数字相同时，请执行："
                "e2e verify {who} --mark"
            ),
            e2ecore.Verification.VERIFIED: "已核对：您已核对过，此后没有变化。",
            e2ecore.Verification.CHANGED: (
                "请停止：核对之后 {who} 的设备发生了变化，消息不会再发给对方。"
                "请当面询问对方是否有新设备，"
                "然后重新核对：e2e verify {who} --mark。不核对而继续：e2e verify {who} --unmark"
            ),
        },
        "{who} 的设备：",
        "{device}  自 {day}",
        "{day} 已移除",
        "不再与其通信：多设备同步的同意已到期",
        "数字不一致，请勿信任与 {who} 的连接。",
        "与 {who} 的安全码（{state}）",
        "请对方执行：e2e verify 您的用户名，看到的数字必须相同。",
        {
            e2ecore.Verification.UNVERIFIED: "未核对",
            e2ecore.Verification.VERIFIED: "已核对",
            e2ecore.Verification.CHANGED: "已变化：请停止",
        },
        "已屏蔽",
        "备注：{name}",
        "已将 {handle} 备注为 {name}，您的所有设备都会显示，其他人看不到。",
        "已删除对 {handle} 的备注。",
        "{handle} 已不在联系人中。会话和屏蔽设置保持不变。",
    ),
}
"""By language tag."""


def contact_words(language: str | None) -> ContactWords:
    """What to say in the language that was asked for, or the system's."""
    return WORDS[chosen_language(language)]


def lines_of(
    contact: e2ecore.Contact, who: str, words: ContactWords, day: Callable[[int], str]
) -> list[str]:
    """What is known of somebody's keys: in how far they are compared, and each device.

    Args:
        contact: The person.
        who: What they are called.
        words: In which language.
        day: Writes a time.
    """
    lines = [words.states[contact.verification].format(who=who), words.devices.format(who=who)]
    for one in contact.devices:
        parts = [words.device.format(device=short(one.device_id), day=day(one.added_ms))]
        if one.removed_ms is not None:
            parts.append(words.removed.format(day=day(one.removed_ms)))
        elif not one.is_valid:
            parts.append(words.lapsed)
        lines.append("  " + ", ".join(parts))
    return lines
