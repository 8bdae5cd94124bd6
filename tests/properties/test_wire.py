"""Whatever comes over the wire is an object or a MalformedError, and has one encoding."""

import tracemalloc
from collections.abc import Callable
from typing import Final

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from e2ecore_protocol.chain import ConsentRecord, Entry
from e2ecore_protocol.codec import pack, unpack
from e2ecore_protocol.content import (
    ConversationInfo,
    ReaddRequest,
    decode_content,
    decode_counter,
    decode_signal,
)
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.frames import (
    CLIENT_FRAMES,
    SERVER_FRAMES,
    BlobsDeleted,
    Frame,
    KeyPackagesLow,
    decode_client_frame,
    decode_server_frame,
)
from e2ecore_protocol.limits import MAX_FRAME_BYTES
from tests.support.wire import FRAMES, any_frame

DECODERS: Final[tuple[Callable[[bytes], object], ...]] = (
    decode_client_frame,
    decode_server_frame,
    decode_content,
    decode_counter,
    Entry.decode,
    ConsentRecord.decode,
    ConversationInfo.decode,
    ReaddRequest.decode,
    lambda data: decode_signal(data) or (),
    KeyPackagesLow.decode,
    BlobsDeleted.decode,
    lambda data: unpack(data, MAX_FRAME_BYTES),
)

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=70)
    | st.binary(min_size=16, max_size=16)
    | st.binary(min_size=20, max_size=20),
    lambda inner: st.lists(inner, max_size=9).map(tuple) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def encodings(value: object) -> bytes:
    return bytes(msgpack.packb(value, use_bin_type=True))


def try_all(data: bytes) -> None:
    for decode in DECODERS:
        try:
            found = decode(data)
        except MalformedError:
            continue
        assert isinstance(found, tuple | int) or found.encode() == data  # type: ignore[attr-defined]


def test_there_is_a_strategy_for_every_frame() -> None:
    assert set(FRAMES) == {*CLIENT_FRAMES.values(), *SERVER_FRAMES.values()}


@pytest.mark.clause("MPS82-7.1")
@given(st.binary(max_size=200))
@example(b"")
@example(b"\x91" * 5000)
@example(b"\x90")
@example(b"\xdd\xff\xff\xff\xff")
@example(b"\xc6\xff\xff\xff\xff")
@example(b"\xdb\x7f\xff\xff\xff")
@example(b"\xdf\x7f\xff\xff\xff")
@example(b"\x91\xc7\x00\x01")
@example(b"\x92\x12\x80")
def test_any_bytes_decode_or_are_malformed(data: bytes) -> None:
    try_all(data)


@given(st.sampled_from([*CLIENT_FRAMES, *SERVER_FRAMES]), st.lists(values, max_size=9))
def test_any_values_in_a_frame_decode_or_are_malformed(kind: int, fields: list[object]) -> None:
    try_all(encodings((kind, *fields)))


@given(values)
def test_any_value_decodes_or_is_malformed(value: object) -> None:
    try_all(encodings(value))


@given(any_frame)
def test_every_frame_decodes_to_itself(frame: Frame) -> None:
    decode = decode_client_frame if frame.TYPE in CLIENT_FRAMES else decode_server_frame
    data = frame.encode()
    assert decode(data) == frame
    assert type(frame).decode(data) == frame
    assert decode(data).encode() == data


@given(any_frame, st.data())
def test_a_frame_with_one_changed_byte_decodes_or_is_malformed(
    frame: Frame, data: st.DataObject
) -> None:
    encoded = bytearray(frame.encode())
    place = data.draw(st.integers(0, len(encoded) - 1))
    encoded[place] = data.draw(st.integers(0, 255))
    try_all(bytes(encoded))


@given(any_frame, st.data())
def test_a_cut_or_longer_frame_is_malformed(frame: Frame, data: st.DataObject) -> None:
    encoded = frame.encode()
    decode = decode_client_frame if frame.TYPE in CLIENT_FRAMES else decode_server_frame
    with pytest.raises(MalformedError):
        decode(encoded[: data.draw(st.integers(0, len(encoded) - 1))])
    with pytest.raises(MalformedError):
        decode(encoded + data.draw(st.binary(min_size=1, max_size=3)))


@given(any_frame, st.data())
def test_a_frame_with_one_field_of_another_type_is_malformed(
    frame: Frame, data: st.DataObject
) -> None:
    wire = [frame.TYPE, *frame.to_fields()]
    place = data.draw(st.integers(0, len(wire) - 1))
    wire[place] = data.draw(st.sampled_from([1.5, True, False, -1, 2**63, {}, "\x00", (), ((),)]))  # type: ignore[call-overload]
    decode = decode_client_frame if frame.TYPE in CLIENT_FRAMES else decode_server_frame
    try:
        found = decode(encodings(wire))
    except MalformedError:
        return
    # A text or a list may be replaced by a valid one; nothing else can be.
    assert wire[place] in ("\x00", ())
    assert found.encode() == encodings(wire)


HUGE = [
    pytest.param(b"\xdc\xff\xff" + b"\xc0" * 65535, id="one array that is too long"),
    pytest.param(
        b"\xdc\x04\x00" + (b"\xdc\x20\x00" + b"\xc0" * 8192) * 1024, id="8 million elements"
    ),
    pytest.param(
        b"\xdc\x01\x00" + (b"\xdc\x20\x00" + b"\x91\x01" * 8192) * 256, id="2 million small arrays"
    ),
    pytest.param(b"\x9f" * 8_000_000, id="nested 8 million times"),
    pytest.param(b"\x92\x10\xdd\xff\xff\xff\xff", id="array of 4 billion declared"),
    pytest.param(b"\x92\x10\xc6\xff\xff\xff\xff", id="4 GiB declared"),
]


@pytest.mark.clause("MPS82-7.1")
@pytest.mark.parametrize("data", HUGE)
@pytest.mark.parametrize("decode", [decode_client_frame, decode_server_frame])
def test_hostile_bytes_claim_little_memory(data: bytes, decode: Callable[[bytes], object]) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(MalformedError):
            decode(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 24 * 2**20


def test_the_worst_frame_of_an_unauthenticated_client_claims_less_than_4_mib() -> None:
    data = b"\x93" + (b"\xdc\x20\x00" + b"\x91\x01" * 8192) * 3
    tracemalloc.start()
    try:
        with pytest.raises(MalformedError):
            decode_client_frame(data, 65536)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 2**20


def test_packing_the_same_value_twice_gives_the_same_bytes() -> None:
    assert pack((1, b"a", "b", None, True)) == pack((1, b"a", "b", None, True))
