"""Canonical MessagePack: one value, one encoding.

Values are None, bool, int, str, bytes and arrays (tuples) of them; no maps, no floats, no extension
types. A decoder here looks at the length first, then lets a bounded C parser build tuples, then
encodes the result again and compares: whatever is not the one canonical encoding is refused.

Memory: bytes cost at most 28 times their length in objects (a one-element array takes 2 bytes on
the wire and 56 in memory). Up to ``_FREE_BYTES`` that does not matter; above, every array is
counted against MAX_ELEMENTS while it is built.

Spec: protocol/spec/10-encoding.md
"""

from collections.abc import Callable
from typing import Final, TypeAlias, cast

import msgpack

from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import KIB, MAX_ARRAY_ITEMS, MAX_DEPTH, MAX_ELEMENTS, MAX_INTEGER, MIB

Wire: TypeAlias = "bool | int | str | bytes | tuple[Wire, ...] | None"
"""What can be encoded."""

_FREE_BYTES: Final = 64 * KIB
"""Up to here elements are not counted: at most 1.8 MiB of objects, and it is twice as fast."""

_KEPT_BUFFER_BYTES: Final = MIB
"""A packer that grew larger is dropped, so that one huge value does not stay in memory."""


class _Budget:
    """Counts the elements of all arrays of one value while the parser builds them."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MAX_ELEMENTS

    def __call__(self, array: tuple[Wire, ...]) -> tuple[Wire, ...]:
        self._left -= len(array)
        if self._left < 0:
            raise ValueError("too many elements")
        return array


_packers: Final[list[Callable[[object], bytes]]] = []
"""Packers that nobody uses now: reusing one's buffer halves the cost of a small value."""


def pack(value: Wire) -> bytes:
    """Return the canonical encoding of a value.

    Tuples of any kind become arrays, enums their value. Threads may call this at the same time:
    each takes a packer out of the list while it works.
    """
    try:
        packer = _packers.pop()
    except IndexError:
        packer = msgpack.Packer(use_bin_type=True).pack
    encoded = packer(value)
    if len(encoded) <= _KEPT_BUFFER_BYTES:
        _packers.append(packer)
    return encoded


def unpack_fields(data: bytes, max_bytes: int) -> tuple[Wire, ...]:
    """Decode one canonical array whose elements the caller checks one by one.

    Canonical here says nothing of types: a float or an empty map can still be among the elements,
    so the caller must check the type of every one. ``unpack`` does that itself.

    Args:
        data: One complete value.
        max_bytes: The longest encoding that is allowed here.

    Raises:
        MalformedError: Too long, not MessagePack, not canonical, not an array, too many elements.
    """
    if len(data) > max_bytes:
        raise MalformedError(f"{len(data)} bytes where at most {max_bytes} are allowed")
    try:
        value = msgpack.unpackb(
            data,
            use_list=False,
            raw=False,
            list_hook=_Budget() if len(data) > _FREE_BYTES else None,
            max_array_len=MAX_ARRAY_ITEMS,
            max_map_len=0,
            max_ext_len=0,
        )
        canonical = type(value) is tuple and pack(value) == data
    except (ValueError, msgpack.UnpackException) as error:
        raise MalformedError("not MessagePack, or beyond its bounds") from error
    if not canonical:
        raise MalformedError("not the canonical encoding of an array")
    return cast("tuple[Wire, ...]", value)


def unpack(data: bytes, max_bytes: int) -> tuple[Wire, ...]:
    """Decode one canonical array, and check that it holds nothing but what ``Wire`` allows.

    Raises:
        MalformedError: As ``unpack_fields``; also floats, maps, extension types, integers beyond
            MAX_INTEGER, nesting beyond MAX_DEPTH.
    """
    value = unpack_fields(data, max_bytes)
    _check(value, MAX_DEPTH)
    return value


def _check(value: Wire, depth: int) -> None:
    kind = type(value)
    if isinstance(value, tuple):
        if not depth:
            raise MalformedError("arrays nested too deeply")
        for item in value:
            _check(item, depth - 1)
    elif isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise MalformedError("integer too large")
    elif value is not None and kind is not bytes and kind is not str:
        raise MalformedError("floats, maps and extension types are not used")
