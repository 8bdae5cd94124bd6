"""What was said of a message and belongs to it: lines of their own behind the message's."""

import base64
from collections.abc import Callable, Mapping
from json import dumps
from typing import Final

from e2ecore.portability import parts
from e2ecore.portability.lines import Json
from e2ecore.portability.manifest import hex_field, int_field, text_field
from e2ecore.portability.records import MAX_TEXT_BYTES, Earlier, Reaction, Said, scalar
from e2ecore_protocol.limits import (
    DEVICE_ID_BYTES,
    MAX_ATTACHMENTS,
    MAX_REACTION_BYTES,
    MAX_REACTIONS,
)

REACTION: Final = "reaction"
"""Only lines of reactions have this field: the id of the message."""
EARLIER: Final = "earlier"
"""Only lines of earlier words have this field: the id of the message."""
MAX_SAID: Final = 10_000
"""Reactions to one message, more than a group can have members."""
MAX_EARLIER: Final = 40
"""Earlier words of one message, a little more than are kept of one."""


def message_text(line: str, content: bytes, expires_ms: int | None, *, seq: int = 0) -> str:
    """Return the line of a message with what is stored besides its words."""
    more = ""
    if content:
        more += f',"content":"{base64.b64encode(content).decode()}"'
    if expires_ms is not None:
        more += f',"expires_ms":{expires_ms}'
    if seq:
        more += f',"seq":{seq}'
    return f"{line[:-2]}{more}}}\n" if more else line


def reaction_text(message_id: bytes, said: Reaction) -> str:
    """Return the line of a reaction."""
    return _line({
        REACTION: message_id.hex(), "from": said.account_id.hex(), "device": said.device_id.hex(),
        "at_ms": said.changed_ms, "signs": said.signs,
    })  # fmt: skip


def earlier_text(message_id: bytes, said: Earlier) -> str:
    """Return the line of earlier words."""
    return _line({
        EARLIER: message_id.hex(), "device": said.device_id.hex(), "at_ms": said.changed_ms,
        "text": said.text,
    })  # fmt: skip


def part_text(sort: str, message_id: bytes, fields: Mapping[str, object]) -> str:
    """Return the line of something that belongs to a message; see ``parts``."""
    return _line({sort: message_id.hex(), **fields})


def _line(fields: Mapping[str, object]) -> str:
    return dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n"


def reaction_of(fields: dict[str, Json]) -> Reaction:
    """Return the reaction of a line, in the file's words for accounts.

    Raises:
        KeyError: A field is missing.
        TypeError: A field is something else.
        ValueError: A field cannot be what it says.
    """
    signs = fields["signs"]
    if not isinstance(signs, list) or not 0 < len(signs) <= MAX_REACTIONS:
        raise TypeError
    found = tuple(map(_sign, signs))
    if len(set(found)) != len(found):
        raise ValueError
    return Reaction(
        hex_field(fields, "from", 20),
        hex_field(fields, "device", DEVICE_ID_BYTES),
        int_field(fields, "at_ms"),
        found,
    )


def _sign(found: Json) -> str:
    if not isinstance(found, str):
        raise TypeError
    if not found or len(scalar(found).encode()) > MAX_REACTION_BYTES:
        raise ValueError
    return scalar(found)


def earlier_of(fields: dict[str, Json]) -> Earlier:
    """Return the earlier words of a line.

    Raises:
        KeyError: A field is missing.
        TypeError: A field is something else.
        ValueError: A field cannot be what it says.
    """
    text = text_field(fields, "text")
    if len(text) > MAX_TEXT_BYTES:
        raise ValueError
    device_id = hex_field(fields, "device", DEVICE_ID_BYTES)
    return Earlier(int_field(fields, "at_ms"), device_id, scalar(text))


_READERS: Final[Mapping[str, tuple[Callable[[dict[str, Json]], object], int]]] = {
    REACTION: (reaction_of, MAX_SAID),
    EARLIER: (earlier_of, MAX_EARLIER),
    parts.FILE: (parts.file_of, MAX_ATTACHMENTS),
    parts.PIN: (parts.pin_of, 1),
    parts.VOTE: (parts.vote_of, MAX_SAID),
    parts.OPENED: (parts.opened_of, MAX_SAID),
    parts.CLOSE: (parts.close_of, 1),
}
"""What reads each sort of line, and how many of it there may be behind one message."""


class Gathered:
    """Takes the lines behind a message until the next one."""

    __slots__ = ("_found", "_message_id")

    def __init__(self, message_id: str) -> None:
        """Begin for a message, named as in its line."""
        self._message_id = message_id
        self._found: dict[str, list[object]] = {sort: [] for sort in _READERS}

    @property
    def said(self) -> Said:
        """All that was taken."""
        return Said(*[tuple(found) for found in self._found.values()])  # type: ignore[arg-type]  # in the order of its fields

    def take(self, fields: dict[str, Json]) -> None:
        """Take a line.

        Raises:
            KeyError: It is none of those lines, or lacks a field.
            TypeError: A field is something else.
            ValueError: It is of another message, or one line too many.
        """
        sort = next((one for one in _READERS if one in fields), EARLIER)
        if fields[sort] != self._message_id:
            raise ValueError
        read, most = _READERS[sort]
        found = self._found[sort]
        found.append(read(fields))
        if len(found) > most:
            raise ValueError
