"""A message in words for people, with everything that was said of it."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import e2ecore
from cli_demo.text import length, moment, one_line, visible, wave
from cli_demo.views import UNICODE, Symbols

_OTHER_KINDS: Final = {
    e2ecore.MessageKind.RECALLED: "(taken back)",
    e2ecore.MessageKind.UNKNOWN: "(this needs a newer version of e2e)",
}
_QUOTED: Final = {
    e2ecore.MessageKind.CARD: "(contact) ",
    e2ecore.MessageKind.FILES: "(file) ",
    e2ecore.MessageKind.POLL: "(poll) ",
}
_QUOTE_CELLS: Final = 40
_WAVE_CELLS: Final = 32
_NO_DATE_MS: Final = 253_402_214_400_000
"""The end of the year 9999: what is later is for good."""


def body(message: e2ecore.Message) -> str:
    """What a message says, or what stands for it."""
    if message.kind is e2ecore.MessageKind.CARD:
        return f"(contact) {message.text}"
    if message.poll is not None:
        return f"(poll) {message.poll.question}"
    if message.notice is not None:
        return f"({_happened(message.notice)})"
    if message.kind is e2ecore.MessageKind.FILES and not message.attachments:
        return f"(file) {message.text}".rstrip()
    if message.attachments:
        return f"{_named(message.attachments)} {message.text}".rstrip()
    return _OTHER_KINDS.get(message.kind, message.text)


def _named(files: Sequence[e2ecore.Attachment]) -> str:
    """What the files of a message are called; voice notes are as long as they are."""
    if all(one.form is e2ecore.AttachmentForm.VOICE for one in files):
        return f"(voice note) {', '.join(length(one.duration_ms) for one in files)}"
    return f"(file) {', '.join(one_line(one.name, _QUOTE_CELLS) for one in files)}"


def muted_words(until_ms: int | None, at_ms: int) -> str:
    """Until when a conversation is muted; empty: it is not."""
    if until_ms is None or until_ms <= at_ms:
        return ""
    return "muted" if until_ms >= _NO_DATE_MS else f"muted until {moment(until_ms)}"


def span(seconds: int) -> str:
    """A time in its two largest units: ``6 d 4 h``, ``2 h``, ``50 s``."""
    units = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    parts: list[tuple[int, str]] = []
    for name, size in units:
        count, seconds = divmod(seconds, size)
        if count or parts:
            parts.append((count, name))
    return " ".join(f"{count} {name}" for count, name in parts[:2] if count) or "0 s"


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


def full(message: e2ecore.Message, symbols: Symbols = UNICODE) -> str:
    """The same with what it answers, that it was edited or forwarded, and reactions; harmless.

    Args:
        message: Which one.
        symbols: What can be shown: of voice notes how loud they are.
    """
    marks: list[str] = []
    if message.forwards:
        marks.append("forwarded")
    if message.edited_ms is not None:
        marks.append("edited")
    signs = Counter(sign for one in message.reactions for sign in one.signs)
    said = [visible(sign) + (f" {count}" if count > 1 else "") for sign, count in signs.items()]
    waves = [wave(one.waveform, _WAVE_CELLS, symbols.levels) for one in message.attachments]
    parts = [_answered(message.reply), visible(body(message)), *waves]
    parts += [f"({', '.join(marks)})" if marks else "", f"[{', '.join(said)}]" if said else ""]
    return " ".join(part for part in parts if part)


def _answered(reply: e2ecore.Quote | None) -> str:
    if reply is None:
        return ""
    if reply.text is None:
        return "(to a message that is not here)"
    changed = "" if reply.is_intact else ", changed since"
    return f'(to "{one_line(quoted(reply), _QUOTE_CELLS)}"{changed})'


def quoted(reply: e2ecore.Quote) -> str:
    """What was answered, with what it is where that is no text."""
    kind = _QUOTED.get(reply.kind, "") if reply.kind is not None else ""
    return f"{kind}{reply.text}"
