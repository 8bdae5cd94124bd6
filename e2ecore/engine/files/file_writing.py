"""Writing a file out for its user: all of it or nothing, and never over something else.

Until all of it is on the disk it has no name, so a process that is killed in the middle leaves no
plaintext behind. File systems that know only files with names get a hidden one for that time, which
the next attempt removes.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from e2ecore.attachments.names import local_name
from e2ecore.engine.files.file_errors import BadTargetError, FileExistsHereError
from e2ecore.engine.files.file_showing import decode_item
from e2ecore.storage import files
from e2ecore.storage.attachments import AttachmentRow
from e2ecore.storage.file_cache import FileCache
from e2ecore_protocol.limits import MAX_FILE_NAME_BYTES

_MAX_NUMBERED: Final = 1_000
"""Names that are tried in a folder before giving up."""
_MAX_SUFFIX_BYTES: Final = 32
"""A longer one is no ending that says what a file is."""
_NAMELESS: Final = getattr(os, "O_TMPFILE", 0)
_OPEN_FILES: Final = Path("/proc/self/fd")
"""Where a file without a name is found to be given one."""
_NOT_HERE: Final = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP}
)
_NO_NAMELESS: Final = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL})


@contextmanager
def _mapped(target: Path) -> Iterator[None]:
    """Say in our words what the operating system says of a target."""
    if "\0" in str(target):
        raise BadTargetError("a character that no name has")
    try:
        yield
    except OSError as error:
        if error.errno in _NOT_HERE:
            raise BadTargetError(error.strerror or "") from None
        raise files.mapped(error) from None


def check_target(target: Path) -> None:
    """Refuse a target before anything is fetched for it.

    Raises:
        FileExistsHereError: It is there, and no folder.
        BadTargetError: It is nowhere a file can be.
        StorageError: The disk said no.
    """
    with _mapped(target):
        if _is_taken(target) and not target.is_dir():
            raise FileExistsHereError
        if not target.is_dir() and not target.parent.is_dir():
            raise BadTargetError("there is no such folder")


def write_out(cache: FileCache, row: AttachmentRow, target: Path) -> Path:
    """Write a stored file; return where. Runs in a thread of its own.

    Args:
        cache: Where it is stored.
        row: Which one.
        target: A file that is not there, or a folder.

    Raises:
        FileExistsHereError: It is there.
        BadTargetError: It is nowhere a file can be.
        CachedFileError: What is stored is damaged.
        StorageError: The disk said no.
    """
    with _mapped(target):
        if target.is_dir():
            return _write_into(cache, row, target)
        if not _write_new(cache, row, target):
            raise FileExistsHereError
        return target


def _is_taken(target: Path) -> bool:
    """Is there anything, be it a link that leads nowhere?"""
    try:
        target.lstat()
    except FileNotFoundError:
        return False
    return True


def _write_into(cache: FileCache, row: AttachmentRow, folder: Path) -> Path:
    name = Path(local_name(decode_item(row).name))
    for number in range(1, _MAX_NUMBERED):
        target = folder / _numbered(name, number)
        if not _is_taken(target) and _write_new(cache, row, target):
            return target
    raise FileExistsHereError


def _numbered(name: Path, number: int) -> str:
    """Return a name with a number, in as many bytes as a name may have; its ending stays."""
    tail = f" ({number})" if number > 1 else ""
    suffix = name.suffix if len(name.suffix.encode()) <= _MAX_SUFFIX_BYTES else ""
    room = MAX_FILE_NAME_BYTES - len((tail + suffix).encode())
    stem = name.name.removesuffix(suffix).encode()[:room].decode(errors="ignore")
    return stem + tail + suffix


def _write_new(cache: FileCache, row: AttachmentRow, target: Path) -> bool:
    """Write a file that must not exist; return false if it does now."""
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        handle = _without_name(folder)
        is_new = (
            _write_with_name(cache, row, target, folder)
            if handle is None
            else _write_nameless(cache, row, handle, (folder, target.name))
        )
        os.fsync(folder)
        return is_new
    finally:
        os.close(folder)


def _without_name(folder: int) -> int | None:
    """Open a new file that has no name; None: not on this file system."""
    if not _NAMELESS or not _OPEN_FILES.is_dir():
        return None
    try:
        return os.open(".", os.O_WRONLY | _NAMELESS | os.O_CLOEXEC, files.PRIVATE, dir_fd=folder)
    except OSError as error:
        if error.errno in _NO_NAMELESS:
            return None
        raise


def _write_nameless(
    cache: FileCache, row: AttachmentRow, handle: int, place: tuple[int, str]
) -> bool:
    folder, name = place
    try:
        _copy_out(cache, row, handle)
        # Only with a folder's descriptor does this follow the link to the file itself.
        os.link(_OPEN_FILES / f"{handle}", name, dst_dir_fd=folder, follow_symlinks=True)
    except FileExistsError:
        return False
    finally:
        os.close(handle)
    return True


def _write_with_name(cache: FileCache, row: AttachmentRow, target: Path, folder: int) -> bool:
    part = f".{row.blob_id.hex()}.part"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with suppress(FileNotFoundError):
        os.unlink(part, dir_fd=folder)
    handle = os.open(part, flags, files.PRIVATE, dir_fd=folder)
    try:
        try:
            _copy_out(cache, row, handle)
        finally:
            os.close(handle)
        return _rename_new(target.with_name(part), target)
    finally:
        with suppress(OSError):
            os.unlink(part, dir_fd=folder)


def _rename_new(part: Path, target: Path) -> bool:
    try:
        os.link(part, target)
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        if _is_taken(target):
            return False
        part.rename(target)
    return True


def _copy_out(cache: FileCache, row: AttachmentRow, handle: int) -> None:
    with cache.open(row.aid, row.cache_key, row.size) as local:
        local.copy_to(handle)
    os.fsync(handle)
