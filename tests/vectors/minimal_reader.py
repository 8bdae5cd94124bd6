"""A second implementation of the encoding, as small as it can be, from the specification alone.

Shares nothing with e2ecore_protocol and uses no MessagePack library; so what both read alike is
what the specification says. It reads canonical input only and does not check that it is.
"""

from typing import TypeAlias

Value: TypeAlias = "bool | int | str | bytes | list[Value] | None"

_SIMPLE = {0xC0: None, 0xC2: False, 0xC3: True}
_UNSIGNED = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}
_SIGNED = {0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
_BYTES = {0xC4: 1, 0xC5: 2, 0xC6: 4}
_TEXT = {0xD9: 1, 0xDA: 2, 0xDB: 4}
_ARRAY = {0xDC: 2, 0xDD: 4}


class Reader:
    """Walks over one encoding."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        """The next bytes."""
        self.at += size
        assert self.at <= len(self.data)
        return self.data[self.at - size : self.at]

    def number(self, size: int) -> int:
        """The next unsigned number."""
        return int.from_bytes(self.take(size))

    def value(self) -> Value:
        """The next value."""
        head = self.number(1)
        if head <= 0x7F or head >= 0xE0:
            return head if head <= 0x7F else head - 0x100
        if head in _SIMPLE:
            return _SIMPLE[head]
        if head in _UNSIGNED:
            return self.number(_UNSIGNED[head])
        if head in _SIGNED:
            return int.from_bytes(self.take(_SIGNED[head]), signed=True)
        if head in _BYTES:
            return self.take(self.number(_BYTES[head]))
        return self.long(head)

    def long(self, head: int) -> Value:
        """A text or an array."""
        if 0xA0 <= head <= 0xBF:
            return self.take(head - 0xA0).decode()
        if head in _TEXT:
            return self.take(self.number(_TEXT[head])).decode()
        assert 0x90 <= head <= 0x9F or head in _ARRAY
        count = self.number(_ARRAY[head]) if head in _ARRAY else head - 0x90
        return [self.value() for _ in range(count)]


def read(data: bytes) -> Value:
    """Read one encoding that ends where the input ends."""
    reader = Reader(data)
    found = reader.value()
    assert reader.at == len(data)
    return found


def encode_head(short: int, long: dict[int, int], size: int, limit: int = 0) -> bytes:
    """The head of something with a length."""
    if size < limit:
        return bytes((short + size,))
    code, width = next(item for item in long.items() if size < 1 << (8 * item[1]))
    return bytes((code,)) + size.to_bytes(width)


def encode(value: Value) -> bytes:
    """The encoding of what the chain and signatures need: texts, bytes, counts, nil, arrays."""
    if value is None:
        return b"\xc0"
    if isinstance(value, int):
        if value < 128:
            return bytes((value,))
        code, width = next(item for item in _UNSIGNED.items() if value < 1 << (8 * item[1]))
        return bytes((code,)) + value.to_bytes(width)
    if isinstance(value, bytes):
        return encode_head(0, _BYTES, len(value)) + value
    if isinstance(value, str):
        data = value.encode()
        return encode_head(0xA0, _TEXT, len(data), 32) + data
    return encode_head(0x90, _ARRAY, len(value), 16) + b"".join(map(encode, value))
