"""What ``e2e device give`` and ``e2e device transfers`` say, in the languages of their users."""

from typing import Final, NamedTuple

from cli_demo.consent_words import chosen_language


class HistoryWords(NamedTuple):
    """What the verbs say in one language."""

    begun: str
    nothing: str
    withheld: str
    under_way: str
    given: str
    ended: str
    later: str
    no_transfer: str
    states: dict[str, str]
    to: str
    by: str


WORDS: Final = {
    "en": HistoryWords(
        "Giving {total} messages to device {device}. Stop it with: e2e device stop {transfer}",
        "There is nothing in that span.",
        "{count} messages of {who} stay here: they disappear, and their senders want no copies.",
        "{done} of {total}",
        "All is at the relay, encrypted. The other device has seven days to fetch it.",
        "Given up. What the other device has not fetched is deleted at the relay.",
        "It goes on whenever this device is online: e2e device transfers",
        "No such transfer, or several: see e2e device transfers",
        {
            "under way": "under way",
            "given": "given",
            "taken": "taken",
            "ended": "given up",
            "incomplete": "incomplete: give it again",
        },
        "to",
        "from",
    ),
    "zh-CN": HistoryWords(
        "正在向设备 {device} 传送 {total} 条消息。如需停止：e2e device stop {transfer}",
        "该时间段内没有消息。",
        "{who} 的 {count} 条消息留在本设备：它们会自动消失，发送者不希望留下副本。",
        "已传 {done} 条，共 {total} 条",
        "全部内容已加密存放在中继服务器，另一台设备须在七天内取走。",
        "已停止。另一台设备尚未取走的内容已要求中继服务器删除。",
        "本设备联网时会继续传送：e2e device transfers",
        "没有此次传送，或有多次符合：请查看 e2e device transfers",
        {
            "under way": "进行中",
            "given": "已送出",
            "taken": "已收到",
            "ended": "已停止",
            "incomplete": "不完整，请重新传送",
        },
        "发往",
        "来自",
    ),
}
"""By language tag."""


def history_words(language: str | None) -> HistoryWords:
    """What to say in the language that was asked for, or the system's."""
    return WORDS[chosen_language(language)]
