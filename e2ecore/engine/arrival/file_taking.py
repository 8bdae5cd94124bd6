"""What others say of files: messages with files, requests for them, and where they are now."""

from typing import cast

from e2ecore.engine.files.file_showing import decode_item, encode_item
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.telling.file_events import AttachmentAsked, AttachmentOffered
from e2ecore.ids import AccountId, GroupId, MessageId
from e2ecore.storage import attachments, message_names, messages
from e2ecore.storage.attachments import AttachmentRow, FileState
from e2ecore.storage.messages import ORDER_BITS
from e2ecore_protocol.content.attachments import AttachmentAgain, AttachmentRequest, Attachments
from e2ecore_protocol.content.messages import AnyContent


def take_files(job: Job, message: int, content: Attachments) -> None:
    """Store the files of a message that was just stored. Nothing is fetched."""
    for place, item in enumerate(content.files):
        attachments.add(
            job.tx,
            AttachmentRow(
                0, message, place, 0, item.blob_id, encode_item(item), item.size, FileState.REMOTE
            ),
        )


def take_request(job: Job, mirror: Mirror, account_id: bytes, content: AnyContent) -> None:
    """Somebody asks for a file of ours, or an own device asks for any; the user decides.

    Devices that have no copy stay silent, but for the one that sent it.
    """
    wish = cast("AttachmentRequest", content)
    if job.own.account_id not in {wish.author, account_id}:
        return
    message = message_names.find(job.tx, mirror.cid, wish.message_id, wish.author)
    row = attachments.of_blob(job.tx, wish.blob_id)
    if message is None or row is None or row.message != message.id:
        return
    if row.cached or row.state == FileState.UPLOADED:
        names = GroupId(mirror.uid), MessageId(message.uid)
        job.effects.events.append(AttachmentAsked(*names, row.aid, AccountId(account_id)))


def take_again(job: Job, mirror: Mirror, account_id: bytes, content: AnyContent) -> None:
    """The author of a message, or another own device, says where one of its files is now.

    Who has the file tells the relay that it wants no other copy of it; but only if an own device
    has made that one. Anybody else could name a blob that somebody's next message needs.
    """
    said = cast("AttachmentAgain", content)
    if attachments.of_blob(job.tx, said.blob_id) is not None:
        return
    row = attachments.of_blob(job.tx, said.before)
    message = None if row is None else messages.get(job.tx, row.message)
    if (
        row is None
        or message is None
        or (message.uid, message.id >> ORDER_BITS) != (said.message_id, mirror.cid)
        or account_id not in {message.account_id, job.own.account_id}
    ):
        return
    if row.cached:
        if account_id == job.own.account_id:
            attachments.wave_off(job.tx, said.blob_id)
        return
    item = decode_item(row)._replace(blob_id=said.blob_id, file_key=said.file_key)
    # A new key for the local copy: what was begun may have been of another blob.
    fresh = AttachmentRow(
        row.aid, row.message, row.place, 0, item.blob_id, encode_item(item), item.size,
        FileState.REMOTE,
    )  # fmt: skip
    attachments.save(job.tx, fresh)
    names = GroupId(mirror.uid), MessageId(message.uid)
    job.effects.events.append(AttachmentOffered(*names, row.aid))
