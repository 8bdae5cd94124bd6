"""A message in words for people, with everything that was said of it."""

from collections import Counter
from typing import Final

import e2ecore
from cli_demo.text import one_line, visible

_OTHER_KINDS: Final = {
    e2ecore.MessageKind.RECALLED: "(taken back)",
    e2ecore.MessageKind.UNKNOWN: "(this needs a newer version of e2e)",
}
_QUOTE_CELLS: Final = 40


def body(message: e2ecore.Message) -> str:
    """What a message says, or what stands for it."""
    if message.kind is e2ecore.MessageKind.CARD:
        return f"(contact) {message.text}"
    if message.notice is not None:
        return f"({_happened(message.notice)})"
    return _OTHER_KINDS.get(message.kind, message.text)


def _happened(notice: e2ecore.Notice) -> str:
    """What happened to the conversation; who did it stands before it."""
    count = len(notice.accounts)
    members = "a member" if count == 1 else f"{count} members"
    kinds = e2ecore.NoticeKind
    stays = "for good" if notice.lifetime_s is None else f"for {notice.lifetime_s} s"
    said = {
        kinds.JOINED: "joined" if notice.by in {None, *notice.accounts} else f"added {members}",
        kinds.LEFT: "left",
        kinds.REMOVED: f"removed {members}",
        kinds.ROLE: f"made {members} {notice.role.name.lower() if notice.role else ''}",
        kinds.TITLE: f'changed the title to "{one_line(notice.title, _QUOTE_CELLS)}"',
        kinds.POLICY: f"changed the rules: messages stay {stays}",
        kinds.KEYS: "has other devices: compare the safety number again",
        kinds.EXPIRED: f"{notice.count} messages expired unread",
    }
    return said[notice.kind]


def full(message: e2ecore.Message) -> str:
    """The same with what it answers, that it was edited or forwarded, and reactions; harmless."""
    marks: list[str] = []
    if message.forwards:
        marks.append("forwarded")
    if message.edited_ms is not None:
        marks.append("edited")
    signs = Counter(sign for one in message.reactions for sign in one.signs)
    said = [visible(sign) + (f" {count}" if count > 1 else "") for sign, count in signs.items()]
    parts = [_answered(message.reply), visible(body(message))]
    parts += [f"({', '.join(marks)})" if marks else "", f"[{', '.join(said)}]" if said else ""]
    return " ".join(part for part in parts if part)


def _answered(reply: e2ecore.Quote | None) -> str:
    if reply is None:
        return ""
    if reply.text is None:
        return "(to a message that is not here)"
    changed = "" if reply.is_intact else ", changed since"
    return f'(to "{one_line(reply.text, _QUOTE_CELLS)}"{changed})'
