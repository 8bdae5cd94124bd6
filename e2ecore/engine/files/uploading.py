"""Bringing parcels to the relay, one after the other, and then the message.

Everything can be cut off anywhere. A repeated CreateBlob gives the same share, so nothing of it is
stored here; the relay says how far the bytes are; and what is sealed from our own copy under the
row's salt are the same bytes again.
"""

from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Final

import anyio
import anyio.lowlevel
import anyio.to_thread

from e2ecore.attachments.format import (
    SEALED_RUN_BYTES,
    FileKey,
    RelayShare,
    SealedFile,
    blob_size,
    content_key,
)
from e2ecore.engine.errors import ConversationReadOnlyError, MessageGoneError
from e2ecore.engine.files.fetching import evict
from e2ecore.engine.files.file_errors import (
    NobodyToSendToError,
    PromiseInvalidError,
    UploadRefusedError,
    UploadTooSlowError,
)
from e2ecore.engine.files.file_showing import decode_item
from e2ecore.engine.files.file_status import check_promise
from e2ecore.engine.files.offering import cancel, renewed
from e2ecore.engine.files.parcelling import plan_parcel
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.taking_along.giving import say_part
from e2ecore.engine.talk.handles import SentMessage
from e2ecore.engine.talk.writing import check_writable, write_listed, write_unlisted
from e2ecore.engine.telling.file_events import UploadFailed
from e2ecore.engine.values import ConversationState
from e2ecore.errors import E2EError, PeerError, TransientError
from e2ecore.ids import GroupId, MessageId
from e2ecore.storage import attachments, conversations, messages
from e2ecore.storage.attachments import AttachmentRow, FileState, ParcelRow
from e2ecore.storage.conversations import ConversationKind
from e2ecore.storage.history_transfers import part_of_parcel
from e2ecore.storage.messages import message_row_id
from e2ecore.transport.blobs import BlobTicket, UploadState
from e2ecore.transport.errors import BlobRefusedError, RelayProtocolError, RelayRefusedError
from e2ecore_protocol.content.attachments import (
    AttachmentAgain,
    Attachments,
    ForwardedAttachments,
)
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames.blobs import BlobCreated, CreateBlob
from e2ecore_protocol.limits import MAX_CLOCK_DIFFERENCE_MS, MIB, SECOND_MS

if TYPE_CHECKING:
    from e2ecore.engine.files.file_desk import Sending
    from e2ecore.engine.running.core import Core

BLOCK_BYTES: Final = MIB
"""Sealed at once, in a thread: some 2 ms."""
AGAIN_S: Final = 2.0
"""How long to wait when the relay says no for now; each time in a row twice as long ..."""
MOST_S: Final = 60.0
"""... but no longer than this."""
ASK_AGAIN_MS: Final = 10 * 60 * SECOND_MS
"""Before a message is written the relay is asked again for files it was asked for before that: it
may have deleted one meanwhile."""
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
        await evict(core)  # copies are kept for later from here on, as far as there is room
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
        with suppress(MessageGoneError):  # its user has given it up meanwhile
            await cancel(core, parcel.pid, error)
            if row is not None and row.kind != ConversationKind.SELF:
                core.emit(UploadFailed(GroupId(row.uid), parcel.pid, error))
    finally:
        known.scope = None
    return True


async def _bring(core: "Core", parcel: ParcelRow, known: "Sending") -> None:
    brought = 0
    while True:
        rows = core.read(lambda tx: attachments.of_parcel(tx, parcel.pid))
        known.total = known.ahead + sum(row.size for row in rows)
        plan = plan_parcel(rows, core.clock_ms(), brought=brought, renewed=known.renewed)
        for row in plan.renew:
            known.renewed.add(row.aid)
            await _renew(core, row.aid)
        if plan.send or not rows:
            while late := await _finish(core, parcel, known, {row.aid for row in plan.send}):
                for row in late:
                    await _make_room(core, parcel, row, known)
            if len(plan.send) == len(rows):
                return
        elif plan.bring is not None:
            done = sum(row.size for row in rows if row.state != FileState.WAITING)
            await _bring_file(core, parcel, plan.bring, known, known.ahead + done)
            brought = plan.bring.aid


async def _renew(core: "Core", aid: int) -> None:
    """Have a file uploaded once more: to another blob, under another key."""

    def work(job: Job) -> None:
        row = attachments.get(job.tx, aid)
        if row is None or not row.item or not row.parcel:
            return
        if row.state == FileState.UPLOADED:
            attachments.recall(job.tx, row)
        attachments.save(job.tx, renewed(core, row))

    await core.jobs.run(work)
    core.desk.duty_signal.set()


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
    known.progressed(before + row.size)


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
    await anyio.lowlevel.checkpoint_if_cancelled()  # it may have been recalled meanwhile
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
        if now is not None and now.promise != created.promise:
            promised = now._replace(expires_ms=created.expires_ms, promise=created.promise)
            attachments.save(job.tx, promised._replace(used_ms=job.now_ms))

    await core.jobs.run(note)
    known.rooms[row.blob_id] = epoch, core.clock_ms()
    return created


async def _refused(
    core: "Core", row: AttachmentRow, refused: RelayRefusedError, *, is_beginning: bool
) -> None:
    """Say what a refusal means for a parcel; returns where it may be tried again."""
    if refused.code in _RENEW:
        await _renew(core, row.aid)
        is_over = core.clock_ms() >= row.expires_ms - MAX_CLOCK_DIFFERENCE_MS
        if row.promise and row.state == FileState.WAITING and is_over:
            raise UploadTooSlowError from refused
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


async def _finish(
    core: "Core", parcel: ParcelRow, known: "Sending", aids: Collection[int]
) -> list[AttachmentRow]:
    """Write a message, or say where the file is now; with the last files the parcel ends.

    Returns:
        Files for which room was made in another epoch than the message would be of: not all that
        can read it could fetch them (40-blobs.md, [BLB-43]); or so long ago that the relay may
        have deleted them. Nothing was written then.
    """

    def is_late(row: AttachmentRow, mirror: Mirror, now_ms: int) -> bool:
        epoch, asked_ms = known.rooms.get(row.blob_id, (-1, 0))
        return epoch != mirror.epoch or not 0 <= now_ms - asked_ms < ASK_AGAIN_MS

    def work(job: Job) -> tuple[list[AttachmentRow], SentMessage | None, int]:
        now = attachments.parcel(job.tx, parcel.pid)
        if now is None:
            return [], None, 0
        every = attachments.of_parcel(job.tx, parcel.pid)
        rows = [row for row in every if row.aid in aids]
        mirror = job.mirror(parcel.cid)
        check_writable(job, mirror)
        late = [row for row in rows if is_late(row, mirror, job.now_ms)]
        if late:
            return late, None, 0
        sent = _say(job, mirror, now, rows) if rows else None
        if len(rows) < len(every):
            attachments.part(job.tx, parcel.pid)
        else:
            attachments.remove_parcel(job.tx, parcel.pid)
        return [], sent, sum(row.size for row in rows)

    with anyio.CancelScope(shield=True), known.closing():
        late, message, size = await core.jobs.run(work)
        if not late:
            known.message, known.ahead = message, known.ahead + size
            known.renewed.clear()
            if core.read(lambda tx: attachments.parcel(tx, parcel.pid)) is None:
                core.desk.ended(parcel.pid)
    return late


def _say(
    job: Job, mirror: Mirror, parcel: ParcelRow, rows: list[AttachmentRow]
) -> SentMessage | None:
    """Tell whoever the files are for."""
    part = part_of_parcel(job.tx, parcel.pid)
    if part is not None:
        say_part(job, part, rows)
        return None
    write = _say_again if parcel.before else _write
    return write(job, mirror, parcel, rows)


def _write(job: Job, mirror: Mirror, parcel: ParcelRow, rows: list[AttachmentRow]) -> SentMessage:
    """Write the message and give it its files."""
    items = tuple([decode_item(row) for row in rows])

    def content(uid: bytes, sent_ms: int) -> Attachments:
        said = uid, sent_ms, parcel.caption, items
        return (
            ForwardedAttachments(*said, parcel.forwards) if parcel.forwards else Attachments(*said)
        )

    written = write_listed(job, mirror.cid, content)
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
