"""What the relay promises of files and what it signs when they are gone: checked, kept, missed.

A receipt proves what the relay said, not what it did. A relay that keeps what it says to have
destroyed has lied, and it has signed that.
"""

from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from e2ecore.crypto.errors import SignatureError
from e2ecore.crypto.signing import ED25519
from e2ecore.engine.errors import EngineClosedError
from e2ecore.engine.files.file_errors import (
    AttachmentGoneError,
    AttachmentNotHereError,
    PromiseInvalidError,
    ReceiptKeyChangedError,
)
from e2ecore.engine.files.file_showing import deletion_of
from e2ecore.engine.files.file_values import Deletion, FileStatus
from e2ecore.engine.running.job import Job
from e2ecore.engine.telling.file_events import BlobDeleted, DeletionReceiptLate
from e2ecore.errors import TransientError
from e2ecore.ids import GroupId, MessageId
from e2ecore.storage import attachments, conversations, messages, settings
from e2ecore.storage.attachments import AttachmentRow, FileState, Owed
from e2ecore.storage.messages import ORDER_BITS
from e2ecore.storage.tx import Tx
from e2ecore.transport.errors import RelayRefusedError
from e2ecore_protocol.frames.blobs import (
    AcknowledgeBlob,
    BlobCreated,
    BlobGranted,
    BlobStates,
    DeletionReason,
    DeletionReceipt,
    QueryBlobs,
    RecallBlob,
    acknowledgement_message,
    promise_message,
    receipt_message,
)
from e2ecore_protocol.frames.session import Ok
from e2ecore_protocol.limits import BLOB_LATE_S, MAX_BLOBS_PER_FRAME, SECOND_MS

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

LOOK_S: Final = 600.0
"""How often receipts that are due are looked for."""
AGAIN_S: Final = 5.0
"""How long to wait when the relay says no for now."""
_KEY: Final = "receipt_key "


async def check_promise(
    core: "Core", blob_id: bytes, size: int, answer: BlobCreated | BlobGranted
) -> None:
    """Check a promise, and that the relay signs with the key that it always had.

    Raises:
        ReceiptKeyChangedError: It is another one.
        PromiseInvalidError: It does not fit.
    """
    signed = promise_message(core.server_name, blob_id, size, answer.expires_ms)
    known = core.read(lambda tx: settings.get(tx, _KEY + core.server_name))
    if known is not None and known != answer.receipt_key:
        raise ReceiptKeyChangedError
    try:
        ED25519.verify(answer.receipt_key, signed, answer.promise)
    except SignatureError:
        raise PromiseInvalidError from None
    if known is None:
        await core.jobs.run(lambda job: pin_key(job, core.server_name, answer.receipt_key))


def pin_key(job: Job, server_name: str, key: bytes) -> None:
    """Remember the relay's key, or compare it.

    Raises:
        ReceiptKeyChangedError: It is another one.
    """
    known = settings.get(job.tx, _KEY + server_name)
    if known is None:
        settings.put(job.tx, _KEY + server_name, key)
    elif known != key:
        raise ReceiptKeyChangedError


async def status(core: "Core", aid: int) -> FileStatus:
    """Ask the relay for one file. See ``Attachment.status``."""
    core.check_open()
    row = core.read(lambda tx: attachments.get(tx, aid))
    if row is None:
        raise AttachmentNotHereError
    if not row.receipt:
        link = await core.await_link()
        answer = await link.request(QueryBlobs(0, (row.blob_id,)), BlobStates)
        for live in answer.live:
            if live.blob_id == row.blob_id:
                return FileStatus(
                    live.recipients, live.waiting, live.expires_ms, bool(live.complete), None
                )
        await core.jobs.run(lambda job: take_receipts(job, core.server_name, answer.deleted))
        row = core.read(lambda tx: attachments.get(tx, aid))
    deletion = None if row is None else deletion_of(row)
    if row is None or deletion is None:
        raise AttachmentGoneError
    return FileStatus(0, 0, row.expires_ms, is_complete=True, deletion=deletion)


def take_receipts(job: Job, server_name: str, receipts: tuple[DeletionReceipt, ...]) -> None:
    """Check receipts and keep them with their files; one that is not signed is not kept."""
    key = settings.get(job.tx, _KEY + server_name)
    for one in receipts:
        row = attachments.of_blob(job.tx, one.blob_id)
        if row is None or key is None or row.receipt:
            continue
        message = receipt_message(server_name, one.blob_id, one.reason, one.time_ms)
        try:
            ED25519.verify(key, message, one.signature)
        except SignatureError:
            continue
        _keep(job, row, one)


def _keep(job: Job, row: AttachmentRow, one: DeletionReceipt) -> None:
    state = row.state
    if state == FileState.REMOTE and not row.cached:
        state = FileState.EXPIRED
    kept = row._replace(
        receipt=one.signature, reason=one.reason, deleted_ms=one.time_ms, state=state, owed=0
    )
    attachments.save(job.tx, kept)
    names = names_of(job.tx, row)
    if names is not None:
        deletion = Deletion(DeletionReason(one.reason), one.time_ms)
        job.effects.events.append(BlobDeleted(*names, row.aid, deletion))


def names_of(tx: Tx, row: AttachmentRow) -> tuple[GroupId, MessageId] | None:
    """Return conversation and message of a file; None where there is none."""
    message = messages.get(tx, row.message) if row.message else None
    conversation = conversations.get(tx, row.message >> ORDER_BITS) if row.message else None
    if message is None or conversation is None:
        return None
    return GroupId(conversation.uid), MessageId(message.uid)


async def keep_telling(core: "Core") -> None:
    """Tell the relay what it must know of files; run for the life of the engine."""
    while True:
        await core.desk.duty_signal.wait()
        core.desk.end_orphans()
        try:
            while rows := core.read(lambda tx: attachments.owing(tx, MAX_BLOBS_PER_FRAME)):
                for row in rows:
                    await _tell(core, row)
        except EngineClosedError:
            raise
        except TransientError:
            core.desk.duty_signal.set()
            await anyio.sleep(AGAIN_S)


async def _tell(core: "Core", row: AttachmentRow) -> None:
    await core.await_link()
    if row.owed == Owed.RECALL:
        is_known = await _request(core, RecallBlob(0, row.blob_id))
    else:
        own = await core.jobs.run(lambda job: job.own)
        signed = acknowledgement_message(
            core.server_name, row.blob_id, own.account_id, own.device_id
        )
        is_known = await _request(core, AcknowledgeBlob(0, row.blob_id, own.signer.sign(signed)))

    def work(job: Job) -> None:
        now = attachments.get(job.tx, row.aid)
        if now is None or now.owed != row.owed:
            return
        if not now.message and now.state != FileState.UPLOADED:
            attachments.remove(job.tx, now.aid)
            return
        told = now._replace(owed=Owed.NOTHING)
        if row.owed == Owed.RECALL and is_known and now.promise:  # its receipt is due from now on
            told = told._replace(expires_ms=min(now.expires_ms, job.now_ms))
        attachments.save(job.tx, told)

    await core.jobs.run(work)


async def _request(core: "Core", frame: AcknowledgeBlob | RecallBlob) -> bool:
    """Tell the relay. Return False if it knows no such blob, or not for us."""
    try:
        await core.need_link().request(frame, Ok)
    except RelayRefusedError as refused:
        if refused.can_retry:
            raise
        return False
    return True


async def keep_receipts(core: "Core") -> None:
    """Look for receipts that are due, and tell of those that are late."""
    while True:
        try:
            await look_for_receipts(core)
        except EngineClosedError:
            raise
        except TransientError:
            await anyio.sleep(AGAIN_S)
        await anyio.sleep(LOOK_S)


async def keep_tidy(core: "Core") -> None:
    """Remove local copies that a crash, or a row that is gone, has left behind."""
    desk = core.desk
    while True:
        async with desk.storing:
            names = await anyio.to_thread.run_sync(desk.cache.names)
            kept = await core.jobs.run(
                lambda job: attachments.kept_ids(job.tx)
            )  # behind what is stored
            await anyio.to_thread.run_sync(desk.cache.sweep, names, kept, desk.is_copying)
        await desk.tidy_signal.wait()


async def look_for_receipts(core: "Core") -> None:
    """Ask for receipts that should have come, and tell the app of those that have not.

    Raises:
        TransientError: The relay was not reached. Nobody is blamed.
    """
    before_ms = core.clock_ms() - BLOB_LATE_S * SECOND_MS
    while rows := core.read(lambda tx: attachments.unproven(tx, before_ms, MAX_BLOBS_PER_FRAME)):
        link = await core.await_link()
        asked = tuple([row.blob_id for row in rows])
        answer = await link.request(QueryBlobs(0, asked), BlobStates)

        def work(job: Job, answer: BlobStates = answer, rows: list[AttachmentRow] = rows) -> None:
            take_receipts(job, core.server_name, answer.deleted)
            for row in rows:
                _note_late(job, row.aid)

        await core.jobs.run(work)
    await core.jobs.run(lambda job: attachments.forget_done(job.tx, before_ms))


def _note_late(job: Job, aid: int) -> None:
    row = attachments.get(job.tx, aid)
    if row is None or row.receipt:
        return
    attachments.save(job.tx, row._replace(told_late=1))
    conversation, message = names_of(job.tx, row) or (None, None)
    late = DeletionReceiptLate(conversation, message, aid, row.expires_ms)
    job.effects.events.append(late)
