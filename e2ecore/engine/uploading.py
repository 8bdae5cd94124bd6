"""Bringing parcels to the relay, one after the other, and then the message.

Everything can be cut off anywhere. A repeated CreateBlob gives the same share, so nothing of it is
stored here; the relay says how far the bytes are; and what is sealed from our own copy under the
row's salt are the same bytes again.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from e2ecore.attachments.format import (
    SEALED_RUN_BYTES,
    FileKey,
    RelayShare,
    SealedFile,
    blob_size,
    content_key,
)
from e2ecore.engine.errors import ConversationReadOnlyError
from e2ecore.engine.file_errors import (
    NobodyToSendToError,
    PromiseInvalidError,
    UploadRefusedError,
)
from e2ecore.engine.file_events import UploadFailed
from e2ecore.engine.file_showing import decode_item
from e2ecore.engine.file_status import check_promise
from e2ecore.engine.handles import SentMessage
from e2ecore.engine.job import Job
from e2ecore.engine.mirror import Mirror
from e2ecore.engine.offering import cancel, renewed
from e2ecore.engine.values import ConversationState
from e2ecore.engine.writing import check_writable, write_listed, write_unlisted
from e2ecore.errors import E2EError, PeerError, TransientError
from e2ecore.ids import GroupId, MessageId
from e2ecore.storage import attachments, conversations, messages
from e2ecore.storage.attachments import AttachmentRow, FileState, ParcelRow
from e2ecore.storage.messages import message_row_id
from e2ecore.transport.blobs import BlobTicket, UploadState
from e2ecore.transport.errors import BlobRefusedError, RelayProtocolError, RelayRefusedError
from e2ecore_protocol.content.attachments import AttachmentAgain, Attachments
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames.blobs import BlobCreated, CreateBlob
from e2ecore_protocol.limits import MAX_CLOCK_DIFFERENCE_MS, MIB, SECOND_MS

if TYPE_CHECKING:
    from e2ecore.engine.core import Core
    from e2ecore.engine.file_desk import Sending

BLOCK_BYTES: Final = MIB
"""Sealed at once, in a thread: some 2 ms."""
AGAIN_S: Final = 2.0
"""How long to wait when the relay says no for now; each time in a row twice as long ..."""
MOST_S: Final = 60.0
"""... but no longer than this."""
_RENEW: Final = frozenset({ErrorCode.BLOB_GONE, ErrorCode.BLOB_EXISTS})
_NOT_YET: Final = frozenset({ErrorCode.UNKNOWN_CONVERSATION, ErrorCode.NOT_A_MEMBER})
_BEGINNING: Final = frozenset({ConversationState.CREATING, ConversationState.HEALING})
_FOR_GOOD: Final = frozenset({"too_large", "bad_request", "unsupported_media_type"})


class _PostponedError(TransientError):
    """Not now. It is tried again by itself."""


async def keep_uploading(core: "Core") -> None:
    """Run for the life of the engine."""
    desk, pause_s = core.desk, AGAIN_S
    while True:
        due = [row for row in core.read(attachments.parcels) if not row.paused]
        if core.link is None or desk.channel is None or not due:
            await desk.upload_signal.wait()
            continue
        waits = [not await _try(core, row.pid) for row in due]
        if any(waits):
            is_news = await desk.upload_signal.wait_for(pause_s)
            pause_s = AGAIN_S if is_news else min(2 * pause_s, MOST_S)
        else:
            pause_s = AGAIN_S


async def _try(core: "Core", pid: int) -> bool:
    """Bring one parcel on its way; return whether it is settled or interrupted on purpose.

    A relay that makes no sense does not end it: nothing is erased because of what somebody else
    says wrongly. The user sees the trouble, and may cancel.
    """
    parcel = core.read(lambda tx: attachments.parcel(tx, pid))
    if parcel is None or parcel.paused:  # meanwhile
        return True
    known = core.desk.sending(parcel.pid)
    try:
        with anyio.CancelScope() as known.scope:
            await _bring(core, parcel, known)
    except (TransientError, PeerError) as error:
        known.trouble = error
        return False
    except E2EError as error:
        row = core.read(lambda tx: conversations.get(tx, parcel.cid))
        await cancel(core, parcel.pid, error)
        if row is not None:
            core.emit(UploadFailed(GroupId(row.uid), parcel.pid, error))
    finally:
        known.scope = None
    return True


async def _bring(core: "Core", parcel: ParcelRow, known: "Sending") -> None:
    rows = core.read(lambda tx: attachments.of_parcel(tx, parcel.pid))
    known.total = sum(row.size for row in rows)
    done = 0
    for row in rows:
        if row.state == FileState.WAITING:
            await _bring_file(core, parcel, row, known, done)
        done += row.size
        known.progressed(done)
    while late := await _finish(core, parcel, known):
        for row in late:
            await _make_room(core, parcel, row, known)


async def _bring_file(
    core: "Core", parcel: ParcelRow, row: AttachmentRow, known: "Sending", before: int
) -> None:
    created = await _make_room(core, parcel, row, known)
    channel, item = core.desk.need_channel(), decode_item(row)
    ticket = BlobTicket(row.blob_id, created.upload_token, created.port)
    key = content_key(FileKey(item.file_key), RelayShare(created.share), row.blob_id)
    with core.desk.cache.open(row.aid, row.cache_key, row.size) as local:
        sealed = SealedFile(key, row.salt, row.size, local.read_into)

        def progressed(offset: int) -> None:
            known.progressed(before + min(offset, row.size))

        try:
            state = _checked(await channel.upload_state(ticket), 0, sealed.size)
            while not state.is_complete:
                at = state.offset
                async with aclosing(_blocks(sealed, at, progressed)) as blocks:
                    state = await channel.upload(ticket, at, blocks, completes=True)
                state = _checked(state, at + (not state.is_complete), sealed.size)
        except BlobRefusedError as refused:
            if refused.code in _FOR_GOOD:
                raise UploadRefusedError(refused.code) from refused
            raise
    with anyio.CancelScope(shield=True):
        await core.jobs.run(lambda job: _uploaded(job, row.aid))


def _checked(state: UploadState, least: int, size: int) -> UploadState:
    """Refuse a state that cannot be: each call brings an upload on, and it ends at its end.

    Raises:
        RelayProtocolError: The relay lies.
    """
    is_possible = least <= state.offset <= size
    if not is_possible or (state.is_complete and state.offset != size):
        raise RelayProtocolError("an offset that cannot be")
    return state


async def _blocks(
    sealed: SealedFile, offset: int, progressed: Callable[[int], None]
) -> AsyncGenerator[bytes, None]:
    """Yield the blob from a place on, sealed in another thread."""
    found = memoryview(bytearray(BLOCK_BYTES + SEALED_RUN_BYTES))

    def block(begin: int) -> bytes:
        size = 0
        while size < BLOCK_BYTES and (run := sealed.run_into(begin + size, found[size:])):
            size += run
        return bytes(found[:size])

    at = offset
    while at < sealed.size:
        data = await anyio.to_thread.run_sync(block, at)
        yield data
        at += len(data)
        progressed(at)


async def _make_room(
    core: "Core", parcel: ParcelRow, row: AttachmentRow, known: "Sending"
) -> BlobCreated:
    """Ask the relay for room; note what it promises. A repeat lets those in who came since."""

    def lookup(job: Job) -> tuple[bytes, int, bool, int]:
        mirror = job.mirror(parcel.cid)
        check_writable(job, mirror)
        ttl_s = mirror.info.policy.attachment_ttl_s
        return mirror.uid, ttl_s, mirror.state in _BEGINNING, mirror.epoch

    uid, ttl_s, is_beginning, epoch = await core.jobs.run(lookup)
    asked = CreateBlob(0, row.blob_id, uid, blob_size(row.size), ttl_s)
    try:
        created = await core.need_link().request(asked, BlobCreated)
    except RelayRefusedError as refused:
        await _refused(core, row, refused, is_beginning=is_beginning)
        raise
    latest_ms = core.clock_ms() + ttl_s * SECOND_MS + MAX_CLOCK_DIFFERENCE_MS
    if created.expires_ms > latest_ms:
        raise PromiseInvalidError
    await check_promise(core, row.blob_id, asked.size, created)

    def note(job: Job) -> None:
        now = attachments.get(job.tx, row.aid)
        if now is not None:
            promised = now._replace(expires_ms=created.expires_ms, promise=created.promise)
            attachments.save(job.tx, promised)

    await core.jobs.run(note)
    known.rooms[row.blob_id] = epoch
    return created


async def _refused(
    core: "Core", row: AttachmentRow, refused: RelayRefusedError, *, is_beginning: bool
) -> None:
    """Say what a refusal means for a parcel; returns where it may be tried again."""
    if refused.code in _RENEW:

        def work(job: Job) -> None:
            now = attachments.get(job.tx, row.aid)
            if now is not None and now.item:
                attachments.save(job.tx, renewed(core, now))

        await core.jobs.run(work)
        raise _PostponedError from refused
    if refused.code is ErrorCode.NO_RECIPIENT:
        raise NobodyToSendToError from refused
    if refused.code in _NOT_YET:
        if is_beginning:
            return
        raise ConversationReadOnlyError from refused
    if not refused.can_retry and refused.code is not ErrorCode.QUOTA_EXCEEDED:
        raise UploadRefusedError(refused.code.value) from refused


def _uploaded(job: Job, aid: int) -> None:
    """Note that the relay has all of a file. What sealed it is forgotten."""
    row = attachments.get(job.tx, aid)
    if row is not None:
        attachments.save(job.tx, row._replace(state=FileState.UPLOADED, salt=b""))


async def _finish(core: "Core", parcel: ParcelRow, known: "Sending") -> list[AttachmentRow]:
    """Write the message, or say where the file is now; in one transaction with the parcel's end.

    Returns:
        Files for which room was made in another epoch than the message would be of: not all that
        can read it could fetch them (40-blobs.md, [BLB-43]). Nothing was written then.
    """

    def work(job: Job) -> tuple[list[AttachmentRow], SentMessage | None]:
        if attachments.parcel(job.tx, parcel.pid) is None:
            return [], None
        rows = attachments.of_parcel(job.tx, parcel.pid)
        mirror = job.mirror(parcel.cid)
        check_writable(job, mirror)
        late = [row for row in rows if known.rooms.get(row.blob_id) != mirror.epoch]
        if late:
            return late, None
        write = _say_again if parcel.before else _write
        sent = write(job, mirror, parcel, rows) if rows else None
        attachments.remove_parcel(job.tx, parcel.pid)
        return [], sent

    with anyio.CancelScope(shield=True):
        late, message = await core.jobs.run(work)
    if not late:
        known.message = message
        core.desk.ended(parcel.pid)
    return late


def _write(job: Job, mirror: Mirror, parcel: ParcelRow, rows: list[AttachmentRow]) -> SentMessage:
    """Write the message and give it its files."""
    items = tuple([decode_item(row) for row in rows])
    written = write_listed(
        job, mirror.cid, lambda uid, sent_ms: Attachments(uid, sent_ms, parcel.caption, items)
    )
    for row in rows:
        message = message_row_id(mirror.cid, written.order)
        attachments.save(job.tx, row._replace(message=message, parcel=0))
    sent = SentMessage(written.message_id, written.counter, written.order)
    job.effects.sent.append((written.oid, sent))
    return sent


def _say_again(
    job: Job, mirror: Mirror, parcel: ParcelRow, rows: list[AttachmentRow]
) -> SentMessage | None:
    """Tell where the file of a message is now."""
    (row,) = rows
    message = messages.get(job.tx, row.message)
    if message is None:
        return None
    item = decode_item(row)
    content = AttachmentAgain(message.uid, parcel.before, item.blob_id, item.file_key)
    queued = write_unlisted(job, mirror, content)
    attachments.save(job.tx, row._replace(parcel=0))
    order = row.message & messages.ORDER_MASK
    sent = SentMessage(MessageId(message.uid), queued.counter, order)
    job.effects.sent.append((queued.oid, sent))
    return sent
