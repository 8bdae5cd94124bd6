"""JSON lines between the benchmark and its worker processes.

Standard library only, because peer workers run in virtual environments of their own. A request is
`{"id": n, "do": name, ...}`; its answer is `{"id": n, "ok": {...}}` or `{"id": n, "error": text}`.
Times are
nanoseconds of `time.monotonic_ns`, which all processes of one machine share.
"""

from __future__ import annotations

import json
from typing import TypeAlias, cast

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = "dict[str, JsonValue]"

INDEX_DIGITS = 8
"""Every message text starts with its number, so that sender's and receiver's times can be joined.
"""

SENTENCE = "The quick brown fox jumps over the lazy dog. "
"""Fills the rest of every message text."""


class WireError(Exception):
    """A line does not have the expected form."""


def decode_line(line: str | bytes) -> JsonObject:
    """Return the object of one line."""
    value = json.loads(line)
    if not isinstance(value, dict):
        raise WireError(f"not an object: {line!r:.100}")
    return cast("JsonObject", value)


def encode_line(value: JsonObject) -> str:
    """Return one line, with its line feed."""
    return json.dumps(value, separators=(",", ":")) + "\n"


def integer(value: JsonObject, name: str, default: int | None = None) -> int:
    """Return the integer called `name`."""
    found = value.get(name, default)
    if isinstance(found, bool) or not isinstance(found, int):
        raise WireError(f"{name} is not an integer: {found!r:.100}")
    return found


def number(value: JsonObject, name: str) -> float:
    """Return the number called `name`."""
    found = value.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise WireError(f"{name} is not a number: {found!r:.100}")
    return float(found)


def text(value: JsonObject, name: str) -> str:
    """Return the text called `name`."""
    found = value.get(name)
    if not isinstance(found, str):
        raise WireError(f"{name} is not a text: {found!r:.100}")
    return found


def integers(value: JsonObject, name: str) -> list[int]:
    """Return the list of integers called `name`."""
    found = value.get(name)
    if not isinstance(found, list):
        raise WireError(f"{name} is not a list: {found!r:.100}")
    return [item for item in found if isinstance(item, int)]


def texts(value: JsonObject, name: str) -> list[str]:
    """Return the list of texts called `name`."""
    found = value.get(name)
    if not isinstance(found, list):
        raise WireError(f"{name} is not a list: {found!r:.100}")
    return [item for item in found if isinstance(item, str)]


def message_text(index: int, size: int) -> str:
    """Return the text of message `index`, `size` characters long."""
    return f"{index:0{INDEX_DIGITS}d} {SENTENCE * (size // len(SENTENCE) + 1)}"[:size]


def message_index(body: str) -> int | None:
    """Return the number of a message made by `message_text`, else None."""
    head = body[:INDEX_DIGITS]
    return int(head) if head.isdigit() and len(head) == INDEX_DIGITS else None
