"""Fill, export and import databases, each in a process of its own so that its memory can be told.

`python -m benchmarks.workers.portability ACTION FOLDER COUNT`, one JSON object on standard output.
"""

from __future__ import annotations

import json
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio

from benchmarks import usage
from benchmarks.corpus import CONVERSATIONS, Corpus
from e2ecore.engine.engine import system_clock_ms
from e2ecore.storage import conversations, messages
from e2ecore.storage.conversations import ConversationKind, ConversationState
from e2ecore.storage.database import Database
from e2ecore.testing import MemoryRelay
from e2ecore.testing.devices import PASSPHRASE, open_device

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from e2ecore.storage.messages import MessageRow
    from e2ecore.storage.tx import Tx

BATCH: Final = 5_000
SORTED: Final = 100_000
"""Messages that are put in order before they are stored: the layout is that of a grown history."""
MEGABYTE: Final = 1e6
FULL: Final = "full.db"
EMPTY: Final = "empty.db"
EXPORT: Final = "export.zip"


async def register(path: Path) -> None:
    """Make the database of an account."""
    relay = MemoryRelay(clock_ms=system_clock_ms)
    async with await open_device(path, relay.dial) as engine:
        await engine.register("alice")


def begin(tx: Tx) -> None:
    """Make the conversations that messages are in."""
    for number in range(CONVERSATIONS):
        conversations.create(
            tx,
            uid=number.to_bytes(16, "big"),
            kind=ConversationKind.GROUP,
            state=ConversationState.LEFT,
            title=f"group {number}",
            created_ms=1,
        )


def store(tx: Tx, rows: list[MessageRow]) -> None:
    """Store messages, the last one of each conversation the newest."""
    messages.insert(tx, rows)
    newest = {row.id >> messages.ORDER_BITS: row for row in rows}
    for cid, row in newest.items():
        kept = conversations.get(tx, cid)
        if kept is not None:
            order = row.id & ((1 << messages.ORDER_BITS) - 1)
            fresh = kept._replace(last_mid=max(kept.last_mid, row.mid), next_order=order + 1)
            conversations.save_traffic(tx, (fresh,))


def fill(folder: Path, count: int) -> dict[str, float]:
    """Make a database with messages in it, and an empty one of another account."""
    for name in (FULL, EMPTY):
        anyio.run(register, folder / name, backend="trio")
    fill_database(folder / FULL, count)
    return {}


def fill_database(path: Path, count: int, passphrase: str = PASSPHRASE) -> None:
    """Put messages into the database of an account that has no conversations yet."""
    database = Database.open(path, passphrase)
    try:
        database.writer.call(begin)
        found: list[MessageRow] = []
        for number, row in enumerate(Corpus().messages(count), 1):
            found.append(row)
            if number % SORTED == 0 or number == count:
                found.sort()
                for at in range(0, len(found), BATCH):
                    database.writer.call(partial(store, rows=found[at : at + BATCH]))
                found.clear()
    finally:
        database.close()


async def _export(folder: Path, count: int) -> dict[str, float]:
    async with await open_device(folder / FULL, None) as engine:
        began = time.perf_counter()
        report = await engine.my_data.export(folder / EXPORT)
        taken = time.perf_counter() - began
    if report.messages != count:
        raise AssertionError(f"{report.messages} of {count} messages exported")
    size = (folder / EXPORT).stat().st_size
    return {"rate": count / taken, "bytes": size / count}


async def _import(folder: Path, count: int) -> dict[str, float]:
    async with await open_device(folder / EMPTY, None) as engine:
        began = time.perf_counter()
        report = await engine.my_data.import_file(folder / EXPORT)
        taken = time.perf_counter() - began
        if report.messages != count:
            raise AssertionError(f"{report.messages} of {count} messages imported")
        began = time.perf_counter()
        again = await engine.my_data.import_file(folder / EXPORT)
        again_taken = time.perf_counter() - began
    if again.known != count:
        raise AssertionError(f"{again.known} of {count} messages known")
    return {"rate": count / taken, "again_rate": count / again_taken}


def main(
    plain: Mapping[str, Callable[[Path, int], dict[str, float]]],
    running: Mapping[str, Callable[[Path, int], Awaitable[dict[str, float]]]],
) -> None:
    """Do what the command line says, and say what came of it.

    Args:
        plain: What can be done.
        running: What can be done in an event loop.
    """
    action, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if action in plain:
        found = plain[action](folder, count)
    else:
        found = anyio.run(running[action], folder, count, backend="trio")
    found["peak_mb"] = usage.peak_rss_bytes(os.getpid()) / MEGABYTE
    print(json.dumps(found))  # noqa: T201 - the answer


if __name__ == "__main__":
    main({"fill": fill}, {"export": _export, "import": _import})
