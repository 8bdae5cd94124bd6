"""Checks of decoded values: each takes one value and returns it, typed, or raises MalformedError.

Frames and content declare their fields with these, so that every bound stands beside the field it
bounds. ``bool`` is not an integer here: ``type(value) is int``.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Final, TypeAlias, TypeVar

from e2ecore_protocol.codec import Wire
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import HANDLE_PATTERN, MAX_INTEGER, MAX_REQUEST

Value = TypeVar("Value")
Item = TypeVar("Item", bound=StrEnum)
Check: TypeAlias = Callable[[Wire], Value]
"""A check: returns the value with its type, or raises MalformedError."""

_HANDLE: Final = re.compile(HANDLE_PATTERN)


def integer(max_value: int = MAX_INTEGER, min_value: int = 0) -> Check[int]:
    """Return a check for an integer within inclusive bounds."""

    def check(value: Wire) -> int:
        if type(value) is not int or not min_value <= value <= max_value:
            raise MalformedError(f"expected an integer from {min_value} to {max_value}")
        return value

    return check


def exactly(size: int) -> Check[bytes]:
    """Return a check for a byte string of one size."""
    return blob(size, size)


def blob(max_bytes: int, min_bytes: int = 0) -> Check[bytes]:
    """Return a check for a byte string within inclusive bounds."""

    def check(value: Wire) -> bytes:
        if type(value) is not bytes or not min_bytes <= len(value) <= max_bytes:
            raise MalformedError(f"expected {min_bytes} to {max_bytes} bytes")
        return value

    return check


def text(max_chars: int, min_chars: int = 0, *, max_bytes: int | None = None) -> Check[str]:
    """Return a check for a text within inclusive bounds.

    Args:
        max_chars: Most Unicode code points.
        min_chars: Fewest Unicode code points.
        max_bytes: Most bytes of its UTF-8 form, where that is bounded too.
    """

    def check(value: Wire) -> str:
        if type(value) is not str or not min_chars <= len(value) <= max_chars:
            raise MalformedError(f"expected a text of {min_chars} to {max_chars} characters")
        if max_bytes is not None and len(value.encode()) > max_bytes:
            raise MalformedError(f"expected a text of at most {max_bytes} bytes")
        return value

    return check


def handle(value: Wire) -> str:
    """Check a handle. Spec: protocol/spec/20-relay-frames.md, [FRM-20]."""
    if type(value) is not str or not _HANDLE.fullmatch(value):
        raise MalformedError("not a handle")
    return value


def choice(kind: type[Item]) -> Check[Item]:
    """Return a check for one of the values of an enum."""
    members = {str(item): item for item in kind}

    def check(value: Wire) -> Item:
        found = members.get(value) if type(value) is str else None
        if found is None:
            raise MalformedError(f"not a {kind.__name__}")
        return found

    return check


def one_of(*allowed: int) -> Check[int]:
    """Return a check for one of a few integers."""

    def check(value: Wire) -> int:
        if type(value) is not int or value not in allowed:
            raise MalformedError(f"expected one of {allowed}")
        return value

    return check


def maybe(inner: Check[Value]) -> Check[Value | None]:
    """Return a check for nil or what ``inner`` takes."""

    def check(value: Wire) -> Value | None:
        return None if value is None else inner(value)

    return check


def listing(inner: Check[Value], max_items: int, min_items: int = 0) -> Check[tuple[Value, ...]]:
    """Return a check for an array of alike elements."""

    def check(value: Wire) -> tuple[Value, ...]:
        if not isinstance(value, tuple) or not min_items <= len(value) <= max_items:
            raise MalformedError(f"expected an array of {min_items} to {max_items} elements")
        return tuple([inner(item) for item in value])

    return check


def fields(value: Wire, checks: tuple[Check[object], ...]) -> list[object]:
    """Check an array that has one element per check. Return the checked elements."""
    if not isinstance(value, tuple) or len(value) != len(checks):
        raise MalformedError(f"expected an array of {len(checks)} fields")
    return [check(item) for check, item in zip(checks, value, strict=True)]


def record(make: Callable[[list[object]], Value], *checks: Check[object]) -> Check[Value]:
    """Return a check for an array of different fields, which ``make`` turns into one object."""

    def check(value: Wire) -> Value:
        return make(fields(value, checks))

    return check


request: Final = integer(MAX_REQUEST)
"""A request id: chosen by the client, repeated in the answer."""

time_ms: Final = integer()
"""Milliseconds since the Unix epoch, UTC."""

number: Final = integer()
"""A sequence number, epoch or count."""
