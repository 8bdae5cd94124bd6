"""The embedded store: one writer thread with group commit, a few reading connections.

Jobs are handed over in a queue, without a lock. The writer takes whatever is there, runs it in one
transaction, commits once (synchronous FULL: one flush of the disk for all), and reports the whole
batch with one wake-up of the event loop. So the cost of durability is shared by whoever waits at
the same time, and somebody who waits alone waits for nobody: only when the last batch was large
does the writer pause for a moment to let the next one grow.

While the writer rests, a lone submit does not even wait for another thread: the event loop commits
it itself. That saves two thread switches of the five that a lone message costs the relay (measured:
12 % more messages one after another). It is done only where it holds nobody up (the disk is quick,
the store has been idle for longer than a commit takes) and overtakes nothing: batches are reported
in the order of their commits, or a device that has just come would miss what came meanwhile.

Acknowledgements are noted and ride along with a later transaction, or get one of their own after
``PROGRESS_DELAY_S``: losing one means that an envelope is sent again, which its reader recognises.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar

from e2ecore_relay.backends.sqlite.connection import Connection, StoreError, checkpoint, scrub
from e2ecore_relay.backends.sqlite.database import Database
from e2ecore_relay.backends.sqlite.jobs import AnyJob, CallJob, Statistics, SubmitJob
from e2ecore_relay.backends.sqlite.journal import GENERATION_S, Journal
from e2ecore_relay.backends.sqlite.ledger import SqliteLedger
from e2ecore_relay.backends.sqlite.pages import SqlitePages
from e2ecore_relay.backends.sqlite.readers import Readers
from e2ecore_relay.domain.errors import RefusedError
from e2ecore_relay.domain.exchange import Exchange, Push, Turn
from e2ecore_relay.domain.feed import Span
from e2ecore_relay.domain.ports import Page

Result = TypeVar("Result")

PROGRESS_DELAY_S: Final = 0.5
"""How long acknowledgements wait for a transaction to ride along with. A shorter time costs flushes
of the disk, for which messages have to wait."""
_MAX_NOTED: Final = 4_096
"""Cursors noted at most before they are stored."""
_LARGE_BATCH: Final = 8
"""Jobs from which on a batch counts as large."""
_LINGER_S: Final = 0.003
"""How long the writer lets the next batch grow after a large one."""
_QUICK_S: Final = 0.002
"""The event loop commits by itself only if the last commit did not take longer."""
_CHECKPOINT_IDLE_S: Final = 5.0
"""Quiet seconds after which the write-ahead log is emptied, so that deleted rows leave the disk."""


class SqliteStore:
    """Runs jobs in the writer thread, and reads on further connections."""

    def __init__(
        self,
        database: Database,
        *,
        clock_ms: Callable[[], int],
        wake: Callable[[Callable[[], None]], None],
        pushed: Callable[[list[Push]], None],
        failed: Callable[[StoreError], None],
    ) -> None:
        """Open the writing connection and start the thread.

        Args:
            database: The data directory.
            clock_ms: Milliseconds since the Unix epoch.
            wake: Runs a function soon on the event loop; callable from any thread.
            pushed: Called on the event loop after each commit, after the jobs' own reports.
            failed: Called on the event loop if the thread ends by a defect.
        """
        self.statistics = Statistics()
        self._clock_ms = clock_ms
        self._wake = wake
        self._pushed = pushed
        self._failed = failed
        self._exchange = Exchange()
        self.audience = self._exchange.audience
        self._changed = threading.Condition()
        self._turn = threading.Lock()
        """Held by the thread that uses the writing connection, the exchange and the journal."""
        self._took_s = math.inf
        self._ended_at = 0.0
        self._jobs: deque[AnyJob] = deque()
        self._notes: deque[tuple[int, Mapping[int, int]]] = deque()
        self._scrubs: deque[Callable[[bool], None]] = deque()
        self._trims = False
        self._untold: deque[tuple[list[AnyJob], list[Push]]] = deque()
        """What the writer has committed and the event loop has not reported, the oldest first."""
        self._pending_bytes = 0
        self._stopping = self._resting = self._looks_soon = False
        self._connection = database.writer()
        self._journal = Journal(self._connection)
        self._journal.reload()
        self._readers = Readers(database.reader, self._journal)
        self._walkers = Readers(database.walker, self._journal)
        self._stale = False
        self._due_at = time.monotonic() + GENERATION_S
        self._emptied_at = 0
        self._ledger = SqliteLedger(self._connection, self._journal)
        self._thread = threading.Thread(target=self._run, name="relay-writer", daemon=True)
        self._thread.start()

    # --- any thread -----------------------------------------------------------------------------

    @property
    def pending_bytes(self) -> int:
        """Payload bytes that wait for the writer. At too many, sockets are not read."""
        return self._pending_bytes

    def submit(self, job: SubmitJob) -> None:
        """Take envelopes: queue them, or commit them here and now. For the event loop only."""
        if self._resting and self._commit_here(job):
            return
        self._pending_bytes += job.size
        self._jobs.append(job)
        if self._resting:
            self._wake_writer()

    def _commit_here(self, job: SubmitJob) -> bool:
        """Commit one job in the calling thread, if that holds nobody up. Return whether it did."""
        if self._jobs or not self._turn.acquire(blocking=False):
            return False
        try:
            now = time.monotonic()
            idle_s = now - self._ended_at
            is_due = self._has_leftovers and now >= self._due_at
            if self._took_s > min(idle_s, _QUICK_S) or is_due or self._untold or self._stopping:
                return False
            pushes = self._commit([job], store_progress=False)
        finally:
            self._turn.release()
        try:
            self._report([job], pushes)
        except ExceptionGroup as defects:
            self._wake(partial(_throw, defects))  # not the business of whoever submitted
        if self._resting and not self._looks_soon:
            self._wake_writer()  # what was just written has to move on before long
        return True

    def call(
        self,
        work: Callable[[Turn], Result],
        done: Callable[[Result | Exception], None],
    ) -> None:
        """Queue anything else."""
        self._jobs.append(CallJob(work, done))  # type: ignore[arg-type]  # result and receiver agree
        if self._resting:
            self._wake_writer()

    def note_progress(self, device: int, cursors: Mapping[int, int]) -> None:
        """Take acknowledgements: cursors by log number. Stored later.

        The writer is woken for them only if it would not look by itself in time.
        """
        self._notes.append((device, cursors))
        if self._resting and not self._looks_soon and len(self._notes) == 1:
            self._wake_writer()

    def scrub(self, done: Callable[[bool], None]) -> None:
        """Leave nothing in the log of what was overwritten; ``done`` hears if that could be."""
        self._scrubs.append(done)
        if self._resting:
            self._wake_writer()

    def checkpoint(self) -> None:
        """Work off the log in the calling thread, so that little is left for ``scrub`` to do."""
        self.walk(lambda ledger: checkpoint(ledger.connection))

    def trim(self) -> None:
        """Give back, after the next commit, the memory of pages that a sweep went through."""
        self._trims = True

    def _wake_writer(self) -> None:
        """Wake the writer, which rests: a busy one looks for itself."""
        with self._changed:
            self._resting = False
            self._changed.notify()

    def read(self, work: Callable[[SqliteLedger], Result]) -> Result:
        """Run a function that only reads, in the calling thread, on a connection of its own.

        Raises:
            StoreError: As the function, or as opening does.
        """
        return self._readers.read(work)

    def walk(self, work: Callable[[SqliteLedger], Result]) -> Result:
        """As ``read``, for what goes through many rows once: keeps little of them in memory."""
        return self._walkers.read(work)

    def pages(self, device: int, spans: Sequence[Span], items: int, size: int) -> list[Page]:
        """Read pages for one device, as ports.PageReader, in the calling thread."""
        return self.read(
            lambda ledger: SqlitePages(ledger.connection, self._journal).read(
                device, spans, items, size
            )
        )

    def close(self) -> None:
        """Finish what is queued, store the acknowledgements, close. Blocks."""
        self._stopping = True
        self._wake_writer()
        self._thread.join()
        self._readers.close()
        self._walkers.close()
        self._connection.close()

    # --- the writer thread --------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001  without its writer the relay must not go on
            reason = f"the writer stopped: {type(error).__name__}: {error}"
            self._wake(lambda: self._failed(StoreError(reason)))

    def _work(self) -> None:
        busy = 0
        stopping = False
        while not stopping or busy:
            if busy >= _LARGE_BATCH:
                time.sleep(_LINGER_S)
            if not (self._jobs or self._notes or self._scrubs or self._stopping):
                self._rest()
            with self._turn:
                jobs, stopping = self._take()
                pushes = self._commit_what_is_due(jobs, stopping=stopping)
                if self._trims:
                    self._trims = False
                    self._connection.execute("PRAGMA shrink_memory")
                if jobs or pushes:
                    self._untold.append((jobs, pushes))
                    self._wake(self._tell)
            if self._scrubs:
                self._scrub()
            busy = len(jobs)

    def _commit_what_is_due(self, jobs: list[AnyJob], *, stopping: bool) -> list[Push]:
        store_progress = stopping or self._progress_due()
        if jobs or (store_progress and self._has_leftovers):
            return self._commit(jobs, store_progress=store_progress)
        return []

    def _take(self) -> tuple[list[AnyJob], bool]:
        """Take what waits. Also tell whether the end has come."""
        stopping = self._stopping
        jobs, notes = self._jobs, self._notes
        taken = [jobs.popleft() for _ in range(len(jobs))]
        self._pending_bytes = 0
        if notes and not self._exchange.noted:
            self._due_at = min(self._due_at, time.monotonic() + PROGRESS_DELAY_S)
        for _ in range(len(notes)):
            self._exchange.note_progress(*notes.popleft())
        return taken, stopping

    def _rest(self) -> None:
        """Wait for jobs, or until something is due, or until the end, with the lock released.

        What was queued before ``_resting`` was set is seen here.
        """
        waits = self._has_leftovers
        left_s = max(self._due_at - time.monotonic(), 0)
        timeout_s = min(left_s, PROGRESS_DELAY_S) if waits else _CHECKPOINT_IDLE_S
        with self._changed:
            self._looks_soon = waits
            self._resting = True
            woken = True
            if not (self._jobs or self._notes or self._scrubs or self._stopping):
                woken = self._changed.wait(timeout_s)
            self._resting = False
        if not woken and not waits:
            self._empty_log()

    @property
    def _has_leftovers(self) -> bool:
        """Is there anything to store that nobody waits for?"""
        return bool(self._exchange.noted) or not self._journal.is_empty

    def _progress_due(self) -> bool:
        return self._exchange.noted > _MAX_NOTED or time.monotonic() >= self._due_at

    def _empty_log(self) -> None:
        """Nothing to do for a while: copy the write-ahead log into the database and cut it off."""
        with self._turn:
            commits = self.statistics.commits
            if commits != self._emptied_at:
                self._emptied_at = commits
                with suppress(StoreError):  # the disk is full: next time
                    self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def _scrub(self) -> None:
        waiting, is_done = [self._scrubs.popleft() for _ in range(len(self._scrubs))], False
        with self._turn, suppress(StoreError):
            is_done = scrub(self._connection)
        for done in waiting:
            self._wake(partial(done, is_done))

    def _commit(self, jobs: Sequence[AnyJob], *, store_progress: bool) -> list[Push]:
        pushes: list[Push] = []
        started = time.monotonic()
        try:
            pushes = self._transaction(jobs, started, store_progress=store_progress)
        except Exception as error:  # noqa: BLE001  whatever it is, everybody who waits must hear of it
            self._abandon(jobs, error)
        now = time.monotonic()
        if store_progress or now >= self._due_at:
            self._due_at = now + (PROGRESS_DELAY_S if self._exchange.noted else GENERATION_S)
        self.statistics.commits += 1
        self.statistics.jobs += len(jobs)
        self.statistics.commit_s += now - started
        self._took_s, self._ended_at = now - started, now
        return pushes

    def _tell(self) -> None:
        """Report the oldest batch of the writer's."""
        try:
            self._report(*self._untold[0])
        finally:
            self._untold.popleft()

    def _report(self, jobs: Sequence[AnyJob], pushes: list[Push]) -> None:
        """Tell everybody. A defect in one report must not keep the others from theirs."""
        defects: list[Exception] = []
        for job in jobs:
            try:
                job.finish()
            except Exception as error:  # noqa: BLE001  raised below
                defects.append(error)
        self._pushed(pushes)
        if defects:
            raise ExceptionGroup("reports failed", defects)

    def _transaction(
        self, jobs: Sequence[AnyJob], now: float, *, store_progress: bool
    ) -> list[Push]:
        exchange, ledger, connection = self._exchange, self._ledger, self._connection
        if self._stale:
            self._journal.reload()
            self._stale = False
        turn = Turn(exchange, ledger, self._clock_ms())
        connection.execute("BEGIN IMMEDIATE")
        submits = [job.envelopes for job in jobs if type(job) is SubmitJob]
        exchange.prepare(ledger, submits)
        for job in jobs:
            if type(job) is SubmitJob:
                job.run(turn)
            else:
                self._run_alone(connection, job, turn)
        if store_progress:
            exchange.store_progress(ledger)
        exchange.write(ledger)
        self._journal.move_on(now, turn.now_ms)
        connection.execute("COMMIT")
        self._journal.committed()
        self.statistics.envelopes += sum(map(len, submits))
        return exchange.committed()

    def _run_alone(self, connection: Connection, job: AnyJob, turn: Turn) -> None:
        """Run one job so that it can fail without the others."""
        exchange = self._exchange
        exchange.write(self._ledger)
        connection.execute("SAVEPOINT job")
        try:
            job.run(turn)
            exchange.write(self._ledger)
        except RefusedError as refusal:
            connection.execute("ROLLBACK TO job")
            job.fail(refusal)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  a defect in one request must not stop the others
            connection.execute("ROLLBACK TO job")
            exchange.undo()
            self._journal.reload()
            job.fail(error)
        connection.execute("RELEASE job")

    def _abandon(self, jobs: Sequence[AnyJob], error: Exception) -> None:
        """The transaction failed as a whole: nothing of it happened."""
        self.statistics.failures += 1
        self._stale = True
        self._exchange.forget()
        for job in jobs:
            job.fail(error)
        try:
            self._connection.execute("ROLLBACK")
        except StoreError:
            return  # SQLite has rolled back by itself: disk full and the like


def _throw(error: Exception) -> None:
    raise error
