"""Read a part of a history that another device of the same person gives.

A part is a piece of one conversation, in the lines of an export (``docs/portability.md``). Its
first line also says which messages of the conversation are in it: ``first`` counts those of the
same transfer in parts before, ``count`` all of them.

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


def read_part(stream: Bytes, own: bytes) -> tuple[PartHeading, Iterator[Entry]]:
    """Begin to read a part.

    Args:
        stream: Its bytes.
        own: The account, 20 bytes.

    Returns:
        What it says of itself, and its messages. They raise as this does.

    Raises:
        ImportFileError: It is none.
    """
    found = records(stream)
    _, fields = next(found, (1, dict[str, Json]()))
    try:
        heading, conversation = _opened(fields, own)
    except (KeyError, TypeError, ValueError):
        raise MalformedImportError("[1]") from None
    return heading, _entries(conversation, found)


def _entries(
    conversation: Conversation, found: Iterator[tuple[int, dict[str, Json]]]
) -> Iterator[Entry]:
    number = 1
    try:
        for number, fields in found:  # noqa: B007 - the error names where it was
            entry = conversation.take(fields)
            if entry is not None:
                yield entry
    except (KeyError, TypeError, ValueError):
        raise MalformedImportError(f"[{number}]") from None
    if (last := conversation.last()) is not None:
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
