"""The sweep: blobs that are over, a round of them at a time, in slices that hold nobody up.

A round destroys shares, many of them; then, for one part after the other, it cleans the database's
log of them, deletes the files and writes the receipts (``domain/blob_sweep``). Parts go by the id
of the blobs, so that each is in a few folders, which are flushed once, and in a few pages. What the
writer does for it is cut into slices. While messages come in a slice is small, and is followed by a
rest several times as long; while nobody writes, the sweep takes what it can get.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
import anyio.to_thread
import structlog

from e2ecore_relay.domain import blob_sweep
from e2ecore_relay.domain.blob_ports import Blob
from e2ecore_relay.domain.exchange import Turn
from e2ecore_relay.server.asking import ask, scrubbed

if TYPE_CHECKING:
    from e2ecore_protocol.frames.blobs import DeletionReceipt
    from e2ecore_relay.domain.ports import Ledger
    from e2ecore_relay.server.blob_office import BlobOffice
    from e2ecore_relay.server.hub import Hub

_log = structlog.get_logger()
Result = TypeVar("Result")

ROUND: Final = 65_536
"""Shares that one round destroys at most, before the first file goes: 256 for each folder."""

_ROUND_AMONG_MESSAGES: Final = 1_024
"""The same while messages come in: slow as it is then, 65,536 would take minutes, in which their
shares were still in the log and no file had gone."""

PART: Final = 2_048
"""Blobs that are deleted together."""

_CONDEMNED: Final = 256
"""Shares that one transaction destroys while nobody writes: they lie side by side."""

_BURIED: Final = 64
"""Blobs that one transaction buries while nobody writes. The rows lie all over the tables: their
pages, and copies of these to go back to, are 5 MB of memory."""

_FILES: Final = 512
"""Files that are deleted before it is asked whether messages come in."""

_SLICE_AMONG_MESSAGES: Final = 4
"""Of any of these while messages come in: a message behind it waits for a moment. With 32 the 99th
percentile of messages was two to three times what it is without a sweep."""

_REST: Final = 4
"""How many times as long as a slice took is left to messages behind it."""

_TIDY_EVERY: Final = 256
"""Blobs after which the database's log is worked off and its memory given back. Each blob changes
some 16 KiB of pages in all corners of the tables."""

_QUIET_S: Final = 2.0
"""For so long no message has come in where nobody writes."""

_READER_PAUSE_S: Final = 0.1
"""Pause when a reader was in the way of a scrub."""


class Sweep:
    """Ends the blobs of one relay."""

    def __init__(self, hub: "Hub", office: "BlobOffice") -> None:
        """Sweep with ``keep``."""
        self._hub = hub
        self._office = office
        self._wanted = anyio.Event()
        self._envelopes = 0
        self._written_at = 0.0
        self._untidy = 0

    def look_soon(self) -> None:
        """Something was doomed: do not let it wait for the next round."""
        self._wanted.set()

    async def keep(self) -> None:
        """Sweep until cancelled."""
        while True:
            self._wanted = anyio.Event()
            try:
                has_more = await self.round()
            except Exception as error:  # noqa: BLE001  the next round tries again
                _log.error("blob_sweep_failed", error=type(error).__name__, detail=str(error))
                has_more = False
            if not has_more:
                with anyio.move_on_after(self._hub.config.expiry_interval_s):
                    await self._wanted.wait()

    async def round(self) -> bool:
        """Delete blobs whose time is over. Return whether there may be more."""
        has_more, after, stuck = await self._condemn(), b"", 0
        while doomed := await self._office.read(partial(_doomed, after)):
            after = doomed[-1].blob_id
            self._office.transfers.cut([blob.blob_id for blob in doomed])
            await self._scrub()
            left = await self._delete(doomed)
            await self._bury([blob for blob in doomed if blob.blob_id not in left])
            stuck += len(left)
        if stuck:  # they stay doomed, without a share; the next round tries again
            _log.error("blob_files_stuck", files=stuck)
        return has_more

    async def _condemn(self) -> bool:
        """Destroy shares whose time is over, and forget old receipts. Return if some are left."""
        done = 0
        while done < (_ROUND_AMONG_MESSAGES if self._is_written else ROUND):
            size = self._slice(_CONDEMNED)
            names, forgotten = await self._written(partial(self._condemn_slice, size), size)
            self._office.transfers.cut(names)
            done += size
            if max(len(names), forgotten) < size:
                return False
        return True

    def _condemn_slice(self, size: int, turn: Turn) -> tuple[list[bytes], int]:
        table, now = turn.ledger.blobs, self._office.count_on(turn)
        forgotten = table.forget_receipts(now.now_ms, size)
        return [blob.blob_id for blob in blob_sweep.condemn(table, now, size)], forgotten

    async def _scrub(self) -> None:
        """Wait until nothing of the destroyed shares is in the database's files."""
        await self._work_off_log()
        # There is no event for readers to set; it is rare.
        while not await scrubbed(self._hub.store):  # noqa: ASYNC110
            await anyio.sleep(_READER_PAUSE_S)

    async def _delete(self, doomed: list[Blob]) -> set[bytes]:
        """Delete files, folder by folder: each is flushed once for all. Return which stayed."""
        left, stuck = sorted([blob.blob_id for blob in doomed], reverse=True), set[bytes]()
        while left:
            part = [left.pop() for _ in range(min(self._slice(_FILES), len(left)))]
            started = time.monotonic()
            delete = partial(self._office.folder.delete, part)
            stuck |= await anyio.to_thread.run_sync(delete, limiter=self._office.threads)
            await self._rest(started)
        return stuck

    async def _bury(self, doomed: list[Blob]) -> None:
        """Sign receipts, those of one device together."""
        left = sorted(doomed, key=attrgetter("device"), reverse=True)
        while left:
            size = self._slice(_BURIED)
            part = [left.pop() for _ in range(min(size, len(left)))]
            for receipt in await self._written(partial(self._bury_slice, part), size):
                self._hub.metrics.blobs_deleted[str(receipt.reason)] += 1

    def _bury_slice(self, doomed: Sequence[Blob], turn: Turn) -> list["DeletionReceipt"]:
        return blob_sweep.bury(self._office.keeper, turn, self._office.time(), doomed)

    # --- holding nobody up ----------------------------------------------------------------------

    def _slice(self, size: int) -> int:
        return _SLICE_AMONG_MESSAGES if self._is_written else size

    @property
    def _is_written(self) -> bool:
        """Has a message come in lately?"""
        envelopes, now = self._hub.store.statistics.envelopes, time.monotonic()
        if envelopes != self._envelopes:
            self._envelopes, self._written_at = envelopes, now
        return bool(self._written_at) and now - self._written_at < _QUIET_S

    async def _written(self, work: Callable[[Turn], Result], size: int) -> Result:
        """Have the writer do a slice, then leave it to the messages."""
        started = time.monotonic()
        self._untidy += size
        is_due = self._untidy >= _TIDY_EVERY
        if is_due or size > _SLICE_AMONG_MESSAGES:
            self._hub.store.trim()
        result = await ask(self._hub.store, work)
        await self._rest(started)
        if is_due:
            self._untidy = 0
            await self._work_off_log()
        return result

    async def _work_off_log(self) -> None:
        started = time.monotonic()
        checkpoint = self._hub.store.checkpoint
        await anyio.to_thread.run_sync(checkpoint, limiter=self._office.threads)
        await self._rest(started)

    async def _rest(self, started: float) -> None:
        """Leave the disk and the processor to the messages, if there are any."""
        if self._is_written:
            await anyio.sleep((time.monotonic() - started) * _REST)


def _doomed(after: bytes, ledger: "Ledger") -> list[Blob]:
    return ledger.blobs.doomed(PART, after)
