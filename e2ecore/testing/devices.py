"""Engines for tests: real ones, with a real encrypted database, on a relay in memory."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import anyio.to_thread

from e2ecore.crypto.password import Argon2idParameters
from e2ecore.crypto.rng import Rng, system_rng
from e2ecore.crypto.suites import DEFAULT_SUITE
from e2ecore.engine.engine import Engine, system_clock_ms
from e2ecore.engine.own_devices.parting import refuse_parted
from e2ecore.storage.database import Database, is_present
from e2ecore.storage.sql import Connection
from e2ecore.testing.memory_relay import MemoryRelay
from e2ecore.transport.login import Dial

PASSPHRASE: Final = "a passphrase for tests"  # noqa: S105 - of throw-away databases
CHEAP: Final = Argon2idParameters(memory_kib=64, iterations=1, lanes=1)
"""What one guess costs here: nothing, so that tests open databases in no time."""


async def open_device(
    path: Path,
    relay: Dial | None,
    *,
    clock_ms: Callable[[], int] = system_clock_ms,
    rng: Rng = system_rng,
    connect: Callable[[Path], Connection] = Connection,
) -> Engine:
    """Open a database as ``e2ecore.open`` does, but with a cheap passphrase.

    Args:
        path: The database; made if it is not there.
        relay: ``MemoryRelay.dial``, or None to stay offline.
        clock_ms: The device's clock, milliseconds since the Unix epoch.
        rng: Randomness of the device.
        connect: Makes the database's connections; a test may put one in that fails.
    """

    def unlock() -> Database:
        if is_present(path):
            found = Database.open(path, PASSPHRASE, connect=connect)
            refuse_parted(found)
            return found
        return Database.create(path, PASSPHRASE, parameters=CHEAP, rng=rng, connect=connect)

    database = await anyio.to_thread.run_sync(unlock)
    return Engine(database, relay, suite=DEFAULT_SUITE, clock_ms=clock_ms, rng=rng)


@asynccontextmanager
async def devices(
    folder: Path,
    *handles: str,
    clock_ms: Callable[[], int] = system_clock_ms,
) -> AsyncIterator[tuple[MemoryRelay, list[Engine]]]:
    """Open one registered device for each handle, on one relay in memory.

    Args:
        folder: Where the databases are made.
        handles: Who there is.
        clock_ms: The clock of everybody.
    """
    relay = MemoryRelay(clock_ms=clock_ms)
    async with AsyncExitStack() as stack:
        engines: list[Engine] = []
        for handle in handles:
            opened = await open_device(folder / f"{handle}.db", relay.dial, clock_ms=clock_ms)
            engine = await stack.enter_async_context(opened)
            await engine.register(handle)
            await engine.caught_up()
            engines.append(engine)
        yield relay, engines


@asynccontextmanager
async def two_devices(folder: Path) -> AsyncIterator[tuple[MemoryRelay, Engine, Engine]]:
    """Open two registered devices, ``alice`` and ``bob``, on one relay in memory."""
    async with devices(folder, "alice", "bob") as (relay, (alice, bob)):
        yield relay, alice, bob
