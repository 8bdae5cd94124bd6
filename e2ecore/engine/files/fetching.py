"""Fetching files: what comes is opened chunk by chunk, kept encrypted, and checked as a whole.

A chunk reaches the disk only after its tag fits, sealed again under a key of this device's own. The
relay's share is used and forgotten: it is asked for anew when a fetch goes on. Only when the digest
fits is the file said to be there; that is committed before the relay is told that it may forget.
"""

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from e2ecore.attachments.errors import (
    AttachmentDamagedError,
    AttachmentDigestError,
    AttachmentSizeError,
)
from e2ecore.attachments.format import (
    SEALED_RUN_BYTES,
    ContentKey,
    FileKey,
    FileOpener,
    RelayShare,
    check_blob_size,
    content_key,
)
from e2ecore.crypto.chunked import CHUNK_BYTES, HEADER_BYTES, SEALED_CHUNK_BYTES
from e2ecore.engine.files.file_errors import AttachmentGoneError, AttachmentNotHereError
from e2ecore.engine.files.file_showing import decode_item
from e2ecore.engine.files.file_status import check_promise, names_of
from e2ecore.engine.files.file_values import Progress
from e2ecore.engine.files.file_writing import check_target, write_out
from e2ecore.engine.running.job import Job
from e2ecore.engine.telling.file_events import AttachmentExpired, AttachmentStored
from e2ecore.errors import E2EError
from e2ecore.storage import attachments, settings
from e2ecore.storage.attachments import AttachmentRow, FileState, Owed
from e2ecore.storage.file_cache import KEY_SIZE, RUN_CHUNKS, CachedFileError
from e2ecore.transport.blobs import BlobTicket
from e2ecore.transport.errors import BlobRefusedError, RelayRefusedError
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames.blobs import BlobGranted, FetchBlob

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

DEFAULT_LIMIT_BYTES: Final = 2 << 30
"""Local copies beyond this go, the longest unused first. The app may choose another limit."""
_LIMIT: Final = "file_limit"
_GONE: Final = frozenset({ErrorCode.BLOB_GONE, ErrorCode.UNKNOWN_BLOB})
_GONE_HTTP: Final = frozenset({"gone", "token_used"})


async def download(
    core: "Core", aid: int, to: str | os.PathLike[str] | None, on_progress: Progress | None
) -> Path | None:
    """Fetch, check, keep and write a file. See ``Attachment.download``."""
    core.check_open()
    row = _row(core, aid)
    target = None if to is None else Path(to)
    if target is not None:
        await anyio.to_thread.run_sync(check_target, target)
    if row.cached:
        with suppress(CachedFileError):  # then it is discarded, and fetched once more
            return await _hand_out(core, row, target, on_progress)
    return await _hand_out(core, await _fetch(core, row, on_progress), target, None)


async def _hand_out(
    core: "Core", row: AttachmentRow, target: Path | None, on_progress: Progress | None
) -> Path | None:
    """Write out a file that is here.

    Raises:
        CachedFileError: It is damaged, and was discarded.
    """
    await core.jobs.run(lambda job: attachments.used(job.tx, row.aid, job.now_ms))
    try:
        written = None
        if target is not None:
            cache = core.desk.cache
            written = await anyio.to_thread.run_sync(write_out, cache, row, target)
    except CachedFileError:
        await discard(core, row.aid)
        raise
    if on_progress is not None:
        on_progress(row.size, row.size)
    return written


def _row(core: "Core", aid: int) -> AttachmentRow:
    row = core.read(lambda tx: attachments.get(tx, aid))
    if row is None or not row.item:
        raise AttachmentNotHereError
    return row


async def _fetch(core: "Core", row: AttachmentRow, on_progress: Progress | None) -> AttachmentRow:
    granted = await _grant(core, row)
    ticket = BlobTicket(row.blob_id, granted.fetch_token, granted.port)
    item = decode_item(row)
    key = content_key(FileKey(item.file_key), RelayShare(granted.share), row.blob_id)
    row = await core.jobs.run(lambda job: _begin(job, row.aid, granted))
    transfer = _Transfer(core, row, ticket, on_progress)
    try:
        await transfer.run(await transfer.opener(key))
        if transfer.digest.digest() != item.digest:
            raise AttachmentDigestError
    except AttachmentDamagedError:
        with anyio.CancelScope(shield=True):
            await discard(core, row.aid)
        raise
    except BlobRefusedError as refused:
        if refused.code in _GONE_HTTP:
            await _expired(core, row.aid)
            raise AttachmentGoneError from refused
        raise
    finally:
        transfer.close()
    with anyio.CancelScope(shield=True):
        try:
            stored = await core.jobs.run(lambda job: _stored(job, row))
        except AttachmentNotHereError:
            core.desk.tidy_signal.set()
            raise
    core.desk.duty_signal.set()
    return stored


async def _grant(core: "Core", row: AttachmentRow) -> BlobGranted:
    link = await core.await_link()
    core.desk.need_channel()
    try:
        granted = await link.request(FetchBlob(0, row.blob_id), BlobGranted)
    except RelayRefusedError as refused:
        if refused.code in _GONE:
            await _expired(core, row.aid)
            raise AttachmentGoneError from refused
        raise
    check_blob_size(row.size, granted.size)
    await check_promise(core, row.blob_id, granted.size, granted)
    return granted


async def _expired(core: "Core", aid: int) -> None:
    def work(job: Job) -> None:
        row = attachments.get(job.tx, aid)
        if row is None or not row.item:  # its message was deleted, and the relay was told
            raise AttachmentNotHereError
        if row.state != FileState.REMOTE:
            return
        attachments.save(job.tx, row._replace(state=FileState.EXPIRED))
        names = names_of(job.tx, row)
        if names is not None:
            job.effects.events.append(AttachmentExpired(*names, aid))

    await core.jobs.run(work)


def _begin(job: Job, aid: int, granted: BlobGranted) -> AttachmentRow:
    """Give a file the key of its local copy, if it has none from an earlier attempt."""
    row = attachments.get(job.tx, aid)
    if row is None or not row.item:
        raise AttachmentNotHereError
    begun = row._replace(
        cache_key=row.cache_key or job.state.rng(KEY_SIZE),
        expires_ms=granted.expires_ms,
        promise=granted.promise,
        used_ms=job.now_ms,
    )
    attachments.save(job.tx, begun)
    return begun


def _stored(job: Job, fetched: AttachmentRow) -> AttachmentRow:
    """A file is here, whole and checked."""
    row = attachments.get(job.tx, fetched.aid)
    if row is None or row.blob_id != fetched.blob_id or row.cache_key != fetched.cache_key:
        raise AttachmentNotHereError
    stored = row._replace(cached=1, owed=Owed.ACKNOWLEDGEMENT, used_ms=job.now_ms)
    attachments.save(job.tx, stored)
    names = names_of(job.tx, row)
    if names is not None:
        job.effects.events.append(AttachmentStored(*names, row.aid))
    return stored


class _Transfer:
    """One fetch under way."""

    def __init__(
        self, core: "Core", row: AttachmentRow, ticket: BlobTicket, progress: Progress | None
    ) -> None:
        self._channel = core.desk.need_channel()
        self._row = row
        self._ticket = ticket
        self._progress = progress
        self._cache = core.desk.cache
        self._local = self._cache.open(row.aid, row.cache_key, row.size, writing=True)
        self._opened = memoryview(bytearray(SEALED_RUN_BYTES))
        self.digest = hashlib.sha256()

    def close(self) -> None:
        """Close the local copy."""
        self._local.close()

    async def opener(self, key: ContentKey) -> FileOpener:
        """Fetch and check the head of the blob."""
        head = bytearray()
        async with self._channel.download(self._ticket, 0, HEADER_BYTES) as blocks:
            async for block in blocks:
                head += block
                if len(head) > HEADER_BYTES:
                    raise AttachmentSizeError
        return FileOpener(key, bytes(head), self._row.size)

    async def run(self, opener: FileOpener) -> None:
        """Fetch what is not here yet."""
        first = await anyio.to_thread.run_sync(self._resume)
        self._tell(first)
        while first < opener.chunks:
            begin, stop = opener.range_of(first, opener.chunks)
            async with self._channel.download(self._ticket, begin, stop) as blocks:
                first = await self._take(opener, first, stop - begin, blocks)
        await anyio.to_thread.run_sync(self._make_safe)

    def _make_safe(self) -> None:
        """Content, then name: what is told to be here is acknowledged, and deleted elsewhere."""
        self._local.sync()
        self._cache.sync_names()

    def _resume(self) -> int:
        """Return how many chunks are here and whole; their digest is taken."""
        here = min(self._local.written(), self._row.size // CHUNK_BYTES)
        first, step = 0, RUN_CHUNKS
        while first < here:
            count = min(step, here - first)
            try:
                plain = self._local.read(first * CHUNK_BYTES, count * CHUNK_BYTES)
            except CachedFileError:
                if step == 1:
                    break
                step = 1
            else:
                self.digest.update(plain)
                first += count
        return first

    async def _take(
        self, opener: FileOpener, first: int, left: int, blocks: AsyncIterator[bytes]
    ) -> int:
        """Take what one request brings; return the first chunk that it did not."""
        waiting = bytearray()
        while (block := await self._next(opener, first, waiting, blocks)) is not None:
            waiting += block
            left -= len(block)
            if left < 0:
                raise AttachmentSizeError
            while len(waiting) >= SEALED_RUN_BYTES or (left == 0 and waiting):
                with anyio.CancelScope(shield=True):  # what has come is kept
                    await anyio.to_thread.run_sync(self._keep, opener, first, waiting)
                del waiting[:SEALED_RUN_BYTES]
                first += RUN_CHUNKS
                self._tell(first)
        if left:
            raise AttachmentSizeError
        return first

    async def _next(
        self, opener: FileOpener, first: int, waiting: bytearray, blocks: AsyncIterator[bytes]
    ) -> bytes | None:
        """Return what comes next. If that breaks off, the whole chunks that wait are kept."""
        try:
            return await anext(blocks, None)
        except BaseException:
            del waiting[len(waiting) // SEALED_CHUNK_BYTES * SEALED_CHUNK_BYTES :]
            if waiting:
                with suppress(E2EError):  # why it broke off is what counts
                    self._keep(opener, first, waiting)
            raise

    def _keep(self, opener: FileOpener, first: int, waiting: bytearray) -> None:
        """Open the run that ``waiting`` begins with, and keep it."""
        with memoryview(waiting) as view, view[:SEALED_RUN_BYTES] as sealed:
            size = opener.open_into(first, sealed, self._opened)
        plain = self._opened[:size]
        if plain or first * CHUNK_BYTES <= self._row.size:
            self._local.write(first, plain)
        self.digest.update(plain)

    def _tell(self, first: int) -> None:
        if self._progress is not None:
            self._progress(min(first * CHUNK_BYTES, self._row.size), self._row.size)


async def read(core: "Core", aid: int, offset: int, size: int) -> bytes:
    """Return part of a file that is here. See ``Attachment.read``."""
    core.check_open()
    row = _row(core, aid)
    if not row.cached:
        raise AttachmentNotHereError

    def work() -> bytes:
        with core.desk.cache.open(aid, row.cache_key, row.size) as local:
            return local.read(max(0, offset), max(0, size))

    try:
        found = await anyio.to_thread.run_sync(work)
    except CachedFileError:
        await discard(core, aid)
        raise
    await core.jobs.run(lambda job: attachments.used(job.tx, aid, job.now_ms))
    return found


async def discard(core: "Core", aid: int) -> None:
    """Erase the local copy: its key first. See ``Attachment.discard``."""
    core.check_open()

    def work(job: Job) -> bool:
        row = attachments.get(job.tx, aid)
        if row is None or row.state == FileState.WAITING or row.parcel:
            return False  # it is still to be uploaded from there
        attachments.save(job.tx, row._replace(cache_key=b"", cached=0))
        return True

    if await core.jobs.run(work):
        await anyio.to_thread.run_sync(core.desk.cache.remove, aid)


async def limit(core: "Core") -> int:
    """Return how many bytes local copies may have."""
    found = core.read(lambda tx: settings.get(tx, _LIMIT))
    return DEFAULT_LIMIT_BYTES if found is None else int.from_bytes(found)


async def set_limit(core: "Core", size: int) -> None:
    """Set how many bytes local copies may have, and make it so."""
    core.check_open()
    await core.jobs.run(lambda job: settings.put(job.tx, _LIMIT, size.to_bytes(8)))
    await evict(core)


async def evict(core: "Core", keep: int = 0) -> None:
    """Discard local copies beyond the limit, the longest unused first."""
    excess = core.read(attachments.kept_bytes) - await limit(core)
    if excess <= 0:
        return
    for one in core.read(attachments.spare):
        if excess <= 0:
            return
        if one.aid != keep and not core.desk.is_fetching(one.aid):
            await discard(core, one.aid)
            excess -= one.size
