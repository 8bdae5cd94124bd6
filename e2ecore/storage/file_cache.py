"""Local copies of attachments: a folder of encrypted files beside the database.

Each file is sealed under a random key of its own, which is in its row and nowhere else; deleting
the row makes noise of the file, wherever the disk still has it. Names say nothing: they are row
numbers. Files without a row are left over from a crash, and removed.

Chunks are sealed one by one, so a file can be written on after a break and read from anywhere.
"""

import os
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from e2ecore.crypto.chunked import (
    CHUNK_BYTES,
    KEY_BYTES,
    SALT_BYTES,
    SEALED_CHUNK_BYTES,
    TAG_BYTES,
    ChunkCipher,
)
from e2ecore.crypto.errors import DecryptionError
from e2ecore.storage import files
from e2ecore.storage.errors import CorruptDatabaseError

RUN_CHUNKS: Final = 16
"""Chunks that are read or written at once: 256 KiB."""
RUN_BYTES: Final = RUN_CHUNKS * CHUNK_BYTES
KEY_SIZE: Final = KEY_BYTES
_CONTEXT: Final = b"e2ecore local file v1"
_NO_SALT: Final = bytes(SALT_BYTES)
"""A key seals one file, so there is nothing to tell apart."""
_DIRECTORY_MODE: Final = 0o700
_COPY: Final = "copy-"


class CachedFileError(CorruptDatabaseError):
    """A local copy of an attachment is damaged or gone. Fetch it again, if it is still there."""


def folder_of(database: Path) -> Path:
    """Return the folder of a database's local files."""
    return database.with_name(database.name + ".files")


class LocalFile:
    """One local copy, open."""

    def __init__(self, path: Path, key: bytes, size: int, *, writing: bool) -> None:
        """Open it.

        Args:
            path: As ``FileCache.path``.
            key: 32 bytes, of this file alone.
            size: Bytes of the content when it is whole.
            writing: Make it if there is none, and write to it.

        Raises:
            CachedFileError: There is none to read.
            StorageError: The disk said no.
        """
        self._cipher = ChunkCipher(key, _NO_SALT, _CONTEXT)
        self._size = size
        self._sealed = memoryview(bytearray(RUN_CHUNKS * SEALED_CHUNK_BYTES + TAG_BYTES))
        flags = os.O_RDWR | os.O_CREAT if writing else os.O_RDONLY
        try:
            self._handle = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, files.PRIVATE)
        except FileNotFoundError:
            raise CachedFileError from None
        except OSError as error:
            raise files.mapped(error) from None

    def written(self) -> int:
        """Return how many whole chunks there are, not checked."""
        return os.fstat(self._handle).st_size // SEALED_CHUNK_BYTES

    def write(self, first: int, plain: bytes | memoryview) -> None:
        """Write chunks.

        Args:
            first: Number of the first chunk, from 0 on.
            plain: Whole chunks, or all that is left of the content; a run at most.

        Raises:
            StorageError: The disk said no.
        """
        is_end = first * CHUNK_BYTES + len(plain) == self._size
        size = self._cipher.seal_into(first, memoryview(plain), self._sealed, is_end=is_end)
        try:
            files.write_all(self._handle, self._sealed[:size], first * SEALED_CHUNK_BYTES)
        except OSError as error:
            raise files.mapped(error) from None

    def read(self, offset: int, size: int) -> bytes:
        """Return part of the content; less at its end.

        Raises:
            CachedFileError: It is damaged or not whole.
            StorageError: The disk said no.
        """
        found = bytearray(max(0, min(size, self._size - offset)))
        self.read_into(offset, memoryview(found))
        return bytes(found)

    def read_into(self, offset: int, out: memoryview) -> int:
        """Fill memory with the content from a place on; return how much, less only at its end.

        Raises:
            CachedFileError: It is damaged or not whole.
            StorageError: The disk said no.
        """
        wanted = max(0, min(len(out), self._size - offset))
        done = 0
        while done < wanted:
            done += self._open_into(offset + done, out[done:wanted])
        return done

    def _open_into(self, offset: int, out: memoryview) -> int:
        """Open what one run has of a part that ends within the content, and is not empty."""
        first, skipped = divmod(offset, CHUNK_BYTES)
        stop = min(offset + len(out), (first + RUN_CHUNKS) * CHUNK_BYTES)
        last = self._size // CHUNK_BYTES
        end = min(-(-stop // CHUNK_BYTES), last + 1)
        is_end = end > last
        rest = self._size % CHUNK_BYTES + TAG_BYTES
        sealed = self._sealed[: (end - first - is_end) * SEALED_CHUNK_BYTES + is_end * rest]
        size = len(sealed) - (end - first) * TAG_BYTES
        is_whole = not skipped and size == stop - offset
        plain = out[:size] if is_whole else memoryview(bytearray(size))
        try:
            if os.preadv(self._handle, [sealed], first * SEALED_CHUNK_BYTES) < len(sealed):
                raise CachedFileError
            self._cipher.open_into(first, sealed, plain, is_end=is_end)
        except DecryptionError:
            raise CachedFileError from None
        except OSError as error:
            raise files.mapped(error) from None
        if not is_whole:
            out[: stop - offset] = plain[skipped : skipped + stop - offset]
        return stop - offset

    def copy_to(self, handle: int) -> None:
        """Write all of the content to an open file, some 256 KiB at a time.

        Raises:
            CachedFileError: It is damaged or not whole.
            OSError: The disk said no.
        """
        run = memoryview(bytearray(RUN_BYTES))
        for at in range(0, self._size, RUN_BYTES):
            files.write_all(handle, run[: self.read_into(at, run)], at)

    def sync(self) -> None:
        """Make it durable.

        Raises:
            StorageError: The disk said no.
        """
        try:
            os.fsync(self._handle)
        except OSError as error:
            raise files.mapped(error) from None

    def close(self) -> None:
        """Close it."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FileCache:
    """The folder of one database's local files."""

    def __init__(self, database: Path) -> None:
        self.folder: Final = folder_of(database)
        self._is_safe = False

    def path(self, aid: int) -> Path:
        """Return where a file's local copy is."""
        return self.folder / f"{aid}"

    def copy_path(self, name: bytes) -> Path:
        """Return where a copy is made that has no row yet."""
        self._make_folder()
        return self.folder / f"{_COPY}{name.hex()}"

    def adopt(self, copies: Iterable[tuple[Path, int]]) -> None:
        """Give copies the names of their rows, durably. If the rows do not come, they are swept.

        Args:
            copies: Where each copy is, and the number of its row.

        Raises:
            StorageError: The disk said no.
        """
        is_any = False
        try:
            for copy, aid in copies:
                copy.replace(self.path(aid))
                is_any = True
        except OSError as error:
            raise files.mapped(error) from None
        if is_any:
            self.sync_names()

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(mode=_DIRECTORY_MODE, exist_ok=True)
            if not self._is_safe:  # a copy is only as safe as the name of its folder
                files.sync_directory(self.folder.parent)
                self._is_safe = True
        except OSError as error:
            raise files.mapped(error) from None

    def open(self, aid: int, key: bytes, size: int, *, writing: bool = False) -> LocalFile:
        """Open a local copy; see ``LocalFile``."""
        if writing:
            self._make_folder()
        return LocalFile(self.path(aid), key, size, writing=writing)

    def has(self, aid: int) -> bool:
        """Is there a local copy, or part of one?"""
        return self.path(aid).is_file()

    def remove(self, aid: int) -> None:
        """Remove a local copy, if there is one. Without its key it is noise: failing is no harm."""
        with suppress(OSError):
            self.path(aid).unlink()

    def names(self) -> list[str]:
        """Return the names of all copies that there are, with or without a row."""
        with suppress(OSError):
            return [one.name for one in self.folder.iterdir()]
        return []

    def sweep(
        self, names: Iterable[str], kept: Collection[int], is_copying: Callable[[], bool] = bool
    ) -> int:
        """Remove what belongs to no row any more; return how many files that were.

        Args:
            names: The copies that there were before ``kept`` was read: a file that is fetched has
                its row before it is there.
            kept: Rows that have a local copy.
            is_copying: Are copies being made? They have no row yet: none of them goes.
        """
        found, count = {f"{aid}" for aid in kept}, 0
        for name in names:
            if name not in found and not (name.startswith(_COPY) and is_copying()):
                with suppress(OSError):  # what cannot be removed now is noise, and is tried again
                    (self.folder / name).unlink()
                    count += 1
        return count

    def sync_names(self) -> None:
        """Make new names durable."""
        try:
            files.sync_directory(self.folder)
        except OSError as error:
            raise files.mapped(error) from None
