"""The bytes of blobs as files in a folder: one file for each, grown where it stands.

A file is named by its blob id, in a sub-folder by the first byte of it. How far an upload has come
is the length of its file, so that nothing has to be noted while bytes arrive, and nothing can
contradict the file after a crash. Whether a blob is complete is said in the database.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from e2ecore_protocol.limits import BLOB_ID_BYTES

_NAME_CHARS: Final = 2 * BLOB_ID_BYTES


class BlobFolder:
    """See blob_ports.BlobBytes. Calls block: they belong into threads."""

    def __init__(self, folder: Path) -> None:
        """Use a folder; make it if it is not there."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder

    def _path(self, blob_id: bytes) -> Path:
        name = blob_id.hex()
        return self._folder / name[:2] / name

    def size(self, blob_id: bytes) -> int:
        """See blob_ports.BlobBytes."""
        try:
            return self._path(blob_id).stat().st_size
        except FileNotFoundError:
            return 0

    def delete(self, blob_ids: Iterable[bytes]) -> set[bytes]:
        """See blob_ports.BlobBytes. The deletion is durable on return."""
        folders, stuck = defaultdict[Path, set[bytes]](set), set[bytes]()
        for blob_id in blob_ids:
            path = self._path(blob_id)
            folders[path.parent].add(blob_id)  # flushed also if it is gone: a crash may have come
            try:
                path.unlink(missing_ok=True)
            except OSError:
                stuck.add(blob_id)
        for folder, deleted in folders.items():
            try:
                _sync_folder(folder)
            except FileNotFoundError:
                continue
            except OSError:
                stuck |= deleted
        return stuck

    def names(self) -> Iterator[bytes]:
        """See blob_ports.BlobBytes. A file that is no blob is not named."""
        with os.scandir(self._folder) as folders:
            for folder in folders:
                if folder.is_dir():
                    yield from _names(folder.path)

    def free_bytes(self) -> int:
        """Return how much space the disk has left."""
        found = os.statvfs(self._folder)
        return found.f_bavail * found.f_frsize

    def open_to_append(self, blob_id: bytes) -> "GrowingFile":
        """Open the file of an upload; make it if it is the first time."""
        path = self._path(blob_id)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return GrowingFile(file, path.parent)

    def open_to_read(self, blob_id: bytes) -> int:
        """Open a file. Return its descriptor.

        Raises:
            FileNotFoundError: It is not there.
        """
        return os.open(self._path(blob_id), os.O_RDONLY | os.O_CLOEXEC)


class GrowingFile:
    """The file of one upload."""

    def __init__(self, file: int, folder: Path) -> None:
        """Own a descriptor."""
        self._file = file
        self._folder = folder
        self.length = os.fstat(file).st_size

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Write behind the end, all or nothing.

        Raises:
            OSError: The disk refuses; the file is as long as before.
        """
        with memoryview(data) as view:
            done = 0
            try:
                while done < len(view):
                    done += os.pwrite(self._file, view[done:], self.length + done)
            except OSError:
                os.ftruncate(self._file, self.length)
                raise
            self.length += done

    def another(self) -> int:
        """Return a further descriptor of the file, which the caller closes."""
        return os.dup(self._file)

    def sync(self) -> None:
        """Make all that was written, and the file's name, survive a loss of power."""
        os.fsync(self._file)
        _sync_folder(self._folder)

    def close(self) -> None:
        """Close."""
        os.close(self._file)


def _names(folder: str) -> Iterator[bytes]:
    with os.scandir(folder) as files:
        for file in files:
            if len(file.name) == _NAME_CHARS:
                with suppress(ValueError):
                    yield bytes.fromhex(file.name)


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
