"""Read a part of a history that another device of the same person gives.

A part holds pieces of conversations, one behind the other, in the lines of an export
(``docs/portability.md``). The first line of each also says which messages of the conversation
follow: ``first`` counts those of the same transfer before, ``count`` all of them.

Spec: protocol/spec/76-history-transfer.md
"""

from collections.abc import Iterator
from dataclasses import dataclass
from json import dumps
from typing import Final

from e2ecore.portability.errors import MalformedImportError
from e2ecore.portability.lines import Bytes, Json, records
from e2ecore.portability.manifest import hex_field, int_field, text_field
from e2ecore.portability.own_conversation import MAX_PEOPLE, Conversation, Person
from e2ecore.portability.records import (
    Entry,
    Heading,
    ImportFormat,
    clean_name,
    conversation_key,
)

MAX_MESSAGES: Final = 1 << 30
"""Messages of one conversation: so many have room in front of the live ones."""
_KINDS: Final = frozenset({"direct", "group", "imported"})


@dataclass(frozen=True, slots=True)
class PartHeading:
    """What a part says of itself."""

    heading: Heading
    is_imported: bool
    """The conversation came from a file and has no members."""
    first: int
    """Messages of the conversation in earlier parts."""
    count: int
    """Messages of the conversation in all parts, as it was when the first one was made."""


def first_line(heading: dict[str, object], first: int, count: int) -> str:
    """Return the first line of a part.

    Args:
        heading: As the first line of a conversation in an export.
        first: Messages of the conversation in earlier parts.
        count: Messages of it in all parts.
    """
    fields = {**heading, "first": first, "count": count}
    return dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n"


def read_part(stream: Bytes, own: bytes) -> Iterator[PartHeading | Entry]:
    """Yield what is in a part: headings, each with the messages behind it.

    Args:
        stream: Its bytes.
        own: The account, 20 bytes.

    Raises:
        ImportFileError: It is none.
    """
    conversation: Conversation | None = None
    number = 1
    try:
        for number, fields in records(stream):  # noqa: B007 - the error names where it was
            if "conversation" in fields:
                yield from _last(conversation)
                heading, conversation = _opened(fields, own)
                yield heading
            elif conversation is None:
                raise ValueError  # noqa: TRY301 - as everything that is malformed
            elif (entry := conversation.take(fields)) is not None:
                yield entry
        yield from _last(conversation)
    except (KeyError, TypeError, ValueError):
        raise MalformedImportError(f"[{number}]") from None


def _last(conversation: Conversation | None) -> Iterator[Entry]:
    last = None if conversation is None else conversation.last()
    if last is not None:
        yield last


def _opened(fields: dict[str, Json], own: bytes) -> tuple[PartHeading, Conversation]:
    uid = hex_field(fields, "conversation", 16)
    kind, names = text_field(fields, "kind"), fields["names"]
    if kind not in _KINDS or not isinstance(names, dict) or len(names) > MAX_PEOPLE:
        raise TypeError
    known = {bytes.fromhex(who): clean_name(str(name)) for who, name in names.items()}
    title = clean_name(text_field(fields, "title")) or ", ".join(known.values())
    key = hex_field(fields, "key", 32) if kind == "imported" else b""
    key = key or conversation_key(ImportFormat.E2ECORE, own.hex(), uid.hex())
    title = clean_name(title) or "conversation"
    heading = Heading(key, title, uid, int_field(fields, "created_ms"))
    first, count = int_field(fields, "first"), int_field(fields, "count")
    if not first <= count <= MAX_MESSAGES:
        raise ValueError
    said = PartHeading(heading, kind == "imported", first, count)
    person = lambda who: Person(who, known.get(who, ""), who == own)  # noqa: E731
    return said, Conversation(heading, person)
