"""The wire encoding of MLS: strict, bounded, and with one encoding per value.

Spec: RFC 9420 §2.1 (Presentation Language). Integers are big-endian, vectors carry a length of 1, 2
or 4 bytes in its shortest form. Every length is compared with what is left before anything is
copied, so a short message can never cause a large allocation. Because no value has two encodings,
the bytes a structure was read from are the bytes it encodes to.
"""

import struct
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from e2ecore.mls.errors import MalformedMessageError

T = TypeVar("T")

MAX_VECTOR_BYTES: Final = (1 << 30) - 1
"""What the 30 bits of the longest length can say."""
SHORT: Final = 1 << 6
"""A vector with fewer bytes has a length of one byte."""
_TWO_BYTES: Final = 1 << 14
_SHORT_LENGTHS: Final = tuple(bytes((size,)) for size in range(SHORT))
_pack_u16: Final = struct.Struct(">H").pack
_pack_u32: Final = struct.Struct(">I").pack
_pack_u64: Final = struct.Struct(">Q").pack


class Reader:
    """Reads one structure from front to back. Every method raises ``MalformedMessageError``."""

    __slots__ = ("_at", "_data", "_end")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._end = len(data)

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return self._end - self._at

    @property
    def position(self) -> int:
        """Bytes read so far; for ``since``."""
        return self._at

    def go_to(self, position: int) -> None:
        """Go on somewhere else: for callers that have looked at the bytes between themselves."""
        self._at = position

    def since(self, position: int) -> bytes:
        """Return the bytes read since ``position``."""
        return self._data[position : self._at]

    def raw(self, size: int) -> bytes:
        """Read exactly ``size`` bytes."""
        start = self._at
        stop = start + size
        if stop > self._end:
            raise MalformedMessageError("the message ends too early")
        self._at = stop
        return self._data[start:stop]

    def u8(self) -> int:
        """Read one byte as a number."""
        at = self._at
        if at >= self._end:
            raise MalformedMessageError("the message ends too early")
        self._at = at + 1
        return self._data[at]

    def u16(self) -> int:
        """Read a number of two bytes."""
        at = self._at
        if at + 2 > self._end:
            raise MalformedMessageError("the message ends too early")
        self._at = at + 2
        return self._data[at] << 8 | self._data[at + 1]

    def u32(self) -> int:
        """Read a number of four bytes."""
        return int.from_bytes(self.raw(4), "big")

    def u64(self) -> int:
        """Read a number of eight bytes."""
        return int.from_bytes(self.raw(8), "big")

    def length(self) -> int:
        """Read a vector's length, in its shortest form only, and no longer than what is left."""
        first = self.u8()
        if first < SHORT:
            size = first
        elif first < 2 * SHORT:
            size = (first & 0x3F) << 8 | self.u8()
            if size < SHORT:
                raise MalformedMessageError("a length is not in its shortest form")
        elif first < 3 * SHORT:
            size = (first & 0x3F) << 24 | int.from_bytes(self.raw(3), "big")
            if size < _TWO_BYTES:
                raise MalformedMessageError("a length is not in its shortest form")
        else:
            raise MalformedMessageError("a length starts with the reserved prefix 11")
        if size > self._end - self._at:
            raise MalformedMessageError("a length points behind the end of the message")
        return size

    def opaque(self, least: int = 0, most: int = MAX_VECTOR_BYTES) -> bytes:
        """Read ``opaque<V>`` of ``least`` to ``most`` bytes."""
        at = self._at
        if at < self._end and self._data[at] < SHORT:  # most fields; decoding is calls
            size = self._data[at]
            start = at + 1
            if size > self._end - start:
                raise MalformedMessageError("a length points behind the end of the message")
        else:
            size = self.length()
            start = self._at
        if not least <= size <= most:
            raise MalformedMessageError("a field has a size that is not allowed")
        self._at = stop = start + size
        return self._data[start:stop]

    def opaques(self, count: int) -> bytes:
        """Read several ``opaque<V>`` and return them as they stand, lengths included."""
        data, start, end = self._data, self._at, self._end
        at = start
        for _ in range(count):
            if at < end and data[at] < SHORT:
                at += 1 + data[at]
            else:
                self._at = at
                size = self.length()
                at = self._at + size
        if at > end:
            raise MalformedMessageError("a length points behind the end of the message")
        self._at = at
        return data[start:at]

    def vector(self, item: Callable[["Reader"], T]) -> list[T]:
        """Read elements with ``item`` until the vector's bytes are used up."""
        at = self._at
        if at < self._end and not self._data[at]:
            self._at = at + 1
            return []
        stop = self.length() + self._at
        outer, self._end = self._end, stop
        found = []
        while self._at < stop:
            found.append(item(self))
        self._end = outer
        return found

    def optional(self, item: Callable[["Reader"], T]) -> T | None:
        """Read a presence byte, which is 0 or 1, and what it announces."""
        return item(self) if self.present() else None

    def present(self) -> bool:
        """Read a presence byte, which is 0 or 1."""
        at = self._at
        if at >= self._end:
            raise MalformedMessageError("the message ends too early")
        byte = self._data[at]
        if byte > 1:
            raise MalformedMessageError("a presence byte is neither 0 nor 1")
        self._at = at + 1
        return byte == 1

    def again(self, encoded: bytes) -> bool:
        """Read one certain encoding if it is what comes next, and tell whether it was."""
        stop = self._at + len(encoded)
        if stop > self._end or not self._data.startswith(encoded, self._at):
            return False
        self._at = stop
        return True

    def rest(self) -> bytes:
        """Read all that is left."""
        start, self._at = self._at, self._end
        return self._data[start : self._end]

    def done(self) -> None:
        """Refuse trailing bytes."""
        if self._at != self._end:
            raise MalformedMessageError("bytes follow the end of the message")


def decode_all(item: Callable[[Reader], T], data: bytes) -> T:
    """Read one structure that fills ``data`` exactly.

    Raises:
        MalformedMessageError: ``data`` is not the one encoding of such a structure.
    """
    reader = Reader(data)
    value = item(reader)
    reader.done()
    return value


def read_u16(reader: Reader) -> int:
    """Read a number of two bytes; as an element of a vector."""
    return int.from_bytes(reader.raw(2), "big")


def read_u32(reader: Reader) -> int:
    """Read a number of four bytes; as an element of a vector."""
    return int.from_bytes(reader.raw(4), "big")


def u8(value: int) -> bytes:
    """Encode ``uint8``."""
    return bytes((value,))


def u16(value: int) -> bytes:
    """Encode ``uint16``."""
    return _pack_u16(value)


def u32(value: int) -> bytes:
    """Encode ``uint32``."""
    return _pack_u32(value)


def u64(value: int) -> bytes:
    """Encode ``uint64``."""
    return _pack_u64(value)


def length(size: int) -> bytes:
    """Encode a vector's length in its shortest form.

    Raises:
        MalformedMessageError: A length of 2^30 bytes or more has no encoding.
    """
    if size < SHORT:
        return _SHORT_LENGTHS[size]
    if size < _TWO_BYTES:
        return _pack_u16(size | 0x4000)
    if size <= MAX_VECTOR_BYTES:
        return _pack_u32(size | 0x8000_0000)
    raise MalformedMessageError("a vector is too long to be encoded")


def opaque(data: bytes) -> bytes:
    """Encode ``opaque<V>``."""
    size = len(data)
    if size < SHORT:
        return _SHORT_LENGTHS[size] + data
    return length(size) + data


def vector(items: Iterable[bytes]) -> bytes:
    """Encode a vector of elements that are encoded already."""
    content = b"".join(items)
    return length(len(content)) + content


def optional(item: bytes | None) -> bytes:
    """Encode a value that may be absent."""
    return b"\0" if item is None else b"\1" + item
