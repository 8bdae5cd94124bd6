"""One file, sealed: which keys, how long, and where each byte of it lies.

The content key comes of two secrets: the file key, which is in the message, and a share that the
relay makes for each upload and destroys with the blob. What is left of a blob after that, wherever
it is left, does not open any more. Chunks are those of ``e2ecore.crypto.chunked``. The file is
followed by zeros up to a length that says little about it.

Spec: protocol/spec/45-sealed-files.md
"""

from collections.abc import Callable
from typing import Final

from e2ecore.attachments.errors import (
    AttachmentChunkError,
    AttachmentKeyError,
    AttachmentPaddingError,
    AttachmentSizeError,
)
from e2ecore.crypto.chunked import (
    CHUNK_BYTES,
    HEADER_BYTES,
    SEALED_CHUNK_BYTES,
    ChunkCipher,
    sealed_size,
)
from e2ecore.crypto.errors import DecryptionError
from e2ecore.crypto.hkdf import expand, extract
from e2ecore.crypto.secret import Secret

MIN_PADDED_BYTES: Final = 1_024
"""What an empty file looks like from outside, and every file up to here."""
RUN_CHUNKS: Final = 16
"""Chunks that are sealed or opened at once: 256 KiB, which stays in a processor's cache."""
RUN_BYTES: Final = RUN_CHUNKS * CHUNK_BYTES
SEALED_RUN_BYTES: Final = RUN_CHUNKS * SEALED_CHUNK_BYTES
_LABEL: Final = b"e2ecore blob v1"


class FileKey(Secret):
    """32 random bytes, drawn anew for each upload; travels in the message."""


class RelayShare(Secret):
    """32 random bytes of the relay's; destroyed with the blob."""


class ContentKey(Secret):
    """What the chunks are sealed under. Never stored."""


def content_key(file_key: FileKey, share: RelayShare, blob_id: bytes) -> ContentKey:
    """Return the key of one blob. Spec: protocol/spec/45-sealed-files.md, [FIL-2]."""
    return ContentKey(expand(extract(share.raw, file_key.raw), _LABEL + blob_id, 32))


def padded_size(size: int) -> int:
    """Return the length to which a file is padded: Padmé, from 1 KiB on.

    At most 12 % more; the length tells O(log log n) bits. Spec: 45-sealed-files.md, [FIL-4].
    """
    size = max(size, MIN_PADDED_BYTES)
    exponent = size.bit_length() - 1
    mask = (1 << (exponent - exponent.bit_length())) - 1
    return (size + mask) & ~mask


def blob_size(size: int) -> int:
    """Return the length of the blob of a file of ``size`` bytes."""
    return sealed_size(padded_size(size))


class SealedFile:
    """A file as the relay gets it, made from any place on, always the same bytes.

    A repeated upload therefore never meets a key and nonce with other plaintext, as long as
    ``read`` always gives the same: it reads the engine's own copy, not the user's file.
    """

    def __init__(
        self, key: ContentKey, salt: bytes, size: int, read: Callable[[int, memoryview], object]
    ) -> None:
        """Make one.

        Args:
            key: Of this blob alone.
            salt: 24 random bytes, kept as long as the upload may be repeated.
            size: Bytes of the file.
            read: Fills memory with the file from a place on. It is asked for runs: from the
                beginning of a chunk, for whole chunks or all that is left.
        """
        self._cipher = ChunkCipher(key.raw, salt)
        self._file_size = size
        self._padded = padded_size(size)
        self._read = read
        self._plain = memoryview(bytearray(RUN_BYTES))
        self.size: Final = blob_size(size)
        """Bytes of the blob."""

    def run_at(self, offset: int) -> bytes:
        """Return some 256 KiB of the blob from a place on; none at its end."""
        run = bytearray(SEALED_RUN_BYTES)
        size = self.run_into(offset, memoryview(run))
        return bytes(memoryview(run)[:size])

    def run_into(self, offset: int, out: memoryview) -> int:
        """Write some 256 KiB of the blob, from a place on, and return how many bytes these are.

        Args:
            offset: Where in the blob; at its end, or behind it, nothing is written.
            out: Where to; has SEALED_RUN_BYTES at least. What it holds behind the run is void.
        """
        if offset >= self.size:
            return 0
        if offset < HEADER_BYTES:
            rest = self._cipher.header[offset:]
            out[: len(rest)] = rest
            return len(rest)
        first, skipped = divmod(offset - HEADER_BYTES, SEALED_CHUNK_BYTES)
        plain = self._run(first * CHUNK_BYTES)
        is_end = len(plain) < RUN_BYTES
        size = self._cipher.seal_into(first, plain, out, is_end=is_end)
        if skipped:
            out[: size - skipped] = out[skipped:size]
        return size - skipped

    def _run(self, begin: int) -> memoryview:
        """Return the padded file from a place on; less than a run only at its end."""
        plain = self._plain[: max(0, min(RUN_BYTES, self._padded - begin))]
        kept = max(0, min(len(plain), self._file_size - begin))
        if kept:
            self._read(begin, plain[:kept])
        if kept < len(plain):
            plain[kept:] = bytes(len(plain) - kept)
        return plain


class FileOpener:
    """Opens a blob run by run, in order or anywhere in it."""

    def __init__(self, key: ContentKey, header: bytes, size: int) -> None:
        """Check the header.

        Args:
            key: Of this blob.
            header: Its first 56 bytes.
            size: Bytes of the file, as the message says.

        Raises:
            AttachmentKeyError: Another blob, another share, another key, or a damaged header.
        """
        try:
            self._cipher = ChunkCipher.of_header(key.raw, header)
        except DecryptionError:
            raise AttachmentKeyError from None
        self._file_size = size
        self._padded = padded_size(size)
        self.chunks: Final = self._padded // CHUNK_BYTES + 1
        """Chunks of the blob; the last one is shorter."""

    def open(self, first: int, sealed: bytes | memoryview) -> bytes:
        """Return what whole chunks hold of the file. As ``open_into``."""
        opened = bytearray(len(sealed))
        size = self.open_into(first, memoryview(sealed), memoryview(opened))
        return bytes(memoryview(opened)[:size])

    def open_into(self, first: int, sealed: memoryview, out: memoryview) -> int:
        """Open whole chunks and return how many bytes of the file they hold.

        Args:
            first: Number of the first chunk, from 0 on.
            sealed: The chunks as they lie in the blob; at its end the short one as well.
            out: Where the plaintext goes, as long as ``sealed`` at least; zeros if it is refused.
                What it holds behind the file is void.

        Raises:
            AttachmentSizeError: It is not whole chunks, or goes beyond the blob.
            AttachmentChunkError: A chunk was changed or belongs elsewhere.
            AttachmentPaddingError: There is something behind the end of the file.
        """
        end = HEADER_BYTES + first * SEALED_CHUNK_BYTES + len(sealed)
        is_end = end == sealed_size(self._padded)
        if not 0 <= first < self.chunks or end > sealed_size(self._padded):
            raise AttachmentSizeError
        if not is_end and (not sealed or len(sealed) % SEALED_CHUNK_BYTES):
            raise AttachmentSizeError
        try:
            size = self._cipher.open_into(first, sealed, out, is_end=is_end)
        except DecryptionError:
            raise AttachmentChunkError from None
        kept = max(0, min(size, self._file_size - first * CHUNK_BYTES))
        if kept < size and bytes(out[kept:size]) != bytes(size - kept):
            out[:size] = bytes(size)
            raise AttachmentPaddingError
        return kept

    def range_of(self, first: int, count: int) -> tuple[int, int]:
        """Return where chunks lie in the blob: the first byte, and the one behind the last."""
        end = min(first + count, self.chunks)
        stop = sealed_size(self._padded)
        begin = HEADER_BYTES + first * SEALED_CHUNK_BYTES
        return begin, stop if end == self.chunks else HEADER_BYTES + end * SEALED_CHUNK_BYTES


def check_blob_size(size: int, found: int) -> None:
    """Refuse a blob whose length is not that of the sealed file.

    Args:
        size: Bytes of the file, as the message says.
        found: Bytes that the relay has.

    Raises:
        AttachmentSizeError: It is longer or shorter.
    """
    if found != blob_size(size):
        raise AttachmentSizeError
