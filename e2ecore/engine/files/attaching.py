"""From a file of the user's to the engine's own copy, from which everything else is made.

The copy is read once, encrypted under a key of its own, and durable before a call returns. So the
user may change or delete the file at once, and an upload that is repeated after a crash sends the
same bytes.
"""

import hashlib
import io
import mimetypes
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from e2ecore.attachments.errors import (
    AttachmentTooLargeError,
    FileChangedError,
    UnknownPictureError,
)
from e2ecore.attachments.metadata import is_picture, picture_type, stripped
from e2ecore.attachments.names import sendable_name
from e2ecore.attachments.previews import Preview, preview_of
from e2ecore.crypto.rng import Rng
from e2ecore.engine.files.file_errors import BadFileError
from e2ecore.engine.files.file_showing import decode_item
from e2ecore.engine.files.file_values import OutgoingFile
from e2ecore.engine.files.reading import Reading
from e2ecore.storage.attachments import AttachmentRow
from e2ecore.storage.file_cache import (
    KEY_SIZE,
    RUN_BYTES,
    RUN_CHUNKS,
    CachedFileError,
    FileCache,
    LocalFile,
)
from e2ecore_protocol.content.attachments import AttachmentForm, Attachments, FileItem
from e2ecore_protocol.content.messages import decode_content
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import (
    BLOB_ID_BYTES,
    FILE_KEY_BYTES,
    MAX_ATTACHMENT_BYTES,
    MESSAGE_ID_BYTES,
)

MAX_PICTURE_BYTES: Final = 64 << 20
"""Largest picture that is looked into: all of it is in memory meanwhile."""
_DEFAULT_TYPE: Final = "application/octet-stream"
_FORMS: Final = {
    "image": AttachmentForm.IMAGE,
    "video": AttachmentForm.VIDEO,
    "audio": AttachmentForm.AUDIO,
}
_STILL: Final = frozenset({AttachmentForm.FILE, AttachmentForm.IMAGE})


@dataclass(frozen=True, slots=True)
class Copied:
    """A file that has an own copy."""

    item: FileItem
    cache_key: bytes
    path: Path
    """Where it is until it has a row."""


@dataclass(frozen=True, slots=True)
class _Opened:
    file: BinaryIO
    name: str
    size: int | None
    """None: not known before it is read."""
    check: Callable[[], None]
    """Refuses the file if it was changed meanwhile."""


def copy_file(
    cache: FileCache, wanted: OutgoingFile, rng: Rng, reading: Reading | None = None
) -> Copied:
    """Make the engine's own copy of a file. Runs in a thread of its own.

    Args:
        cache: Where the copy goes.
        wanted: The file and what is said of it.
        rng: Where keys come from.
        reading: Stops it and lets it go on.

    Raises:
        UploadCancelledError: It was given up.
        FileChangedError: It grew, shrank or was written to while it was read.
        AttachmentTooLargeError: It is larger than 4 GiB.
        BadFileError: It cannot be read, or what is said of it does not fit.
        BadAttachmentNameError: Its name cannot be sent.
        UnknownPictureError: Metadata cannot be taken out of it.
        StorageError: The disk said no.
    """
    step = _no_step if reading is None else reading.step
    with _copy(cache, rng) as (key, path):
        return Copied(_copied(path, key, wanted, rng, step), key, path)


def copy_stored(
    cache: FileCache, row: AttachmentRow, rng: Rng, reading: Reading | None = None
) -> Copied:
    """Make another copy of a file that is here, for another message. As ``copy_file``.

    Nothing but what the file is goes along: its keys and its blob are its own.

    Raises:
        CachedFileError: What is here is damaged.
        UploadCancelledError: It was given up.
        StorageError: The disk said no.
    """
    item = decode_item(row)
    step = _no_step if reading is None else reading.step
    with _copy(cache, rng) as (key, path), cache.open(row.aid, row.cache_key, row.size) as local:
        source = _Opened(io.BytesIO(), item.name, row.size, _no_step)
        pieces = (local.read(at, RUN_BYTES) for at in range(0, row.size, RUN_BYTES))
        digest, size = _write(path, key, pieces, source, step)
        if (digest, size) != (item.digest, item.size):
            raise CachedFileError
    fresh = item._replace(blob_id=rng(BLOB_ID_BYTES), file_key=rng(FILE_KEY_BYTES))
    return Copied(fresh, key, path)


def _no_step() -> None:
    """Nobody stops it."""


@contextmanager
def _copy(cache: FileCache, rng: Rng) -> Iterator[tuple[bytes, Path]]:
    """Give a copy key and place; it is durable afterwards, or gone."""
    key, path = rng(KEY_SIZE), cache.copy_path(rng(16))
    try:
        yield key, path
        cache.sync_names()
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _copied(
    path: Path, key: bytes, wanted: OutgoingFile, rng: Rng, step: Callable[[], None]
) -> FileItem:
    """Write the copy and return what names the file in a message."""
    with _opened(wanted) as source:
        name = sendable_name(wanted.name or source.name)
        start = _read(source.file, RUN_BYTES)
        kind = (wanted.media_type or _guessed(name, start)).lower()
        form = _FORMS.get(kind.partition("/")[0], AttachmentForm.FILE)
        form = form if wanted.form is None else wanted.form
        duration_ms = 0 if form in _STILL else wanted.duration_ms
        fields = name, kind, int(form), 0, 0, duration_ms, wanted.waveform
        _check_item(FileItem(bytes(BLOB_ID_BYTES), bytes(FILE_KEY_BYTES), 0, bytes(32), *fields))
        picture = _picture(source, start, wanted, form)
        runs = _runs(source, start) if picture is None else _pieces(picture, wanted)
        digest, size = _write(path, key, runs, source, step)
    preview = Preview(b"", 0, 0)
    if picture is not None:
        preview = preview_of(picture) or preview
    return FileItem(
        rng(BLOB_ID_BYTES), rng(FILE_KEY_BYTES), size, digest, name, kind, int(form),
        preview.width, preview.height, duration_ms, wanted.waveform, preview.jpeg,
    )  # fmt: skip


def _guessed(name: str, start: bytes) -> str:
    """Return a media type: by the name, but a picture is one under any name.

    Else it would leave with all that its camera wrote, for want of an ending that is known here.
    """
    by_name = mimetypes.guess_type(name)[0] or _DEFAULT_TYPE
    is_said = by_name.startswith("image/")
    return by_name if is_said else picture_type(start) or by_name


def _check_item(item: FileItem) -> None:
    """Refuse what no reader would take, before anything is copied."""
    try:
        decode_content(Attachments(bytes(MESSAGE_ID_BYTES), 0, "", (item,)).encode())
    except (MalformedError, OverflowError):
        raise BadFileError("its type, duration or waveform is none") from None


@contextmanager
def _opened(wanted: OutgoingFile) -> Iterator[_Opened]:
    source = wanted.source
    if not isinstance(source, str | os.PathLike):
        yield _Opened(source, wanted.name or "", None, lambda: None)
        return
    path = Path(source)
    try:
        # A pipe would wait for a writer, a device might never end.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise BadFileError(error.strerror or "cannot be read") from None
    except ValueError:
        raise BadFileError("a character that no path has") from None
    before = os.fstat(handle)
    if not stat.S_ISREG(before.st_mode):
        os.close(handle)
        raise BadFileError("not a file")
    with os.fdopen(handle, "rb") as file:
        if before.st_size > MAX_ATTACHMENT_BYTES:
            raise AttachmentTooLargeError

        def check() -> None:
            after = os.fstat(handle)
            if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
                raise FileChangedError

        yield _Opened(file, path.name, before.st_size, check)


def _picture(
    source: _Opened, start: bytes, wanted: OutgoingFile, form: AttachmentForm
) -> bytes | None:
    """Return all of a picture that is looked into; None: it is sent as it is.

    Raises:
        UnknownPictureError: It cannot be looked into, and nobody said to send it all the same.
    """
    if form is not AttachmentForm.IMAGE:
        return None
    known = is_picture(start)
    fits = source.size is not None and source.size <= MAX_PICTURE_BYTES
    if wanted.keep_metadata and not (known and fits):
        return None
    picture = start + _read(source.file, MAX_PICTURE_BYTES + 1 - len(start))
    if not known or len(picture) > MAX_PICTURE_BYTES:
        raise UnknownPictureError
    return picture


def _pieces(picture: bytes, wanted: OutgoingFile) -> Iterator[bytes]:
    clean = picture if wanted.keep_metadata else stripped(picture)
    for at in range(0, len(clean), RUN_BYTES):
        yield clean[at : at + RUN_BYTES]


def _runs(source: _Opened, start: bytes) -> Iterator[bytes]:
    run = start
    while len(run) == RUN_BYTES:
        yield run
        run = _read(source.file, RUN_BYTES)
    if run:
        yield run  # the end; if the file grows from here on it is refused


def _read(file: BinaryIO, size: int) -> bytes:
    """Return so many bytes, fewer only at the end of the file."""
    found = bytearray()
    while len(found) < size and (more := _more(file, size - len(found))):
        found += more
    return bytes(found)


def _more(file: BinaryIO, most: int) -> bytes:
    """Read once; what is open may be anything that has this method.

    Raises:
        BadFileError: It fails, has nothing for now, or gives what is no answer.
    """
    try:
        more: object = file.read(most)
    except OSError as error:
        raise BadFileError(error.strerror or "cannot be read") from None
    except ValueError:
        raise BadFileError("it is closed, or not open for reading") from None
    if more is None:  # a stream that does not wait: this is not its end
        raise BadFileError("it has no more for now, and has not ended")
    if not isinstance(more, bytes | bytearray) or len(more) > most:
        raise BadFileError("it is not open for reading bytes")
    return bytes(more)


def _write(
    path: Path,
    key: bytes,
    runs: Iterator[bytes],
    source: _Opened,
    step: Callable[[], None],
) -> tuple[bytes, int]:
    """Write the copy; return digest and size."""
    digest, size, waiting = hashlib.sha256(), 0, b""
    with LocalFile(path, key, MAX_ATTACHMENT_BYTES + 1, writing=True) as local:
        for run in runs:
            step()
            if waiting:
                local.write(size // RUN_BYTES * RUN_CHUNKS - RUN_CHUNKS, waiting)
            digest.update(run)
            size, waiting = size + len(run), run
            if size > MAX_ATTACHMENT_BYTES:
                raise AttachmentTooLargeError
        source.check()
    with LocalFile(path, key, size, writing=True) as local:  # now its end is known
        local.write((size - len(waiting)) // RUN_BYTES * RUN_CHUNKS, waiting)
        local.sync()
    return digest.digest(), size
