"""One encoding per value, and nothing is read that is not there."""

from collections.abc import Callable

import pytest

from e2ecore.mls.codec import (
    MAX_VECTOR_BYTES,
    Reader,
    decode_all,
    length,
    opaque,
    optional,
    read_u16,
    read_u32,
    u8,
    u16,
    u32,
    u64,
    vector,
)
from e2ecore.mls.errors import MalformedMessageError


@pytest.mark.spec("RFC 9420 §2.1 (Presentation Language)")
def test_what_is_written_is_read_back() -> None:
    data = u8(1) + u16(2) + u32(3) + u64(4) + opaque(b"five") + optional(None) + optional(u8(6))
    data += vector(map(u16, (7, 8))) + vector(map(u32, (9,))) + b"rest"
    reader = Reader(data)
    assert (reader.u8(), reader.u16(), reader.u32(), reader.u64()) == (1, 2, 3, 4)
    assert reader.opaque() == b"five"
    assert reader.optional(Reader.u8) is None
    assert reader.optional(Reader.u8) == 6
    assert reader.vector(read_u16) == [7, 8]
    start = reader.position
    assert reader.vector(read_u32) == [9]
    assert reader.since(start) == vector([u32(9)])
    assert reader.left == 4
    assert reader.rest() == b"rest"
    reader.done()


@pytest.mark.spec("RFC 9420 §2.1.2 (Variable-Size Vector Length Headers)")
@pytest.mark.parametrize(
    ("size", "header"),
    [
        (0, "00"),
        (63, "3f"),
        (64, "4040"),
        (16383, "7fff"),
        (16384, "80004000"),
        (MAX_VECTOR_BYTES, "bfffffff"),
    ],
)
def test_lengths_take_one_two_or_four_bytes(size: int, header: str) -> None:
    assert length(size).hex() == header


def test_a_length_of_a_gigabyte_has_no_encoding() -> None:
    with pytest.raises(MalformedMessageError):
        length(MAX_VECTOR_BYTES + 1)


@pytest.mark.spec("RFC 9420 §2.1.2 (Variable-Size Vector Length Headers)")
@pytest.mark.parametrize(
    "data",
    [
        pytest.param("", id="nothing"),
        pytest.param("05", id="longer than the message"),
        pytest.param("40", id="second byte missing"),
        pytest.param("8000ff", id="fourth byte missing"),
        pytest.param("403f" + "00" * 63, id="two bytes where one suffices"),
        pytest.param("80000001" + "00", id="four bytes where one suffices"),
        pytest.param("80003fff" + "00" * 0x3FFF, id="four bytes where two suffice"),
        pytest.param("c0" + "00" * 63, id="reserved prefix"),
        pytest.param("ff" * 64, id="reserved prefix, everywhere"),
        pytest.param("bfffffff00", id="a gigabyte that is not there"),
    ],
)
def test_lengths_with_a_fault_are_refused(data: str) -> None:
    with pytest.raises(MalformedMessageError):
        Reader(bytes.fromhex(data)).opaque()


@pytest.mark.parametrize(
    "read",
    [Reader.u8, Reader.u16, Reader.u32, Reader.u64, lambda reader: reader.raw(1)],
    ids=["u8", "u16", "u32", "u64", "raw"],
)
def test_nothing_is_read_behind_the_end(read: Callable[[Reader], object]) -> None:
    with pytest.raises(MalformedMessageError):
        read(Reader(b""))


@pytest.mark.spec("RFC 9420 §2.1.1 (Optional Value)")
@pytest.mark.parametrize("presence", [2, 0xFF])
def test_presence_is_said_by_zero_or_one(presence: int) -> None:
    with pytest.raises(MalformedMessageError):
        Reader(u8(presence) + u8(1)).optional(Reader.u8)


def test_an_element_does_not_reach_over_the_end_of_its_vector() -> None:
    reader = Reader(opaque(b"\1\2\3") + b"\4")
    with pytest.raises(MalformedMessageError):
        reader.vector(read_u16)


def test_several_fields_are_read_as_they_stand() -> None:
    fields = opaque(b"one") + opaque(bytes(70)) + opaque(b"")
    reader = Reader(fields + b"rest")
    assert (reader.opaques(3), reader.rest()) == (fields, b"rest")
    for cut in (0, 3, 5, 40, len(fields) - 1):
        with pytest.raises(MalformedMessageError):
            Reader(fields[:cut]).opaques(3)


def test_fields_keep_their_limits() -> None:
    assert Reader(opaque(b"four")).opaque(4, 4) == b"four"
    for least, most in ((5, 9), (0, 3)):
        with pytest.raises(MalformedMessageError):
            Reader(opaque(b"four")).opaque(least, most)


def test_nothing_may_follow_the_end() -> None:
    assert decode_all(Reader.u16, b"\1\2") == 0x0102
    with pytest.raises(MalformedMessageError):
        decode_all(Reader.u16, b"\1\2\3")
