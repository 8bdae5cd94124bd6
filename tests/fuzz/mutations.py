"""Seeded mutations of valid samples: bytes and bits, lengths, pieces of other samples, ends."""

import hashlib
from collections.abc import Callable, Iterator, Sequence

MAX_BYTES = 1 << 16
LENGTHS = (
    *(b"\0", b"\x3f", b"\x40\x00", b"\x40\x40", b"\x7f\xff", b"\x80\0\0\0", b"\xbf\xff\xff\xff"),
    *(b"\xc0", b"\xff", b"\xff\xff", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff" * 8),
    *(
        b"\x90",
        b"\x9f",
        b"\xdc\xff\xff",
        b"\xdd\xff\xff\xff\xff",
        b"\xc4\xff",
        b"\xc6\xff\xff\xff\xff",
    ),
    *(b"\xcf" + b"\xff" * 8, b"\xd9\x20", b"\x91" * 9, b"\x01\x01", b"\x00\x01"),
)


class Draw:
    """Repeatable choices."""

    def __init__(self, seed: object) -> None:
        self._seed = repr(seed).encode()
        self._count = 0
        self._pool = b""

    def below(self, limit: int) -> int:
        """A number from 0 to ``limit`` - 1."""
        if len(self._pool) < 4:
            self._count += 1
            self._pool = hashlib.blake2b(self._seed + self._count.to_bytes(8)).digest()
        number, self._pool = int.from_bytes(self._pool[:4]), self._pool[4:]
        return number % limit

    def bytes(self, size: int) -> bytes:
        """Some bytes."""
        return bytes(self.below(256) for _ in range(size))


def flip(draw: Draw, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        data[draw.below(len(data))] ^= 1 << draw.below(8)


def replace(draw: Draw, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        data[draw.below(len(data))] = draw.below(256)


def insert(draw: Draw, data: bytearray, _: Sequence[bytes]) -> None:
    at = draw.below(len(data) + 1)
    data[at:at] = draw.bytes(1 + draw.below(8))


def delete(draw: Draw, data: bytearray, _: Sequence[bytes]) -> None:
    at = draw.below(len(data) + 1)
    del data[at : at + 1 + draw.below(8)]


def cut(draw: Draw, data: bytearray, _: Sequence[bytes]) -> None:
    del data[draw.below(len(data) + 1) :]


def lengthen(draw: Draw, data: bytearray, _: Sequence[bytes]) -> None:
    at, length = draw.below(len(data) + 1), LENGTHS[draw.below(len(LENGTHS))]
    data[at : at + draw.below(2) * len(length)] = length


def step(draw: Draw, data: bytearray, _: Sequence[bytes]) -> None:
    if data:
        at = draw.below(len(data))
        data[at] = (data[at] + (1, 255)[draw.below(2)]) % 256


def repeat(draw: Draw, data: bytearray, _: Sequence[bytes]) -> None:
    start = draw.below(len(data) + 1)
    piece = bytes(data[start : start + 1 + draw.below(64)])
    data[start:start] = piece * (1 + draw.below(8))


def splice(draw: Draw, data: bytearray, samples: Sequence[bytes]) -> None:
    other = samples[draw.below(len(samples))]
    start, at = draw.below(len(other) + 1), draw.below(len(data) + 1)
    size = draw.below(len(other) - start + 1)
    data[at : at + draw.below(2) * size] = other[start : start + size]


MUTATIONS: Sequence[Callable[[Draw, bytearray, Sequence[bytes]], None]] = (
    *(flip, replace, insert, delete, cut, lengthen, lengthen, step, repeat, splice),
)


def mutated(seed: object, samples: Sequence[bytes]) -> Iterator[bytes]:
    """Yield mutations for ever, the same ones for the same seed."""
    draw = Draw(seed)
    while True:
        data = bytearray(samples[draw.below(len(samples))])
        for _ in range(1 + draw.below(4)):
            MUTATIONS[draw.below(len(MUTATIONS))](draw, data, samples)
        yield bytes(data[:MAX_BYTES])


def adversarial(samples: Sequence[bytes]) -> Iterator[bytes]:
    """Yield what makes naive decoders allocate: huge lengths, deep nesting, many tiny elements."""
    for length in LENGTHS:
        yield length
        yield length * 512
        for sample in samples[:4]:
            for at in range(min(len(sample), 24)):
                yield sample[:at] + length + sample[at:]
    for byte in (b"\0", b"\1", b"\x91", b"\x90", b"\xc0", b"\xff", b"[", b"{", b'"', b"\x40"):
        yield byte * (1 << 15)
    for prefix in (
        b"\x80\0\x7f\xfc",
        b"\xdd\0\0\x7f\xff",
        b"\xdc\x7f\xff",
        b"\0\1\0\2\x80\0\x7f\xf0",
    ):
        for tiny in (b"\0", b"\1\0", b"\x90", b"\xc0", b"\0\1"):
            yield prefix + (tiny * (1 << 15))[: (1 << 15) - 4]
