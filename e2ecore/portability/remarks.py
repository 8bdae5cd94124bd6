"""What was said of a message after it: lines of their own behind the message's."""

import base64
from collections.abc import Mapping
from json import dumps
from typing import Final

from e2ecore.portability.lines import Json
from e2ecore.portability.manifest import hex_field, int_field, text_field
from e2ecore.portability.records import MAX_TEXT_BYTES, Earlier, Reaction, Said, scalar
from e2ecore_protocol.limits import DEVICE_ID_BYTES, MAX_REACTION_BYTES, MAX_REACTIONS

REACTION: Final = "reaction"
"""Only lines of reactions have this field: the id of the message."""
EARLIER: Final = "earlier"
"""Only lines of earlier words have this field: the id of the message."""
MAX_SAID: Final = 10_000
"""Reactions to one message, more than a group can have members."""
MAX_EARLIER: Final = 40
"""Earlier words of one message, a little more than are kept of one."""


def message_text(line: str, content: bytes, expires_ms: int | None) -> str:
    """Return the line of a message with what is stored besides its words."""
    more = ""
    if content:
        more += f',"content":"{base64.b64encode(content).decode()}"'
    if expires_ms is not None:
        more += f',"expires_ms":{expires_ms}'
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


class Gathered:
    """Takes the lines behind a message until the next one."""

    __slots__ = ("_earlier", "_message_id", "_reactions")

    def __init__(self, message_id: str) -> None:
        """Begin for a message, named as in its line."""
        self._message_id = message_id
        self._reactions: list[Reaction] = []
        self._earlier: list[Earlier] = []

    @property
    def said(self) -> Said:
        """What was taken."""
        return Said(tuple(self._reactions), tuple(self._earlier))

    def take(self, fields: dict[str, Json]) -> None:
        """Take a line.

        Raises:
            KeyError: It is none of those lines, or lacks a field.
            TypeError: A field is something else.
            ValueError: It is of another message, or one line too many.
        """
        name = REACTION if REACTION in fields else EARLIER
        if fields[name] != self._message_id:
            raise ValueError
        if name == EARLIER:
            self._earlier.append(earlier_of(fields))
        else:
            self._reactions.append(reaction_of(fields))
        if len(self._reactions) > MAX_SAID or len(self._earlier) > MAX_EARLIER:
            raise ValueError
