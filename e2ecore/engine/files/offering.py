"""Sending files: own copies made, a parcel stored; and doing it again for who asks.

``send_files`` returns when the copies and the parcel are durable. ``uploading`` does the rest, also
after a restart. The message is written when everything is at the relay, not before: nobody gets a
message whose files do not come.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from e2ecore.crypto.chunked import SALT_BYTES
from e2ecore.engine.account.names import check_text
from e2ecore.engine.errors import ConversationReadOnlyError, MessageGoneError
from e2ecore.engine.files.attaching import Copied, copy_file, copy_stored
from e2ecore.engine.files.file_errors import (
    AttachmentNotHereError,
    CaptionTooLongError,
    TooManyFilesError,
    UploadCancelledError,
)
from e2ecore.engine.files.file_showing import decode_item, encode_item
from e2ecore.engine.files.file_values import OutgoingFile, Progress
from e2ecore.engine.files.reading import Reading
from e2ecore.engine.running.job import Job
from e2ecore.engine.talk.handles import SentMessage
from e2ecore.engine.talk.writing import WRITABLE, check_writable, write_unlisted
from e2ecore.errors import E2EError
from e2ecore.storage import attachments, messages
from e2ecore.storage.attachments import AttachmentRow, FileState
from e2ecore.storage.file_cache import CachedFileError
from e2ecore.storage.messages import ORDER_BITS
from e2ecore_protocol.content.attachments import AttachmentRequest
from e2ecore_protocol.limits import (
    BLOB_ID_BYTES,
    FILE_KEY_BYTES,
    MAX_ATTACHMENTS,
    MAX_CAPTION_BYTES,
)

if TYPE_CHECKING:
    from pathlib import Path

    from e2ecore.engine.running.core import Core


class Upload:
    """Files that survive a crash and are on their way; then a message.

    The work goes on whether or not this is kept.
    """

    __slots__ = ("_core", "upload_id")

    def __init__(self, core: "Core", pid: int) -> None:
        self._core = core
        self.upload_id = pid
        """Its number in this database."""

    @property
    def progress(self) -> tuple[int, int]:
        """Bytes at the relay, and bytes in all, as of now; (0, 0) before it has begun."""
        known = self._core.desk.sending(self.upload_id)
        return known.done, known.total

    @property
    def trouble(self) -> E2EError | None:
        """Why it does not go on just now, for instance a full relay; it is tried again by itself.

        None: nothing is in its way, or there is no connection.
        """
        return self._core.desk.sending(self.upload_id).trouble

    @property
    def is_paused(self) -> bool:
        """Does it wait for ``resume``?"""
        row = self._core.read(lambda tx: attachments.parcel(tx, self.upload_id))
        return row is not None and bool(row.paused)

    @property
    def names(self) -> tuple[str, ...]:
        """What its files are called; nothing once it is settled."""
        rows = self._core.read(lambda tx: attachments.of_parcel(tx, self.upload_id))
        return tuple([decode_item(row).name for row in rows])

    @property
    def is_settled(self) -> bool:
        """Is the message written, or the upload given up?"""
        return self._core.desk.sending(self.upload_id).outcome.settled

    async def sent(self) -> SentMessage:
        """Wait until everything is uploaded and the message is on its way; return that message.

        An album that takes so long that the relay would delete its first files comes as several
        messages; this is the last one. While offline or paused this waits as long as it takes;
        cancelling the wait cancels nothing else.

        Raises:
            UploadCancelledError: ``cancel`` was called.
            UploadRefusedError: The relay does not take it.
            UsageError: As ``Conversation.send``.
            EngineClosedError: The engine was closed first. It goes on when it is opened again.
        """
        known = self._core.desk.sending(self.upload_id)
        await known.outcome.wait()
        if known.message is None:
            raise MessageGoneError
        return known.message

    async def pause(self) -> None:
        """Stop for now, until ``resume``; also over a restart. What the relay has it keeps."""
        await _pause(self._core, self.upload_id, on=True)

    async def resume(self) -> None:
        """Go on where it stopped."""
        await _pause(self._core, self.upload_id, on=False)

    async def cancel(self) -> None:
        """Do not send it. The copies are erased, and the relay is told to delete what it has.

        Raises:
            MessageGoneError: It is a message already; recall that.
        """
        await cancel(self._core, self.upload_id)


async def send_files(
    core: "Core",
    cid: int,
    wanted: Sequence[OutgoingFile],
    caption: str,
    *,
    on_progress: Progress | None,
    reading: Reading | None,
) -> Upload:
    """Copy files and store the parcel. See ``Conversation.send_files``."""
    reading = reading or Reading()
    works = [partial(copy_file, core.desk.cache, one, core.rng, reading) for one in wanted]
    copies = [partial(_in_thread, one, reading) for one in works]
    return await _send(core, cid, copies, caption, on_progress)


async def forward_files(
    core: "Core",
    cid: int,
    aids: Sequence[int],
    caption: str,
    *,
    forwards: int,
    on_progress: Progress | None,
    reading: Reading | None,
) -> Upload:
    """Copy files of a message for another one. See ``Conversation.forward_files``."""
    reading = reading or Reading()

    async def copied(aid: int) -> Copied:
        try:
            return await _copied_here(core, aid, reading)
        except CachedFileError:  # then it is fetched once more
            await core.desk.discard(aid)
            return await _copied_here(core, aid, reading)

    copies = [partial(copied, aid) for aid in aids]
    return await _send(core, cid, copies, caption, on_progress, forwards=forwards)


async def _copied_here(core: "Core", aid: int, reading: Reading) -> Copied:
    """Copy a file of a message, fetched if it is not here."""
    await core.desk.download(aid, None, None)
    row = core.read(lambda tx: attachments.get(tx, aid))
    if row is None or not row.cached:
        raise AttachmentNotHereError
    return await _in_thread(partial(copy_stored, core.desk.cache, row, core.rng, reading), reading)


async def _in_thread(work: Callable[[], Copied], reading: Reading) -> Copied:
    """Copy in a thread, which ends soon after nobody waits for it; what it leaves is swept."""
    try:
        return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
    except anyio.get_cancelled_exc_class():
        reading.cancel()
        raise


async def _send(
    core: "Core",
    cid: int,
    works: Sequence[Callable[[], Awaitable[Copied]]],
    caption: str,
    on_progress: Progress | None,
    *,
    forwards: int = 0,
) -> Upload:
    """Make own copies, one after the other, and store the parcel."""
    core.check_open()
    if not 1 <= len(works) <= MAX_ATTACHMENTS:
        raise TooManyFilesError
    if caption:
        check_text(caption)
    if len(caption.encode()) > MAX_CAPTION_BYTES:
        raise CaptionTooLongError
    await core.jobs.run(lambda job: _check_open_to_files(job, cid))
    desk, copies = core.desk, list[Copied]()
    try:
        with desk.making_copies():
            for work in works:
                copies.append(await work())
            async with desk.storing:
                pid, _ = await core.jobs.run(
                    lambda job: store_parcel(job, core, cid, caption, copies, forwards=forwards)
                )
    except BaseException:
        desk.tidy_signal.set()  # copies without a row go
        desk.upload_signal.set()  # a job that was not waited for is done all the same
        raise
    known = desk.sending(pid)
    known.on_progress = on_progress
    known.total = sum(copy.item.size for copy in copies)
    desk.upload_signal.set()
    return Upload(core, pid)


def _check_open_to_files(job: Job, cid: int) -> None:
    mirror = job.mirror(cid)
    if mirror.state not in WRITABLE:
        raise ConversationReadOnlyError
    check_writable(job, mirror)


def store_parcel(
    job: Job,
    core: "Core",
    cid: int,
    caption: str,
    copies: Sequence[Copied],
    *,
    forwards: int = 0,
) -> tuple[int, list[int]]:
    """Store a parcel and its files; the copies get their names in the same breath.

    Returns:
        The parcel's number, and those of its files.
    """
    pid = attachments.add_parcel(job.tx, cid, caption, job.now_ms, forwards=forwards)
    adopted: list[tuple[Path, int]] = []
    for place, copy in enumerate(copies):
        row = AttachmentRow(
            0, 0, place, pid, copy.item.blob_id, encode_item(copy.item), copy.item.size,
            FileState.WAITING, salt=core.rng(SALT_BYTES), cache_key=copy.cache_key, cached=1,
            used_ms=job.now_ms,
        )  # fmt: skip
        adopted.append((copy.path, attachments.add(job.tx, row)))
    core.desk.cache.adopt(adopted)
    return pid, [aid for _, aid in adopted]


def uploads(core: "Core", cid: int) -> list[Upload]:
    """Return what is on its way in one conversation, the oldest first."""
    return [Upload(core, row.pid) for row in core.read(lambda tx: attachments.parcels_of(tx, cid))]


async def _pause(core: "Core", pid: int, *, on: bool) -> None:
    core.check_open()
    await core.jobs.run(lambda job: attachments.pause(job.tx, pid, on=on))
    known = core.desk.sending(pid)
    if on and known.scope is not None:
        known.scope.cancel()
    core.desk.upload_signal.set()


async def cancel(core: "Core", pid: int, error: Exception | None = None) -> None:
    """Give a parcel up.

    Raises:
        MessageGoneError: It is a message already.
    """
    core.check_open()

    def work(job: Job) -> None:
        if attachments.parcel(job.tx, pid) is None:
            raise MessageGoneError
        attachments.give_up(job.tx, pid)

    known = core.desk.sending(pid)
    with known.closing():
        await core.jobs.run(work)
    if known.scope is not None:
        known.scope.cancel()
    core.desk.ended(pid, error or UploadCancelledError())
    core.desk.duty_signal.set()


async def ask_again(core: "Core", aid: int) -> None:
    """Ask the sender for a file that is gone. See ``Attachment.ask_again``."""
    core.check_open()

    def work(job: Job) -> None:
        row = attachments.get(job.tx, aid)
        message = None if row is None else messages.get(job.tx, row.message)
        if row is None or message is None:
            raise AttachmentNotHereError
        mirror = job.mirror(row.message >> ORDER_BITS)
        check_writable(job, mirror)
        wish = AttachmentRequest(message.uid, message.account_id, row.blob_id)
        write_unlisted(job, mirror, wish)

    await core.jobs.run(work)


async def upload_again(core: "Core", aid: int) -> None:
    """Upload the local copy of a file to a new blob. See ``Attachment.upload_again``."""
    core.check_open()

    def work(job: Job) -> int:
        row = attachments.get(job.tx, aid)
        if row is None or not row.message or not row.cached or row.parcel:
            raise AttachmentNotHereError
        cid = row.message >> ORDER_BITS
        check_writable(job, job.mirror(cid))
        pid = attachments.add_parcel(job.tx, cid, "", job.now_ms, before=row.blob_id)
        attachments.save(job.tx, renewed(core, row)._replace(parcel=pid))
        return pid

    pid = await core.jobs.run(work)
    core.desk.sending(pid)
    core.desk.upload_signal.set()


def renewed(core: "Core", row: AttachmentRow) -> AttachmentRow:
    """Return a file that is to be uploaded to another blob, under another key."""
    item = decode_item(row)._replace(
        blob_id=core.rng(BLOB_ID_BYTES), file_key=core.rng(FILE_KEY_BYTES)
    )
    return AttachmentRow(
        row.aid, row.message, row.place, row.parcel, item.blob_id, encode_item(item), row.size,
        FileState.WAITING, salt=core.rng(SALT_BYTES), cache_key=row.cache_key, cached=1,
        used_ms=row.used_ms,
    )  # fmt: skip
