"""Sealing and opening files: anywhere in them, and never anything but what was sealed."""

import hashlib
from collections.abc import Callable

import pytest
from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from hypothesis import given
from hypothesis import strategies as st

from e2ecore.attachments.errors import (
    AttachmentChunkError,
    AttachmentDamagedError,
    AttachmentKeyError,
    AttachmentPaddingError,
    AttachmentSizeError,
)
from e2ecore.attachments.format import (
    RUN_BYTES,
    SEALED_RUN_BYTES,
    ContentKey,
    FileKey,
    FileOpener,
    RelayShare,
    SealedFile,
    blob_size,
    check_blob_size,
    content_key,
    padded_size,
)
from e2ecore.crypto.chunked import (
    CHUNK_BYTES,
    HEADER_BYTES,
    SEALED_CHUNK_BYTES,
    ChunkCipher,
    sealed_size,
)
from e2ecore.crypto.errors import DecryptionError, KeyMaterialError

KEY, SALT = ContentKey(b"k" * 32), b"s" * 24
EDGES = (0, 1, 1023, 1024, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, RUN_BYTES, RUN_BYTES + 1)
sizes = st.sampled_from(EDGES) | st.integers(0, 3 * CHUNK_BYTES)


def contents(size: int) -> bytes:
    return (hashlib.sha256(b"file").digest() * (size // 32 + 1))[:size]


def reader(file: bytes) -> Callable[[int, memoryview], None]:
    """What a sealed file reads from."""

    def read(begin: int, out: memoryview) -> None:
        out[:] = file[begin : begin + len(out)]

    return read


def source(file: bytes, key: ContentKey = KEY) -> SealedFile:
    return SealedFile(key, SALT, len(file), reader(file))


def blob_of(file: bytes, key: ContentKey = KEY) -> bytes:
    sealed, found = source(file, key), b""
    while run := sealed.run_at(len(found)):
        found += run
    return found


def opened(blob: bytes, size: int, key: ContentKey = KEY) -> bytes:
    check_blob_size(size, len(blob))
    opener = FileOpener(key, blob[:HEADER_BYTES], size)
    runs = range(HEADER_BYTES, len(blob), SEALED_RUN_BYTES)
    return b"".join(
        opener.open((at - HEADER_BYTES) // SEALED_CHUNK_BYTES, blob[at : at + SEALED_RUN_BYTES])
        for at in runs
    )


@pytest.mark.parametrize("size", EDGES)
def test_a_file_of_any_size_survives(size: int) -> None:
    blob = blob_of(contents(size))
    assert len(blob) == blob_size(size) == source(contents(size)).size
    assert opened(blob, size) == contents(size)


@pytest.mark.parametrize("size", EDGES)
def test_the_library_that_has_the_same_opens_what_we_seal_and_we_what_it_seals(size: int) -> None:
    plain = contents(size)
    ours = ChunkCipher(KEY.raw, SALT, b"context")
    theirs = Cobblestone256Decryptor(KEY.raw, b"context")
    sealed = ours.header + ours.seal(0, plain, is_end=True)
    assert theirs.update(sealed) + theirs.finalize() == plain
    other = Cobblestone256Encryptor(KEY.raw, b"context")
    sealed = other.update(plain) + other.finalize()
    cipher = ChunkCipher.of_header(KEY.raw, sealed[:HEADER_BYTES], b"context")
    assert cipher.open(0, sealed[HEADER_BYTES:], is_end=True) == plain


@given(size=sizes, data=st.data())
def test_an_upload_goes_on_at_any_byte_with_the_same_bytes(size: int, data: st.DataObject) -> None:
    blob = blob_of(contents(size))
    at = data.draw(st.integers(0, len(blob)))
    run = source(contents(size)).run_at(at)
    assert blob[at : at + len(run)] == run
    assert bool(run) is (at < len(blob))


@given(size=sizes, data=st.data())
def test_memory_that_was_used_before_leaves_no_trace_in_a_blob(
    size: int, data: st.DataObject
) -> None:
    blob = blob_of(contents(size))
    sealed, out = source(contents(size)), memoryview(bytearray(b"?" * SEALED_RUN_BYTES))
    for at in data.draw(st.lists(st.integers(0, len(blob) + 1), min_size=2, max_size=4)):
        count = sealed.run_into(at, out)
        assert bytes(out[:count]) == blob[at : at + count]
        assert bool(count) is (at < len(blob))


@given(size=sizes, data=st.data())
def test_any_part_is_opened_with_one_range(size: int, data: st.DataObject) -> None:
    blob = blob_of(contents(size))
    opener = FileOpener(KEY, blob[:HEADER_BYTES], size)
    first = data.draw(st.integers(0, opener.chunks - 1))
    count = data.draw(st.integers(1, opener.chunks))
    found = opener.open(first, blob[slice(*opener.range_of(first, count))])
    begin = first * CHUNK_BYTES
    assert found == contents(size)[begin : begin + count * CHUNK_BYTES]


@given(size=sizes, data=st.data())
def test_a_flipped_bit_anywhere_never_yields_plaintext(size: int, data: st.DataObject) -> None:
    blob = bytearray(blob_of(contents(size)))
    blob[data.draw(st.integers(0, len(blob) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises((AttachmentChunkError, AttachmentKeyError)):
        opened(bytes(blob), size)


def test_one_flipped_bit_in_each_chunk_is_found_in_that_chunk() -> None:
    size = 2 * RUN_BYTES
    blob = blob_of(contents(size))
    opener = FileOpener(KEY, blob[:HEADER_BYTES], size)
    for number in range(opener.chunks):
        begin, end = opener.range_of(number, 1)
        for at in (begin, (begin + end) // 2, end - 1):
            changed = bytearray(blob[begin:end])
            changed[at - begin] ^= 0x80
            with pytest.raises(AttachmentChunkError):
                opener.open(number, bytes(changed))


@given(size=sizes, cut=st.integers(1, CHUNK_BYTES))
def test_a_longer_or_shorter_blob_is_refused_before_it_is_opened(size: int, cut: int) -> None:
    whole = blob_size(size)
    for wrong in (max(0, whole - cut), whole + cut):
        with pytest.raises(AttachmentSizeError):
            check_blob_size(size, wrong)


Change = Callable[[bytes], bytes]
ONE, TWO = HEADER_BYTES + SEALED_CHUNK_BYTES, HEADER_BYTES + 2 * SEALED_CHUNK_BYTES


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(
            lambda blob: blob[:HEADER_BYTES] + blob[ONE:], id="the first chunk is left out"
        ),
        pytest.param(
            lambda blob: blob[:HEADER_BYTES] + blob[ONE:TWO] + blob[HEADER_BYTES:ONE] + blob[TWO:],
            id="two are swapped",
        ),
        pytest.param(lambda blob: blob[:ONE] + blob[HEADER_BYTES:], id="one is doubled"),
        pytest.param(lambda blob: blob[:-1], id="a byte is cut off"),
        pytest.param(lambda blob: blob + b"\0", id="a byte is added"),
        pytest.param(lambda blob: blob[:TWO], id="it ends with a whole chunk"),
        pytest.param(
            lambda blob: blob[:HEADER_BYTES] + blob_of(contents(9), ContentKey(b"o" * 32))[56:],
            id="the chunks are of another file",
        ),
    ],
)
def test_what_was_changed_is_refused_by_the_chunks_as_well_as_by_the_length(
    change: Change,
) -> None:
    size = 2 * CHUNK_BYTES + 5
    blob = change(blob_of(contents(size)))
    with pytest.raises((AttachmentChunkError, AttachmentSizeError)):
        opened(blob, size)
    with pytest.raises(DecryptionError):
        ChunkCipher.of_header(KEY.raw, blob[:HEADER_BYTES]).open(
            0, blob[HEADER_BYTES:], is_end=True
        )


def test_both_secrets_and_the_blobs_id_are_needed() -> None:
    file_key, share, blob_id = FileKey(b"f" * 32), RelayShare(b"r" * 32), b"b" * 16
    blob = blob_of(b"hello", content_key(file_key, share, blob_id))
    others = (
        content_key(FileKey(b"g" * 32), share, blob_id),
        content_key(file_key, RelayShare(b"s" * 32), blob_id),
        content_key(file_key, share, b"c" * 16),
    )
    for key in others:
        with pytest.raises(AttachmentKeyError):
            FileOpener(key, blob[:HEADER_BYTES], 5)


def test_something_behind_the_end_is_refused() -> None:
    whole = b"hello".ljust(padded_size(5) - 1, b"\0") + b"!"
    blob = blob_of(whole)
    with pytest.raises(AttachmentPaddingError):
        FileOpener(KEY, blob[:HEADER_BYTES], 5).open(0, blob[HEADER_BYTES:])
    out = bytearray(b"?" * len(blob))
    with pytest.raises(AttachmentPaddingError):
        FileOpener(KEY, blob[:HEADER_BYTES], 5).open_into(
            0, memoryview(blob)[HEADER_BYTES:], memoryview(out)
        )
    assert not any(out[: len(whole)]), "nothing of it is left to be shown"


@given(st.integers(0, 4 << 30))
def test_padding_costs_little_and_hides_the_size_among_few(size: int) -> None:
    padded = padded_size(size)
    assert size <= padded <= max(1024, size + size // 8)
    assert padded_size(padded) == padded
    assert padded.bit_count() <= 6


def test_part_of_a_chunk_is_not_sealed_and_numbers_are_bounded() -> None:
    cipher = ChunkCipher(KEY.raw, SALT)
    with pytest.raises(KeyMaterialError):
        cipher.seal(0, b"part", is_end=False)
    with pytest.raises(KeyMaterialError):
        cipher.seal((1 << 38), b"", is_end=True)
    with pytest.raises(KeyMaterialError):
        cipher.seal(-1, b"", is_end=True)
    with pytest.raises(KeyMaterialError):
        ChunkCipher(KEY.raw, b"short")
    with pytest.raises(KeyMaterialError):
        ChunkCipher(b"short", SALT)
    with pytest.raises(DecryptionError):
        ChunkCipher.of_header(KEY.raw, b"short")


def test_a_refused_run_leaves_no_plaintext_in_the_callers_memory() -> None:
    cipher = ChunkCipher(KEY.raw, SALT)
    sealed = bytearray(cipher.seal(0, b"x" * 2 * CHUNK_BYTES, is_end=True))
    sealed[-1] ^= 1
    out = bytearray(b"?" * 2 * CHUNK_BYTES)
    with pytest.raises(DecryptionError):
        cipher.open_into(0, memoryview(sealed), memoryview(out), is_end=True)
    assert not any(out)


@pytest.mark.parametrize("first", [-1, 3])
def test_chunks_outside_of_the_file_are_refused(first: int) -> None:
    blob = blob_of(contents(2 * CHUNK_BYTES))
    opener = FileOpener(KEY, blob[:HEADER_BYTES], 2 * CHUNK_BYTES)
    with pytest.raises(AttachmentSizeError):
        opener.open(first, blob[HEADER_BYTES : HEADER_BYTES + SEALED_CHUNK_BYTES])
    with pytest.raises(AttachmentSizeError):
        opener.open(0, b"")


def test_every_refusal_is_one_that_an_app_can_catch_at_once() -> None:
    for kind in (AttachmentKeyError, AttachmentChunkError, AttachmentPaddingError):
        assert issubclass(kind, AttachmentDamagedError)
    assert sealed_size(0) == HEADER_BYTES + 16
