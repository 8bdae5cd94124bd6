"""One message more: what storing it takes, singly and together, and what the disk allows."""

from __future__ import annotations

import os
import time
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Final, TypeVar

from benchmarks.corpus import Corpus
from benchmarks.floors.message_rows import MessageRowsFloor
from benchmarks.measuring import FLOOR
from benchmarks.model import (
    OURS,
    Context,
    Measure,
    Result,
    Scale,
    Scenario,
    at_most,
    no_less_than,
)
from benchmarks.scenarios.stored_history import PASSPHRASE, add_conversations
from e2ecore.storage import conversations, messages, mls_rows
from e2ecore.storage.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from e2ecore.storage.messages import MessageRow
    from e2ecore.storage.tx import Tx

T = TypeVar("T")

US_PER_S: Final = 1e6
RATCHET_BYTES: Final = 120
GROUP: Final = 256
"""Messages that wait together in the group-committed run."""
BETWEEN_S: Final = 300e-6
"""What a lone message costs before it is stored: opening its frame, decrypting it."""
FLUSH: Final = "bare flush"
FLUSH_BYTES: Final = 3 * (24 + 4096)
"""What a message adds to SQLite's log: three pages with their headers."""


def _receive(
    tx: Tx, row: MessageRow, ratchet: bytes, traffic: conversations.ConversationRow
) -> None:
    """Write what receiving one message writes."""
    messages.insert(tx, [row])
    mls_rows.apply(tx, traffic.cid, {(7, 1, 1): ratchet})
    conversations.save_traffic(tx, [traffic._replace(cursor=row.seq)])


def _jobs(
    rows: Sequence[MessageRow], traffic: conversations.ConversationRow
) -> list[Callable[[Tx], None]]:
    ratchet = bytes(RATCHET_BYTES)
    return [partial(_receive, row=row, ratchet=ratchet, traffic=traffic) for row in rows]


def _singly(store: Callable[[T], object], items: Sequence[T]) -> float:
    """Return how many microseconds storing takes, each item after the pause that there is."""
    taken = 0.0
    for item in items:
        go_on = time.perf_counter() + BETWEEN_S
        while (began := time.perf_counter()) < go_on:
            pass
        store(item)
        taken += time.perf_counter() - began
    return taken * US_PER_S / len(items)


class Flush:
    """A file that is laid out and written over, as SQLite's log is; nothing else."""

    def __init__(self, path: Path) -> None:
        self._size = GROUP * FLUSH_BYTES
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.pwrite(self._file, bytes(self._size), 0)
        os.fsync(self._file)
        self._at = 0

    def store(self, _: object) -> None:
        """Write as much as a message does, and have it on the disk."""
        os.pwrite(self._file, os.urandom(FLUSH_BYTES), self._at)
        os.fsync(self._file)
        self._at = (self._at + FLUSH_BYTES) % self._size

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


class Receiving:
    """Our storage layer, the same SQL on SQLCipher, and a file that is only flushed."""

    def __init__(self, home: Path) -> None:
        self.database = Database.create(home / "ours.db", PASSPHRASE)
        self.floor = MessageRowsFloor(home / "floor.db")
        self.flush = Flush(home / "flush")
        self.database.writer.call(add_conversations)
        traffic = self.database.readers.read(lambda tx: conversations.get(tx, 1))
        if traffic is None:
            raise LookupError
        self._traffic = traffic

    def _here(self, job: Callable[[Tx], None]) -> None:
        """Store as the engine does with a lone message."""
        writer = self.database.writer
        if writer.run_here(job) is None:
            writer.call(job)
        else:
            writer.look_after_log()

    def _together(self, jobs: Sequence[Callable[[Tx], None]]) -> None:
        waiting = [self.database.writer.submit(job) for job in jobs]
        self.database.writer.call(lambda _tx: None)
        for one in waiting:
            one.result()

    def chunk(
        self,
        lone: Sequence[MessageRow],
        others: Sequence[MessageRow],
        grouped: Sequence[MessageRow],
    ) -> dict[str, float]:
        """Store some messages singly, with everything in turn, then some together."""
        ratchet = bytes(RATCHET_BYTES)
        floor = _singly(lambda row: self.floor.store([row], ratchet), lone)
        ours = _singly(self._here, _jobs(lone, self._traffic))
        thread = _singly(self.database.writer.call, _jobs(others, self._traffic))
        flush = _singly(self.flush.store, lone)
        jobs = _jobs(grouped, self._traffic)
        began = time.perf_counter()
        self._together(jobs)
        together = len(jobs) / (time.perf_counter() - began)
        return {
            "us": ours, "per_second": US_PER_S / ours, "thread_us": thread,
            "grouped_per_second": together, "floor_us": floor, "flush_us": flush,
        }  # fmt: skip

    def close(self) -> None:
        """Close all."""
        self.database.close()
        self.floor.close()
        self.flush.close()


def _run_receive(context: Context, size: int) -> Result:
    result, corpus = Result(), Corpus()
    receiving = Receiving(context.home)
    try:
        supply = corpus.messages(10**9)
        for _ in range(context.runs):
            samples: list[dict[str, float]] = []
            for at in range(0, size, GROUP):
                count = min(GROUP, size - at)
                rows = [[next(supply) for _ in range(count)] for _ in range(3)]
                samples.append(receiving.chunk(*rows))
            sums = {key: median(one[key] for one in samples) for key in samples[0]}
            result.add(OURS, sums)
            result.add(FLOOR, {"us": sums["floor_us"], "per_second": US_PER_S / sums["floor_us"]})
            result.add(FLUSH, {"us": sums["flush_us"], "per_second": US_PER_S / sums["flush_us"]})
    finally:
        receiving.close()
    return result


RECEIVE: Final = Scenario(
    name="stored_receive",
    title="One message more",
    about=(
        "What receiving a message writes (message, ratchet, cursor; the counter against repeats is "
        "in the ratchet and the cursor), durable: one by one, each in a transaction of its own, "
        "through our storage layer as the engine stores a lone message, and with the same SQL "
        f"straight on SQLCipher, in turn. Between two lie {BETWEEN_S * 1e3:g} ms of other work, as "
        "decrypting does; it is not counted. Then from another thread than the writer's, and "
        f"{GROUP} that wait together, each a job of its own. Beside it what the disk allows: as "
        "many bytes written over in place and flushed, no database. Time on the clock, medians."
    ),
    sizes={Scale.QUICK: 256, Scale.SHORT: 2_048, Scale.LONG: 8_192},
    size_unit="messages",
    measures=(
        Measure("us", "us", "us", "one message, one transaction", FLOOR, at_most(1.5)),
        Measure("us_flush", "us", "us", "the same", FLUSH),
        Measure("per_second", "per_second", "1/s", "one by one", FLUSH, no_less_than(3_000)),
        Measure("thread_us", "thread_us", "us", "from another thread", FLOOR, reference_key="us"),
        Measure(
            "grouped_per_second", "grouped_per_second", "1/s", "committed together",
            goal=no_less_than(10_000),
        ),
    ),
    run=_run_receive,
)  # fmt: skip
