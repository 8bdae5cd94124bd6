"""The end of a database: first its keys, at once and as a whole, then its files.

The key file is replaced by a mark that says "erased": that is the moment after which nothing opens
the database again, and the only one that counts. What the old key file was made of is overwritten,
then the files go, the mark last. A crash leaves either a database that opens as before, or a mark;
who meets a mark goes on from there (``finish``).

What a drive keeps of blocks that were overwritten is beyond a program's reach. It is ciphertext,
and its key was sealed under the passphrase.
"""

import glob
import os
import shutil
from pathlib import Path
from typing import Final

from e2ecore.storage import files
from e2ecore.storage.file_cache import folder_of

MARK: Final = b"e2ecore: this database was erased\n"
_FILES: Final = tuple(
    name + suffix for name in ("", ".new", ".repair") for suffix in ("", "-wal", "-shm", "-journal")
)


def is_marked(path: Path) -> bool:
    """Answer whether the erasure of this database has begun, and so cannot be taken back."""
    try:
        with _keys(path).open("rb") as file:
            return file.read(len(MARK) + 1) == MARK
    except FileNotFoundError:
        return False
    except OSError as error:
        raise files.mapped(error) from None


def destroy(path: Path) -> None:
    """Destroy a closed database for good; the caller holds its lock.

    Raises:
        ReadOnlyError: Not permitted. Nothing changed, unless ``is_marked`` says so.
        DiskError: Anything else the operating system reports. The same.
    """
    keys = _keys(path)
    try:
        old = os.open(keys, os.O_RDWR | os.O_NOFOLLOW)
        try:
            files.replace(keys, MARK)
            size = os.fstat(old).st_size
            os.pwrite(old, bytes(size), 0)
            os.fsync(old)
        finally:
            os.close(old)
    except OSError as error:
        raise files.mapped(error) from None
    finish(path)


def finish(path: Path) -> None:
    """Remove the files of a database whose erasure has begun, the mark last.

    Raises:
        ReadOnlyError: Not permitted; it can be tried again.
        DiskError: Anything else the operating system reports.
    """
    keys = _keys(path)
    try:
        for suffix in _FILES:
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        shutil.rmtree(folder_of(path), ignore_errors=True)
        for one in path.parent.glob(glob.escape(path.name) + ".damaged-*"):
            one.unlink(missing_ok=True)
        keys.with_name(keys.name + ".new").unlink(missing_ok=True)
        files.sync_directory(path.parent)
        keys.unlink()
        files.sync_directory(path.parent)
    except OSError as error:
        raise files.mapped(error) from None


def _keys(path: Path) -> Path:
    return path.with_name(path.name + ".keys")
