"""Frames of a comparison: ranges of all ops, ordered by time and hash, and what is said of each.

A frame is [1, [range, ...]], a range [time, prefix, said]. It begins where the one before ended,
and ends before the first op that is not below (time, prefix); nil as time stands for the end of
all. What follows the last range is not asked, or not answered.

Spec: protocol/spec/75-own-devices.md
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

from e2ecore_protocol.codec import Wire, pack, unpack
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import (
    HASH_BYTES,
    MAX_ARRAY_ITEMS,
    MAX_COMPARISON_BYTES,
    MAX_INTEGER,
)
from e2ecore_protocol.shape import blob, exactly, integer, listing, number

COMPARISON_VERSION: Final = 1
"""First element of a frame."""


FINGERPRINT_BYTES: Final = 16
"""A fingerprint of a range: two ranges agree by chance once in 2^128."""


class Bound(NamedTuple):
    """Where a range ends: before this place. Compares as it is ordered."""

    time: int
    prefix: bytes = b""


START: Final = Bound(0)
"""Before everything."""

END: Final = Bound(MAX_INTEGER + 1)
"""Behind everything."""

Hashes: TypeAlias = tuple[bytes, ...]
"""All ops of a range, by hash, ascending."""

Said: TypeAlias = bytes | bool | Hashes | None
"""What is said of a range.

None: it agrees, or is not asked about. A fingerprint: this is what I have. True: say what you have.
Hashes: this is all that I have. Only who asks says True, only who answers says hashes.
"""


class Part(NamedTuple):
    """One range and what is said of it."""

    upper: Bound
    said: Said


_PART_FIELDS: Final = 3
_version = integer(COMPARISON_VERSION, COMPARISON_VERSION)
_fingerprint: Final = exactly(FINGERPRINT_BYTES)
_prefix: Final = blob(HASH_BYTES)
_nothing: Final = exactly(0)
_hashes: Final = listing(exactly(HASH_BYTES), MAX_ARRAY_ITEMS)


def encode_comparison(parts: Iterable[Part]) -> bytes:
    """Return the canonical encoding of a frame."""
    return pack((COMPARISON_VERSION, tuple([_to_wire(part) for part in parts])))


def decode_question(data: bytes) -> tuple[Part, ...]:
    """Parse a frame of the side that asks.

    Raises:
        MalformedError: It is none.
    """
    return _decode(data, asks=True)


def decode_answer(data: bytes) -> tuple[Part, ...]:
    """Parse a frame of the side that answers.

    Raises:
        MalformedError: It is none.
    """
    return _decode(data, asks=False)


def _to_wire(part: Part) -> Wire:
    time = None if part.upper == END else part.upper.time
    return (time, part.upper.prefix, part.said)


def _decode(data: bytes, *, asks: bool) -> tuple[Part, ...]:
    wire = unpack(data, MAX_COMPARISON_BYTES)
    if len(wire) != 2 or not isinstance(wire[1], tuple):  # noqa: PLR2004
        raise MalformedError("not a frame of a comparison")
    _version(wire[0])
    parts = tuple([_part(item, asks=asks) for item in wire[1]])
    _check_order(parts)
    if asks and (not parts or parts[-1].said is None):
        raise MalformedError("a question ends with a range that is asked about")
    return parts


def _part(value: Wire, *, asks: bool) -> Part:
    if not isinstance(value, tuple) or len(value) != _PART_FIELDS:
        raise MalformedError("expected a range")
    time, prefix, said = value
    upper = _bound(time, prefix)
    if said is None or (asks and said is True):
        return Part(upper, said)
    if isinstance(said, tuple) and not asks:
        return Part(upper, _ascending(said))
    return Part(upper, _fingerprint(said))


def _bound(time: Wire, prefix: Wire) -> Bound:
    if time is None:
        _nothing(prefix)
        return END
    return Bound(number(time), _prefix(prefix))


def _ascending(value: Wire) -> Hashes:
    hashes = _hashes(value)
    if any(first >= second for first, second in pairwise(hashes)):
        raise MalformedError("hashes ascend, each once")
    return hashes


def _check_order(parts: tuple[Part, ...]) -> None:
    """Refuse ranges out of order, and two that agree where one would do."""
    lower, agreed = START, False
    for part in parts:
        if part.upper <= lower or (agreed and part.said is None):
            raise MalformedError("ranges ascend, and two that agree are one")
        lower, agreed = part.upper, part.said is None
