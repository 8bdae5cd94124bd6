"""One thread owns the writing connection; what waits together is committed together.

A job is a function that takes a ``Tx``. The thread takes every job that waits, runs each in a
savepoint of its own, commits once (``synchronous=FULL``: one fsync for all of them), and only
then hands the results out, in one wake-up. A job that raises undoes only itself. A commit that
fails fails every job in it. Whatever the reason, what a job registered with ``Tx.on_rollback`` runs
before its caller learns of the failure, so that caches never show rows that are not there.

The log is looked after by the same thread, when nothing waits.

A small job that comes while the thread rests may be run by the thread that brings it
(``Writer.run_here``). A lone message would else wait for two thread switches, which cost as much as
the disk. It is done only where it holds nobody up: the disk is quick, and nothing was committed for
half as long as a commit takes.
"""

import math
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

from e2ecore.errors import E2EError
from e2ecore.storage.errors import ClosedError, CorruptDatabaseError
from e2ecore.storage.log import Log
from e2ecore.storage.pending import BlockingPending, Pending
from e2ecore.storage.sql import Connection
from e2ecore.storage.tx import Tx

T = TypeVar("T")

MAX_BATCH_JOBS: Final = 256
"""Jobs per commit. The relay's window has as many envelopes; more would only delay the first."""

IDLE_CHECKPOINT_S: Final = 2.0
"""Pause after the last commit before the log is truncated: off the path of any message."""

QUICK_S: Final = 0.002
"""A job is run by the thread that brings it only if the last commit did not take longer."""

SWITCH_INTERVAL_S: Final = 0.0005
"""How long a busy Python thread may keep this one from running after each statement. Python's own
5 ms turned a commit beside a busy event loop from 0.6 into 28 ms (measured)."""

Wake = Callable[[Callable[[], None]], object]
"""Runs a function soon in the thread of an event loop, from any thread."""


class _Job(Generic[T]):
    """One waiting job."""

    __slots__ = ("error", "handed_out", "hooks", "pending", "result", "wake", "work")

    def __init__(self, work: Callable[[Tx], T], pending: Pending[T], wake: Wake | None) -> None:
        self.work = work
        self.pending = pending
        self.wake = wake
        self.result: T | None = None
        self.error: BaseException | None = None
        self.hooks: list[Callable[[], None]] = []
        self.handed_out = False

    def run(self, connection: Connection) -> None:
        """Run it inside the open transaction; remember what to undo."""
        tx = Tx(connection)
        self.hooks = tx.hooks
        self.result = self.work(tx)

    def undo(self, error: BaseException) -> None:
        """It did not happen: tell the caches, newest first."""
        self.error = error
        self.result = None
        while self.hooks:
            self.hooks.pop()()

    def settle(self) -> None:
        """Hand the outcome out."""
        self.pending.settle(self.result, self.error)


class _Purge(_Job[bool]):
    """Runs between two transactions: empties the log, says whether it could."""

    __slots__ = ()

    def __init__(self, pending: Pending[bool], wake: Wake | None) -> None:
        super().__init__(lambda _tx: False, pending, wake)


class Writer:
    """The thread that owns the writing connection. Start it once; ``close`` ends it."""

    def __init__(self, connect: Callable[[], Connection], path: Path) -> None:
        """Open the connection and start the thread.

        Lowers Python's thread switch interval, for the whole process, to ``SWITCH_INTERVAL_S``.

        Args:
            connect: Opens a writing connection; called again after damage was met, because a
                connection that saw a damaged page refuses everything afterwards.
            path: The database file; its log is ``path`` + ``-wal``.
        """
        sys.setswitchinterval(min(SWITCH_INTERVAL_S, sys.getswitchinterval()))
        self._connect = connect
        self._connection = connect()
        self._log = Log(path)
        self._queue: queue.SimpleQueue[_Job[object] | _Look | None] = queue.SimpleQueue()
        self._gate = threading.Lock()
        self._closed = False
        self._unfinished = 0
        """Jobs in the queue or in the thread's hands."""
        self._turn = threading.Lock()
        """Held by the thread that uses the connection."""
        self._took_s = math.inf
        self._ended_at = 0.0
        self._tidied_at = 0.0
        """When the log was to be emptied last, whether that went well or not."""
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._main, name="e2ecore-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Tx], T], wake: Wake | None = None) -> Pending[T]:
        """Queue a job; jobs run in the order of submission.

        Args:
            work: Runs in the writer's thread, in one transaction. It must not wait for anything.
            wake: How to reach the event loop of the caller, for ``Pending.wait``. All jobs that
                one commit finished are handed out by one call of it. None: hand out in the
                writer's thread.

        Raises:
            ClosedError: ``close`` was called.
        """
        pending: Pending[T] = Pending()
        self._put(_Job(work, pending, wake))
        return pending

    def run_here(self, work: Callable[[Tx], T]) -> Pending[T] | None:
        """Run a job in the calling thread, if that holds nobody up.

        Call ``look_after_log`` when the outcome has been passed on.

        Args:
            work: As for ``submit``; small: it blocks the caller for about a millisecond.

        Returns:
            The outcome; None if the job has to be submitted.
        """
        if not self._turn.acquire(blocking=False):
            return None
        try:
            with self._gate:
                if self._closed or self._unfinished or self._failure is not None:
                    return None
            if self._took_s > min(QUICK_S, 2 * (time.monotonic() - self._ended_at)):
                return None
            pending: Pending[T] = Pending()
            was_dirty = self._log.dirty
            self._run_or_give_up([_Job(work, pending, None)])  # type: ignore[arg-type]  # as in _put
        finally:
            self._turn.release()
        if not was_dirty:
            self._queue.put(_Look())  # the thread rests without a limit: the log is to be emptied
        return pending

    def look_after_log(self) -> None:
        """Have room in the log for the next jobs that are run here. Nobody waits for it."""
        if self._turn.acquire(blocking=False):  # else the thread does so when it has committed
            try:
                self._care(self._log.look_after)
            finally:
                self._turn.release()

    def call(self, work: Callable[[Tx], T]) -> T:
        """Run a job and block until it is durable. For plain threads."""
        pending: BlockingPending[T] = BlockingPending()
        self._put(_Job(work, pending, None))
        return pending.block()

    def purge(self, wake: Wake | None = None) -> Pending[bool]:
        """Have the log emptied behind the jobs submitted so far, so that nothing deleted is in it.

        Args:
            wake: As for ``submit``.

        Returns:
            Whether it is empty. If not, a reader still looks at an older state: ask again.

        Raises:
            ClosedError: ``close`` was called.
        """
        pending: Pending[bool] = Pending()
        self._put(_Purge(pending, wake))
        return pending

    def call_purge(self) -> bool:
        """As ``purge``, and block until it is done. For plain threads."""
        pending: BlockingPending[bool] = BlockingPending()
        self._put(_Purge(pending, None))
        return pending.block()

    def close(self) -> None:
        """Refuse new jobs, finish the accepted ones, truncate the log, close the file."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _put(self, job: _Job[T]) -> None:
        with self._gate:
            if self._closed:
                raise ClosedError
            self._unfinished += 1
            self._queue.put(job)  # type: ignore[arg-type]  # the queue forgets the result's type

    def _main(self) -> None:
        self._tidy_log()
        open_ = True
        while open_:
            batch, open_ = self._next_batch()
            if batch:
                with self._turn:
                    self._run_or_give_up(batch)
                    self._care(self._log.look_after)
                with self._gate:
                    self._unfinished -= len(batch)
        with self._turn:
            self._tidy_log()
            self._close_connection()

    def _next_batch(self) -> tuple[list[_Job[object]], bool]:
        """Wait for jobs and take all that are there; truncate the log when idle."""
        try:
            first = self._queue.get(timeout=self._rest_s() if self._log.dirty else None)
        except queue.Empty:
            with self._turn:
                if self._rest_s() <= 0:
                    self._tidy_log()
            return [], True
        batch: list[_Job[object]] = []
        try:
            while first is not None:
                if isinstance(first, _Job):
                    batch.append(first)
                if len(batch) == MAX_BATCH_JOBS:
                    return batch, True
                first = self._queue.get_nowait()
        except queue.Empty:
            return batch, True
        return batch, False

    def _rest_s(self) -> float:
        """Return for how long nothing has to happen before the log is emptied."""
        since = max(self._ended_at, self._tidied_at)
        return max(0.0, since + IDLE_CHECKPOINT_S - time.monotonic())

    def _run_or_give_up(self, batch: list[_Job[object]]) -> None:
        """Whatever happens, nobody waits for ever."""
        try:
            self._run_batch(batch)
        except BaseException as error:  # noqa: BLE001 - a rollback hook raised: the caches are wrong
            self._failure = error
            left = [job for job in batch if not job.handed_out]
            for job in left:
                job.error = job.error or error
            self._hand_out(left)

    def _run_batch(self, batch: list[_Job[object]]) -> None:
        waiting = deque(batch)
        while waiting and self._failure is None:
            if isinstance(waiting[0], _Purge):
                self._purge(waiting.popleft())
                continue
            done: list[_Job[object]] = []
            try:
                self._transaction(waiting, done)
            except BaseException as error:  # noqa: BLE001 - handed to those who wait for it
                if not done:  # not even begun: no job of this batch can run
                    done.extend(waiting)
                    waiting.clear()
                self._fail(done, error)
            self._hand_out(done)
        for job in waiting:
            job.undo(self._failure or ClosedError())
        self._hand_out(list(waiting))
        self._log.committed()

    def _transaction(self, waiting: deque[_Job[object]], done: list[_Job[object]]) -> None:
        """Run jobs and commit them; raises if none of ``done`` became durable."""
        connection = self._connection
        started = time.monotonic()
        connection.execute("BEGIN IMMEDIATE")
        alone = len(waiting) == 1
        while waiting and not isinstance(waiting[0], _Purge):
            job = waiting.popleft()
            done.append(job)
            if alone:
                job.run(connection)
            else:
                self._run_in_savepoint(connection, job)
        connection.execute("COMMIT")
        self._ended_at = time.monotonic()
        self._took_s = self._ended_at - started

    def _run_in_savepoint(self, connection: Connection, job: _Job[object]) -> None:
        connection.execute("SAVEPOINT job")
        try:
            job.run(connection)
        except Exception as error:
            if not connection.in_transaction or isinstance(error, CorruptDatabaseError):
                raise
            connection.execute("ROLLBACK TO job")
            job.undo(error)
        connection.execute("RELEASE job")

    def _purge(self, job: _Job[object]) -> None:
        try:
            job.result = self._log.tidy(self._connection)
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits for it
            self._fail([job], error)
        self._hand_out([job])

    def _fail(self, done: list[_Job[object]], error: BaseException) -> None:
        """Nothing of this transaction happened: undo it in the file and in the caches."""
        for job in reversed(done):
            if job.error is None:
                job.undo(error)
        if not isinstance(error, Exception):
            self._failure = error
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if isinstance(error, CorruptDatabaseError):
                self._reconnect()
        except BaseException as second:  # noqa: BLE001 - the connection is beyond use
            self._failure = self._failure or second

    def _reconnect(self) -> None:
        self._close_connection()
        self._connection = self._connect()

    def _hand_out(self, done: list[_Job[object]]) -> None:
        """Settle results: at once for plain threads, by one wake-up for each event loop."""
        loops: dict[Wake, list[_Job[object]]] = {}
        for job in done:
            job.handed_out = True
            if job.wake is None:
                job.settle()
            else:
                loops.setdefault(job.wake, []).append(job)
        for wake, jobs in loops.items():
            try:
                wake(_Settle(jobs))
            except RuntimeError:  # the loop has ended: nobody waits there any more
                _Settle(jobs)()

    def _tidy_log(self) -> None:
        self._care(self._log.tidy)
        self._tidied_at = time.monotonic()

    def _care(self, care: Callable[[Connection], object]) -> None:
        """Look after the log. What is committed is safe in it even if this fails."""
        if self._failure is not None:
            return
        try:
            care(self._connection)
        except E2EError:
            return
        except BaseException as error:  # noqa: BLE001 - told to whoever submits the next job
            self._failure = error

    def _close_connection(self) -> None:
        try:
            self._connection.close()
        except E2EError:
            return


class _Look:
    """In the queue: no job, but a reason to look at the clock again."""


class _Settle:
    """Settles the jobs of one commit when called."""

    __slots__ = ("_jobs",)

    def __init__(self, jobs: list[_Job[object]]) -> None:
        self._jobs = jobs

    def __call__(self) -> None:
        for job in self._jobs:
            job.settle()
