"""What keeps blobs: the signing key, the count of time, the folder; and that rows and files agree.

What ends them is in ``blob_sweeping``.
"""

import os
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import anyio.abc
import anyio.to_thread
import nacl.bindings
import structlog

from e2ecore_relay.backends.folder import BlobFolder, GrowingFile
from e2ecore_relay.domain import blob_sweep
from e2ecore_relay.domain.blob_ports import Blob
from e2ecore_relay.domain.blobs import BlobKeeper, BlobRules
from e2ecore_relay.domain.clock import BlobTime, Count, Reading, blob_time, count
from e2ecore_relay.domain.exchange import Turn
from e2ecore_relay.domain.log import LogKind
from e2ecore_relay.server.asking import ask
from e2ecore_relay.server.blob_sweeping import Sweep
from e2ecore_relay.server.blob_transfers import Transfers
from e2ecore_relay.server.config import RelayConfig

if TYPE_CHECKING:
    from e2ecore_relay.domain.ports import Ledger
    from e2ecore_relay.server.hub import Hub

_log = structlog.get_logger()

FOLDER_NAME: Final = "blobs"
"""The folder of the bytes, in the data directory."""

_WALK: Final = 1_000
"""Rows, or files, compared at once when the two are compared."""

_WALK_INTERVAL_S: Final = 86_400
"""How often rows and files are compared after the start."""

_THREADS: Final = 4
"""Threads that read and write bytes."""


def system_reading() -> Reading:
    """Return what the clocks of this machine say."""
    day_ms = time.time_ns() // 1_000_000
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    if clock is None:
        return Reading(day_ms, time.monotonic_ns() // 1_000_000, _RUN)
    return Reading(day_ms, time.clock_gettime_ns(clock) // 1_000_000, _boot())


_RUN: Final = time.time_ns().to_bytes(8)
"""Names this process, where the machine does not name its runs."""


def _boot() -> bytes:
    try:
        return bytes.fromhex(
            Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip().replace("-", "")
        )
    except (OSError, ValueError):
        return _RUN


class BlobOffice:
    """Keeps the blobs of one relay. ``open_office`` makes it."""

    def __init__(
        self, hub: "Hub", keeper: BlobKeeper, counted: Count, reading: Callable[[], Reading]
    ) -> None:
        """Sweep with ``keep``."""
        self.keeper = keeper
        self.transfers = Transfers()
        self.threads = anyio.CapacityLimiter(_THREADS)
        self.folder = BlobFolder(hub.config.data / FOLDER_NAME)
        self._hub = hub
        self._counted = counted
        self._reading = reading
        self._doubt_ms = int(hub.config.clock_doubt_s * 1000)
        self._sweep = Sweep(hub, self)
        self._flushing = anyio.CapacityLimiter(1)
        self._tasks: anyio.abc.TaskGroup | None = None

    def time(self) -> BlobTime:
        """Return what time it is for blobs. From any thread."""
        reading = self._reading()
        return blob_time(count(self._counted, reading, self._doubt_ms), reading)

    def has_room(self, size: int) -> bool:
        """Tell whether the disk keeps its reserve after so many bytes."""
        return self.folder.free_bytes() - size >= self._hub.config.blob_min_free_bytes

    def look_soon(self) -> None:
        """Something was doomed: do not let it wait for the next round."""
        self._sweep.look_soon()

    def flush_soon(self, file: GrowingFile) -> None:
        """Begin to write to the disk what an upload has brought so far, beside what still comes.

        So the flush at its end, which is waited for, has little left to do.
        """
        if self._tasks is not None and self._flushing.statistics().borrowed_tokens == 0:
            self._tasks.start_soon(self._flush, file.another())

    async def _flush(self, file: int) -> None:
        try:
            await anyio.to_thread.run_sync(os.fdatasync, file, limiter=self._flushing)
        except OSError as error:
            _log.warning("flush_failed", error=error.strerror)  # the flush at the end says it, too
        finally:
            os.close(file)

    async def keep(self) -> None:
        """Sweep until cancelled."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            tasks.start_soon(self._sweep.keep)
            tasks.start_soon(self._compare_now_and_then)

    def count_on(self, turn: Turn) -> BlobTime:
        """Store how far time has been counted. Return what time it is."""
        reading = self._reading()
        self._counted = count(self._counted, reading, self._doubt_ms)
        turn.ledger.blobs.set_counted(self._counted)
        return blob_time(self._counted, reading)

    # --- rows and files -------------------------------------------------------------------------

    async def _compare_now_and_then(self) -> None:
        while True:
            try:
                await self.compare()
            except Exception as error:  # noqa: BLE001  the next round tries again
                _log.error("blob_comparison_failed", error=type(error).__name__)
            await anyio.sleep(_WALK_INTERVAL_S)

    async def compare(self) -> None:
        """Delete bytes that no row names; doom blobs whose bytes are not there."""
        left_over = await anyio.to_thread.run_sync(self._delete_orphans, limiter=self.threads)
        self._hub.metrics.blob_orphans += left_over
        after, missing = 0, 0
        while blobs := await self.read(partial(_rows_after, after)):
            after = blobs[-1].blob
            look = partial(blob_sweep.lost, self.folder, blobs)
            if lost := await anyio.to_thread.run_sync(look, limiter=self.threads):
                await ask(self._hub.store, partial(_give_up, lost))
                missing += len(lost)
        if left_over or missing:
            _log.warning("blobs_compared", orphans=left_over, missing=missing)
            self.look_soon()

    def _delete_orphans(self) -> int:
        deleted = 0
        names = self.folder.names()
        while part := list(islice(names, _WALK)):
            found = self._hub.store.walk(partial(_orphans, part))
            deleted += len(found) - len(self.folder.delete(found))
        return deleted

    async def read(self, work: "Callable[[Ledger], list[Blob]]") -> list[Blob]:
        """Read rows, beside the writer."""
        walk = self._hub.store.walk
        return await anyio.to_thread.run_sync(lambda: walk(work), limiter=self.threads)


def _orphans(names: list[bytes], ledger: "Ledger") -> list[bytes]:
    return blob_sweep.orphans(ledger.blobs, names)


def _give_up(blobs: list[int], turn: Turn) -> None:
    blob_sweep.give_up(turn.ledger.blobs, blobs)


def _rows_after(blob: int, ledger: "Ledger") -> list[Blob]:
    return ledger.blobs.after(blob, _WALK)


async def open_office(hub: "Hub", port: int, reading: Callable[[], Reading]) -> BlobOffice:
    """Load the signing key and the count of time; make them at the first start.

    Args:
        hub: With its store.
        port: Where clients find the bytes.
        reading: The machine's clocks.
    """
    doubt_ms = int(hub.config.clock_doubt_s * 1000)
    new_seed = hub.rng(nacl.bindings.crypto_sign_SEEDBYTES)

    def load(turn: Turn) -> tuple[bytes, Count]:
        table = turn.ledger.blobs
        seed = table.receipt_seed()
        if seed is None:
            table.set_receipt_seed(new_seed)
        counted = count(table.counted(), reading(), doubt_ms)
        table.set_counted(counted)
        return seed or new_seed, counted

    seed, counted = await ask(hub.store, load)
    public, secret = nacl.bindings.crypto_sign_seed_keypair(seed)

    def sign(message: bytes) -> bytes:
        return nacl.bindings.crypto_sign(message, secret)[: nacl.bindings.crypto_sign_BYTES]

    name, rules = hub.config.server_name, rules_of(hub.config)
    keeper = BlobKeeper(name, rules, port, public, sign, hub.rng)
    return BlobOffice(hub, keeper, counted, reading)


def rules_of(config: RelayConfig) -> BlobRules:
    """Return what the operator set."""
    return BlobRules(
        config.max_blob_bytes,
        {
            LogKind.DIRECT: config.blob_ttl_direct_s,
            LogKind.GROUP: config.blob_ttl_group_s,
            LogKind.SELF: config.blob_ttl_direct_s,
        },
        config.blob_bytes_per_account,
        config.blobs_per_account,
        config.blob_bytes_per_conversation,
    )
