"""Zip archives from anywhere, read with suspicion.

The directory of an archive is bounded before it is read, its names are checked before anything is
opened, and what comes out of a file is counted: nothing is written to the disk, so a path can do no
harm, but an archive that has one is not what it claims to be.
"""

import errno
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from e2ecore.portability.errors import (
    ArchiveBombError,
    ExportDamagedError,
    UnknownImportFormatError,
    UnsafeArchiveError,
)

MAX_DIRECTORY_BYTES: Final = 8 << 20
"""Largest directory: some 80,000 files. Python keeps about 600 bytes for each."""
MAX_RATIO: Final = 200
"""Chats are packed to a fifth. Only files made to do harm are packed beyond two hundredths..."""
FREE_BYTES: Final = 16 << 20
"""... which small files full of the same line can reach as well, and do no harm."""
_END_BYTES: Final = 22
_LOCATOR_BYTES: Final = 20
_END_64_BYTES: Final = 56
_MAX_COMMENT_BYTES: Final = 65_535
_FULL_32: Final = 0xFFFFFFFF
_ENCRYPTED: Final = 1
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError)
_BROKEN_TOO: Final = (ValueError, IndexError, OverflowError, RuntimeError, UnicodeDecodeError)


@contextmanager
def _judged() -> Iterator[None]:
    """Turn what the library raises about a broken archive into our error."""
    try:
        yield
    except (*_BROKEN, *_BROKEN_TOO):
        raise ExportDamagedError from None
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        raise ExportDamagedError from None  # it names a place before the file's beginning


class Member:
    """One file of an archive, read from its start, counted."""

    def __init__(self, raw: IO[bytes], info: zipfile.ZipInfo) -> None:
        self._raw = raw
        self._limit = max(FREE_BYTES, info.compress_size * MAX_RATIO)
        self._left = info.file_size
        self.size = 0
        """Bytes read."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes; none at the end.

        Raises:
            ArchiveBombError: It grows beyond belief.
            ExportDamagedError: It is broken, or longer than the directory says.
        """
        with _judged():
            found = self._raw.read(size)
        self.size += len(found)
        if self.size > self._limit:
            raise ArchiveBombError
        if self.size > self._left:
            raise ExportDamagedError
        return found

    def close(self) -> None:
        """Close it."""
        self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Archive:
    """An open archive whose names are harmless and different."""

    def __init__(self, path: Path) -> None:
        """Open an archive and check its directory.

        Raises:
            UnknownImportFormatError: It is no zip archive.
            UnsafeArchiveError: A name leads outside, occurs twice, or is no plain file.
            ArchiveBombError: It says that it unpacks to far more than its size can hold.
            ExportDamagedError: Its directory is broken.
            OSError: The file cannot be read.
        """
        self._file = path.open("rb")
        try:
            _check_directory(self._file)
            with _judged():
                self._zip = zipfile.ZipFile(self._file)
            self._infos = _checked(self._zip.infolist())
        except BaseException:
            self._file.close()
            raise

    @property
    def names(self) -> list[str]:
        """The files, in the order of the directory."""
        return list(self._infos)

    def size(self, name: str) -> int:
        """Return how many bytes a file has unpacked, as the directory says."""
        return self._infos[name].file_size if name in self._infos else 0

    def open(self, name: str) -> Member:
        """Open one file.

        Raises:
            ExportDamagedError: It is not there, or broken.
        """
        info = self._infos.get(name)
        if info is None:
            raise ExportDamagedError
        with _judged():
            return Member(self._zip.open(info), info)

    def close(self) -> None:
        """Close it."""
        self._zip.close()
        self._file.close()


def _checked(infos: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        name = info.orig_filename
        if not _is_harmless(name) or name in found:
            raise UnsafeArchiveError
        mode = info.external_attr >> 16
        if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
            raise UnsafeArchiveError
        if info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS:
            raise UnsafeArchiveError
        if info.file_size > max(FREE_BYTES, info.compress_size * MAX_RATIO):
            raise ArchiveBombError
        found[name] = info
    return found


def _is_harmless(name: str) -> bool:
    """Is a name relative, without a way up, and the same on every system?"""
    if not name or name.startswith("/") or "\\" in name or "\0" in name:
        return False
    parts = name.rstrip("/").split("/")
    return not any(part in {"", ".", ".."} for part in parts) and ":" not in parts[0]


def _check_directory(file: IO[bytes]) -> None:
    if _directory_bytes(file) > MAX_DIRECTORY_BYTES:
        raise UnsafeArchiveError


def _directory_bytes(file: IO[bytes]) -> int:
    """Return the size of the directory as the end of the archive says it.

    Raises:
        UnknownImportFormatError: The file does not end like a zip archive.
    """
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - _END_BYTES - _MAX_COMMENT_BYTES)
    file.seek(start)
    tail = file.read(size - start)
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < _END_BYTES:
        raise UnknownImportFormatError
    found: int = struct.unpack_from("<L", tail, at + 12)[0]
    if found == _FULL_32:
        found = _directory_bytes_64(file, start + at)
    file.seek(0)
    return found


def _directory_bytes_64(file: IO[bytes], end: int) -> int:
    file.seek(max(0, end - _LOCATOR_BYTES - _END_64_BYTES))
    record = file.read(_END_64_BYTES)
    if len(record) < _END_64_BYTES or not record.startswith(b"PK\6\6"):
        raise UnsafeArchiveError
    found: int = struct.unpack_from("<Q", record, 40)[0]
    return found
