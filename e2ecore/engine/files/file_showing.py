"""Rows of files as the app sees them."""

from typing import Final

from e2ecore.engine.files.file_values import Attachment, AttachmentState, Deletion, Files
from e2ecore.storage import attachments
from e2ecore.storage.attachments import AttachmentRow, FileState
from e2ecore.storage.tx import Tx
from e2ecore_protocol.codec import pack, unpack
from e2ecore_protocol.content.attachments import AttachmentForm, FileItem
from e2ecore_protocol.content.attachments import file_item as check_item
from e2ecore_protocol.frames.blobs import DeletionReason
from e2ecore_protocol.limits import KIB, MAX_PREVIEW_BYTES

_MAX_ITEM_BYTES: Final = MAX_PREVIEW_BYTES + 2 * KIB
_FORMS: Final = {int(form): form for form in AttachmentForm}
_STATES: Final = {
    FileState.WAITING: AttachmentState.WAITING,
    FileState.UPLOADED: AttachmentState.UPLOADED,
    FileState.REMOTE: AttachmentState.REMOTE,
    FileState.EXPIRED: AttachmentState.EXPIRED,
    FileState.FAILED: AttachmentState.FAILED,
}


def encode_item(item: FileItem) -> bytes:
    """Return a file as a row holds it."""
    return pack(tuple(item))


def decode_item(row: AttachmentRow) -> FileItem:
    """Return the file of a row."""
    return check_item(unpack(row.item, _MAX_ITEM_BYTES))


def deletion_of(row: AttachmentRow) -> Deletion | None:
    """Return the relay's receipt, if there is one."""
    return Deletion(DeletionReason(row.reason), row.deleted_ms) if row.receipt else None


def show_file(row: AttachmentRow, files: Files) -> Attachment:
    """Return one file as the app sees it."""
    item = decode_item(row)
    state = _STATES[FileState(row.state)]
    if row.cached and state in {AttachmentState.REMOTE, AttachmentState.EXPIRED}:
        state = AttachmentState.STORED
    return Attachment(
        row.aid,
        item.name,
        item.media_type,
        _FORMS.get(item.form, AttachmentForm.FILE),
        item.size,
        item.digest,
        item.width,
        item.height,
        item.duration_ms,
        item.waveform,
        item.preview,
        state,
        bool(row.cached),
        row.expires_ms or None,
        deletion_of(row),
        files,
    )


def files_of(tx: Tx, message: int, files: Files) -> tuple[Attachment, ...]:
    """Return the files of a message, in order."""
    return tuple([show_file(row, files) for row in attachments.of_message(tx, message)])
