"""Read ``main.jsonl`` of Signal Desktop's export: recipients, chats and their messages, by line."""

from collections.abc import Iterator
from typing import Final

from e2ecore.portability.errors import MalformedImportError
from e2ecore.portability.gathering import Writers, gathered
from e2ecore.portability.inputs import Input
from e2ecore.portability.lines import Json, lines, record
from e2ecore.portability.local_time import parse_time
from e2ecore.portability.records import (
    Entry,
    Heading,
    ImportFormat,
    Position,
    clean_name,
    conversation_key,
    scalar,
)

MAX_NAMES: Final = 100_000
"""Recipients and chats of one file."""
_NAMES: Final = (
    ("nickname", "given", "family"),
    ("", "systemGivenName", "systemFamilyName"),
    ("", "profileGivenName", "profileFamilyName"),
)


class SignalExport:
    """One exported file."""

    format: Final = ImportFormat.SIGNAL
    is_mixed: Final = True

    def __init__(self, source: Input, *, own_account: bytes, me: str) -> None:
        self.position = Position(total=source.size)
        self._source, self._own, self._me = source, own_account, me
        self._names: dict[str, str] = {}
        self._chats: dict[str, tuple[Heading, Writers]] = {}
        self._self = ""

    def items(self) -> Iterator[Heading | Entry]:
        """Yield headings, each with messages behind it; a chat may come up several times.

        Raises:
            ImportFileError: Something in the file is not as it must be.
        """
        yield from gathered(self._pairs())

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def _pairs(self) -> Iterator[tuple[Heading, Entry]]:
        with self._source.open() as file:
            for number, line in enumerate(lines(file), 1):
                self.position.done += len(line) + 1
                if not line:
                    continue
                try:
                    yield from self._frame(record(line, number))
                except (KeyError, TypeError, ValueError):
                    raise MalformedImportError(f"[{number}]") from None

    def _frame(self, frame: dict[str, Json]) -> Iterator[tuple[Heading, Entry]]:
        match frame:
            case {"recipient": dict() as fields}:
                self._note_recipient(fields)
            case {"chat": dict() as fields}:
                self._note_chat(fields)
            case {"chatItem": dict() as fields}:
                yield from self._item(fields)
            case _:
                return  # call links, stickers, account settings: no messages

    def _note_recipient(self, fields: dict[str, Json]) -> None:
        number = str(fields["id"])
        if len(self._names) >= MAX_NAMES:
            raise ValueError
        if "self" in fields:
            self._self = number
        self._names[number] = _recipient_name(fields) or f"recipient {number}"

    def _note_chat(self, fields: dict[str, Json]) -> None:
        number, recipient = str(fields["id"]), str(fields["recipientId"])
        if len(self._chats) >= MAX_NAMES:
            raise ValueError
        title = clean_name(self._names[recipient])
        key = conversation_key(self.format, number, title)
        self._chats[number] = Heading(key, title), Writers(key, self._own, self._me)

    def _item(self, fields: dict[str, Json]) -> Iterator[tuple[Heading, Entry]]:
        heading, writers = self._chats[str(fields["chatId"])]
        text = _text(fields)
        if not text:
            self.position.skipped += 1
            return
        author = str(fields["authorId"])
        mine = "outgoing" in fields or (bool(self._self) and author == self._self)
        sent_ms = parse_time(str(fields["dateSent"]), None)
        name = clean_name(self._names[author])
        for entry in writers.entries(sent_ms, name, text, mine=mine, number=f"{author} {sent_ms}"):
            yield heading, entry


def _recipient_name(fields: dict[str, Json]) -> str:
    match fields:
        case {"contact": dict() as contact}:
            return _contact_name(contact)
        case {"group": {"snapshot": {"title": {"title": str() as title}}}}:
            return clean_name(title)
        case {"self": _}:
            return "Note to Self"
        case {"releaseNotes": _}:
            return "Signal"
        case _:
            return ""


def _contact_name(contact: dict[str, Json]) -> str:
    for inner, given, family in _NAMES:
        fields = contact.get(inner) if inner else contact
        if isinstance(fields, dict):
            parts = [fields.get(given), fields.get(family)]
            name = " ".join(part for part in parts if isinstance(part, str) and part)
            if name:
                return clean_name(name)
    return clean_name(str(contact.get("username") or contact.get("e164") or ""))


def _text(fields: dict[str, Json]) -> str:
    match fields:
        case {"standardMessage": {"text": {"body": str() as body}}} if body:
            return scalar(body)
        case {"standardMessage": {"attachments": [_, *_]}}:
            return "[attachment]"
        case {"stickerMessage": _}:
            return "[sticker]"
        case _:
            return ""
