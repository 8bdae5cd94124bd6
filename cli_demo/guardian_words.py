"""What ``e2e guardian`` says, in the languages that people who use it speak."""

from typing import Final, NamedTuple

import e2ecore
from cli_demo.consent_words import chosen_language


class GuardianWords(NamedTuple):
    """What the verbs say in one language."""

    marked: str
    by_operator: str
    not_marked: str
    no_guardian: str
    guardian_is: str
    ward_is: str
    bonds: dict[e2ecore.BondState, str]
    requests: dict[e2ecore.ApprovalState, str]
    wants_end: str
    ask_mark: str
    ask_guardian: str
    ask_ward: str
    ask_approve: str
    yes: tuple[str, ...]
    nothing_done: str
    compare: str
    invited: str
    accepted: str
    declined: str
    asked: str
    wants: str
    until: str
    scope: str
    approved: str
    refused: str
    taken_back: str
    left: str
    only_guardian: str
    released: str
    both_needed: str
    not_out: str
    ward_news: dict[e2ecore.BondState, str]
    guardian_news: dict[e2ecore.BondState, str]
    own_request_news: dict[e2ecore.ApprovalState, str]
    request_news: dict[e2ecore.ApprovalState, str]
    nobody_to_ask: str


WORDS: Final = {
    "en": GuardianWords(
        "This account is that of somebody under 14, until {day}.",
        "The operator of the relay has said so.",
        "This account is not marked as that of somebody under 14.",
        "There is no guardian yet: nothing can be agreed to. e2e guardian invite HANDLE",
        "Guardian: {who} ({state})",
        "Child:    {who} ({state})",
        {
            e2ecore.BondState.INVITED: "invited, no answer yet",
            e2ecore.BondState.AGREED: "agreed; the relay does not know yet",
            e2ecore.BondState.HOLDS: "in force",
            e2ecore.BondState.OVER: "over",
            e2ecore.BondState.DECLINED: "declined",
        },
        {
            e2ecore.ApprovalState.OPEN: "waits for the guardian",
            e2ecore.ApprovalState.APPROVED: "approved",
            e2ecore.ApprovalState.REFUSED: "refused",
            e2ecore.ApprovalState.TAKEN_BACK: "approval taken back",
            e2ecore.ApprovalState.VOID: "nobody decided in time; ask again",
        },
        "{who} wants this to end before the day. It ends when both say so: e2e guardian release",
        "Until {day} nothing can be agreed to in this account without a guardian, and this account"
        " alone cannot undo it. What was agreed to until now ends. Contacts do not learn of it."
        " Write yes, or anything else for no: ",
        "Shall {who} be the guardian? Write yes, or anything else for no: ",
        "Will you be the guardian of {who}? Write yes, or anything else for no: ",
        "{who} wants to agree to this. Do you agree? Write yes, or anything else for no: ",
        ("yes", "y"),
        "Nothing was changed.",
        "Compare safety numbers first, so that it is really them: e2e verify {who}",
        "Asked. {who} answers by: e2e guardian accept HANDLE",
        "You are the guardian of {who} now. What they ask for: e2e guardian requests",
        "Declined. {who} is told.",
        "Your guardian is asked. It is on as soon as they agree: e2e guardian requests",
        "{who} wants: {purpose}",
        "until {day}",
        "limited to: {scope}",
        "Approved. To take it back: e2e guardian take-back {number}",
        "Refused. They are told, and nothing is on.",
        "Taken back. It is off as soon as the relay knows.",
        "You are not the guardian of {who} any more. They need another one.",
        "Only the guardian can leave. To end it before the day, both say: e2e guardian release",
        "Noted. It ends when the other one says so as well: e2e guardian release",
        "The other one has said so already: it ends now.",
        "It is noted here, and told to the relay when it is reached.",
        {
            e2ecore.BondState.HOLDS: "{who} is your guardian now.",
            e2ecore.BondState.OVER: "{who} is not your guardian any more.",
            e2ecore.BondState.DECLINED: "{who} does not want to be your guardian. Ask somebody"
            " else: e2e guardian invite HANDLE",
        },
        {
            e2ecore.BondState.INVITED: "{who} asks you to be their guardian. Read what that means,"
            " then decide: e2e guardian accept {who} or e2e guardian decline {who}",
            e2ecore.BondState.HOLDS: "You are the guardian of {who} now.",
            e2ecore.BondState.OVER: "You are not the guardian of {who} any more.",
        },
        {
            e2ecore.ApprovalState.APPROVED: "{who} agrees as well. On now: {purpose}",
            e2ecore.ApprovalState.REFUSED: "{who} does not agree. It stays off: {purpose}",
            e2ecore.ApprovalState.TAKEN_BACK: "{who} agrees no longer. Off now: {purpose}",
            e2ecore.ApprovalState.VOID: "Nobody decided in time; ask again: {purpose}",
        },
        {
            e2ecore.ApprovalState.OPEN: "{who} asks for your yes: {purpose}. Read it, then decide:"
            " e2e guardian approve {number} or e2e guardian refuse {number}",
            e2ecore.ApprovalState.VOID: "{who} asked, and nobody decided in time: {purpose}",
        },
        "Nobody can be asked here; see --yes",
    ),
    "zh-CN": GuardianWords(
        "此账号属于未满十四周岁的用户，至 {day} 为止。",
        "由中继的运营者标记。",
        "此账号未标记为未满十四周岁的用户。",
        "尚无监护人，无法同意任何事项。请执行：e2e guardian invite 用户名",
        "监护人：{who}（{state}）",
        "孩子：{who}（{state}）",
        {
            e2ecore.BondState.INVITED: "已邀请，尚未答复",
            e2ecore.BondState.AGREED: "双方已同意，中继尚未获知",
            e2ecore.BondState.HOLDS: "有效",
            e2ecore.BondState.OVER: "已结束",
            e2ecore.BondState.DECLINED: "已谢绝",
        },
        {
            e2ecore.ApprovalState.OPEN: "等待监护人决定",
            e2ecore.ApprovalState.APPROVED: "监护人已同意",
            e2ecore.ApprovalState.REFUSED: "监护人未同意",
            e2ecore.ApprovalState.TAKEN_BACK: "监护人已撤回同意",
            e2ecore.ApprovalState.VOID: "未及时决定，请重新申请",
        },
        "{who} 希望提前结束。双方均执行 e2e guardian release 后即结束",
        "在 {day} 之前，未经监护人同意，此账号不能同意任何事项，且无法自行取消。"
        "此前已同意的事项即告终止。"
        "联系人不会知悉。确认请输入“是”，输入其他内容表示取消：",
        "是否请 {who} 担任监护人？是请输入“是”，输入其他内容表示否：",
        "您是否担任 {who} 的监护人？是请输入“是”，输入其他内容表示否：",
        "{who} 希望同意以上内容。您是否同意？同意请输入“是”，输入其他内容表示不同意：",
        ("是", "同意", "yes", "y"),
        "未作任何更改。",
        "请先核对安全码，确认对方身份：e2e verify {who}",
        "已发出邀请。{who} 可用以下命令答复：e2e guardian accept 用户名",
        "您现在是 {who} 的监护人。查看其申请：e2e guardian requests",
        "已谢绝，{who} 会收到通知。",
        "已向监护人申请，监护人同意后即开启。查看：e2e guardian requests",
        "{who} 申请：{purpose}",
        "有效期至 {day}",
        "范围：{scope}",
        "已同意。如需撤回：e2e guardian take-back {number}",
        "未同意。对方会收到通知，该事项不会开启。",
        "已撤回。中继获知后即关闭。",
        "您不再是 {who} 的监护人，对方需要另一位监护人。",
        "只有监护人可以退出。如需提前结束，双方均须执行：e2e guardian release",
        "已记录。对方也执行 e2e guardian release 后即结束。",
        "对方此前已表示同意，现已结束。",
        "已在本设备记录，连接到中继后会告知中继。",
        {
            e2ecore.BondState.HOLDS: "{who} 现在是您的监护人。",
            e2ecore.BondState.OVER: "{who} 不再是您的监护人。",
            e2ecore.BondState.DECLINED: "{who} 谢绝担任您的监护人。"
            "请邀请他人：e2e guardian invite 用户名",
        },
        {
            e2ecore.BondState.INVITED: "{who} 请您担任监护人。请先阅读说明，再作决定："
            "e2e guardian accept {who} 或 e2e guardian decline {who}",
            e2ecore.BondState.HOLDS: "您现在是 {who} 的监护人。",
            e2ecore.BondState.OVER: "您不再是 {who} 的监护人。",
        },
        {
            e2ecore.ApprovalState.APPROVED: "{who} 也同意了，现已开启：{purpose}",
            e2ecore.ApprovalState.REFUSED: "{who} 没有同意，仍为关闭：{purpose}",
            e2ecore.ApprovalState.TAKEN_BACK: "{who} 撤回了同意，现已关闭：{purpose}",
            e2ecore.ApprovalState.VOID: "未及时决定，请重新申请：{purpose}",
        },
        {
            e2ecore.ApprovalState.OPEN: "{who} 请您同意：{purpose}。请先阅读，再作决定："
            "e2e guardian approve {number} 或 e2e guardian refuse {number}",
            e2ecore.ApprovalState.VOID: "{who} 的申请未及时决定：{purpose}",
        },
        "此处无法询问，请参阅 --yes",
    ),
}
"""By language tag."""


def guardian_words(language: str | None) -> GuardianWords:
    """What to say in the language that was asked for, or the system's."""
    return WORDS[chosen_language(language)]
