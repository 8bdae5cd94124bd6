"""The way from the event loop to the writer thread and back.

A job runs in the writer's thread (a small one, when nothing else is going on, in the event loop's:
see ``Writer.run_here``), in a transaction, and notes what the rest of the program must
learn in an ``Effects``. Once the transaction is durable, and only then, the effects are applied in
the event loop, in the order in which the jobs ran. Nothing reaches the network or the app that a
crash could take back.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, ParamSpec, TypeVar, cast

from e2ecore.engine.running.effects import Effects
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.signals import Signal
from e2ecore.engine.running.state import State
from e2ecore.storage.database import Database
from e2ecore.storage.errors import CorruptDatabaseError
from e2ecore.storage.handoff import wake_for_current_loop
from e2ecore.storage.pending import Pending
from e2ecore.storage.tx import Tx

SMALL_BYTES: Final = 4096
"""Largest message that a small job may write or take: nearly all are."""

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(slots=True)
class _Submitted:
    pending: Pending[object]
    effects: Effects
    failed: Callable[[BaseException], None] | None


class Jobs:
    """Submits jobs, applies their effects. Made in the event loop that it serves."""

    def __init__(
        self,
        database: Database,
        state: State,
        apply: Callable[[Effects], None],
        applied: Callable[[], None],
        trouble: Callable[[BaseException], None],
    ) -> None:
        """Serve the running event loop.

        Args:
            database: Where the jobs run.
            state: The writer thread's memory.
            apply: Called in the event loop with each job's effects, in order.
            applied: Called when the effects of everything that one commit brought are applied.
            trouble: Called with what either of the two raises.
        """
        self._writer = database.writer
        self._state = state
        self._apply = apply
        self._applied = applied
        self._trouble = trouble
        self.damage = Signal()
        """Something could not be read from the database."""
        self._waiting: deque[_Submitted] = deque()
        self._stopped = False
        self._applying = False
        self._wake_loop = wake_for_current_loop()

    def submit(
        self,
        work: Callable[[Job], T],
        failed: Callable[[BaseException], None] | None = None,
        *,
        small: bool = False,
    ) -> Pending[T]:
        """Queue a job. Dropping the result does not stop it.

        Args:
            work: The job.
            failed: Called in the event loop if it was rolled back.
            small: It takes no longer than a message. If nothing else is going on it is run before
                this returns, its effects applied.
        """
        effects, state = Effects(), self._state

        def run(tx: Tx) -> T:
            effects.touched = tx.touched
            for cid in state.begin(tx):
                effects.receipts.setdefault(cid, 0)
            result = work(Job(tx, effects, state))
            effects.left_files = tx.left_files
            return result

        pending = None
        if small and not self._waiting and not self._applying:
            pending = self._writer.run_here(run)
        is_done = pending is not None
        if pending is None:
            pending = self._writer.submit(run, self._wake)
        self._waiting.append(_Submitted(cast("Pending[object]", pending), effects, failed))
        if is_done:
            self._settled(_nothing)
            self._writer.look_after_log()
        return pending

    async def run(self, work: Callable[[Job], T], *, small: bool = False) -> T:
        """Run a job and return its result when it is durable. See ``submit``.

        Cancelling the caller does not stop the job.
        """
        return await self.submit(work, small=small).wait()

    def _wake(self, settle: Callable[[], None]) -> object:
        return self._wake_loop(lambda: self._settled(settle))

    def suspect(self) -> None:
        """Have the database looked at, because something could not be read; from any thread."""
        self._wake_loop(self.damage.set)

    def stop(self) -> None:
        """Apply no effects any more: the engine is closing."""
        self._stopped = True

    def _settled(self, settle: Callable[[], None]) -> None:
        settle()
        if self._stopped:
            return
        self._applying = True
        waiting = self._waiting
        while waiting and waiting[0].pending.settled:
            self._finish(waiting.popleft())
        self._guard(self._applied)
        self._applying = False

    def _finish(self, done: _Submitted) -> None:
        try:
            done.pending.result()
        except BaseException as error:  # noqa: BLE001 - whoever waits for the job is told, too
            if isinstance(error, CorruptDatabaseError):
                self.damage.set()
            if done.failed is not None:
                self._guard(done.failed, error)
        else:
            self._guard(self._apply, done.effects)

    def _guard(self, work: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        """Call something; a defect in it must not end the program's event loop."""
        try:
            work(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - reported, and begun anew
            self._trouble(error)


def _nothing() -> None:
    """There is nothing to hand out: the outcome is there already."""
