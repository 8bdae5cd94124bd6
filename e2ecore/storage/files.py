"""Files that are either the old one or the new one, and one process per database."""

import errno
import fcntl
import os
from pathlib import Path

from e2ecore.storage.errors import DatabaseInUseError, DiskError, DiskFullError, ReadOnlyError

PRIVATE = 0o600
"""Only the owner may read or write."""


def mapped(error: OSError) -> DiskError | DiskFullError | ReadOnlyError:
    """Return the error of ours that says what the operating system said."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return DiskFullError(error.strerror or "")
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return ReadOnlyError(error.strerror or "")
        case _:
            return DiskError(error.strerror or "")


def write_all(handle: int, data: memoryview, offset: int) -> None:
    """Write all of something, from a place of a file on.

    Raises:
        OSError: The disk said no; part of it may be written.
    """
    while data:
        count = os.pwrite(handle, data, offset)
        data, offset = data[count:], offset + count


def keys_of(database: Path) -> Path:
    """Return the name of the key file of a database."""
    return database.with_name(database.name + ".keys")


def exists(path: Path) -> bool:
    """Answer whether there is something at this path.

    Raises:
        ReadOnlyError: A directory on the way may not be entered.
        DiskError: Anything else the operating system reports.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise mapped(error) from None
    return True


def sync_directory(path: Path) -> None:
    """Make renames and new names in a directory durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace(path: Path, content: bytes, *, wipe: bool = False) -> None:
    """Write a whole file so that a crash leaves the old content or the new one, durably.

    Args:
        path: The file.
        content: What it is to hold.
        wipe: Overwrite what the old file was made of, once the new one is durable.

    Raises:
        DiskFullError: No space.
        ReadOnlyError: Not permitted.
        DiskError: Anything else the operating system reports.
    """
    old = _opened(path) if wipe else -1
    try:
        _replace(path, content)
        if old >= 0:
            _overwrite(old)
    finally:
        if old >= 0:
            os.close(old)


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        return -1


def _overwrite(handle: int) -> None:
    """Write zeros over a file that has no name any more. Failing costs nothing that was stored."""
    try:
        status = os.fstat(handle)
        if status.st_nlink == 0:
            os.pwrite(handle, bytes(status.st_size), 0)
            os.fsync(handle)
    except OSError:
        return


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_name(path.name + ".new")
    try:
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, PRIVATE)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(handle)
        fresh.replace(path)
        sync_directory(path.parent)
    except OSError as error:
        raise mapped(error) from None


class DatabaseLock:
    """The right to use one database. The kernel takes it back when the process ends, however."""

    def __init__(self, database: Path) -> None:
        """Take the lock.

        Raises:
            DatabaseInUseError: Another process, or another part of this one, has it.
            ReadOnlyError: The directory may not be written.
        """
        path = database.with_name(database.name + ".lock")
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, PRIVATE)
        except OSError as error:
            raise mapped(error) from None
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._handle)
            raise DatabaseInUseError from None

    def release(self) -> None:
        """Let others have it. The lock file stays: removing it would let two holders exist."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
