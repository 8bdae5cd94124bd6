"""Deliveries on their way to the writer, in the event loop.

At most two batches are in the writer's hands: one works while the next one is decoded. If a batch
cannot be taken, everything behind it waits, and its envelopes are taken one by one, so that the one
that does the damage is found and set aside.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from e2ecore.engine.arrival.receiving import IntakeStoppedError, poison, receive
from e2ecore.engine.running.defects import is_defect
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.jobs import SMALL_BYTES
from e2ecore.errors import TransientError
from e2ecore.storage.errors import ClosedError
from e2ecore_protocol.frames.delivery import INBOX, Delivery, EnvelopeKind
from e2ecore_protocol.limits import MAX_BATCH_BYTES, MAX_BATCH_ENVELOPES

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

MAX_JOBS: Final = 2
_APPLICATION: Final = int(EnvelopeKind.APPLICATION)


class Intake:
    """What came over the present connection and is not stored yet."""

    def __init__(self, core: "Core") -> None:
        self._core = core
        self._waiting: list[Delivery] = []
        self._saw_end = False
        self._jobs = 0
        self._failed: list[Delivery] = []
        self._careful = 0
        """Envelopes to take one by one, because one of them breaks a batch."""

    def add(self, items: Sequence[Delivery]) -> None:
        """Take what came, in order."""
        self._waiting.extend(items)
        self._pump()

    def add_end(self) -> None:
        """Nothing more waits at the relay."""
        self._saw_end = True
        self._pump()

    def forget(self) -> None:
        """The connection is gone: what is not stored comes again over the next one."""
        self._waiting.clear()
        self._saw_end = False

    def taken(self) -> None:
        """A batch is stored."""
        self._jobs -= 1
        self._pump()

    def _pump(self) -> None:
        if self._failed:
            if self._jobs:
                return
            self._core.state.intake_broken = False
            self._waiting[:0] = self._failed
            self._failed = []
        limit = 1 if self._careful else MAX_JOBS
        while self._waiting and self._jobs < limit:
            self._submit(self._next())
        if self._saw_end and not self._waiting and not self._jobs:
            self._saw_end = False
            self._core.all_received()

    def _next(self) -> list[Delivery]:
        size = count = 0
        most = MAX_BATCH_ENVELOPES
        if self._careful:
            most = 1
            self._careful -= 1
        for item in self._waiting:
            size += len(item.payload)
            if count and (count == most or size > MAX_BATCH_BYTES):
                break
            count += 1
        batch = self._waiting[:count]
        del self._waiting[:count]
        return batch

    def _submit(self, batch: list[Delivery]) -> None:
        core, hidden = self._core, self._core.state.hidden
        is_past = not core.upkeep.own_here.settled and any(
            one.log_id != INBOX and one.log_id not in hidden for one in batch
        )

        def work(job: Job) -> None:
            receive(job, batch)
            job.effects.past_own = is_past and hidden.isdisjoint(job.state.held)

        def failed(error: BaseException) -> None:
            self._batch_failed(batch, error)

        self._jobs += 1
        self._core.jobs.submit(work, failed, small=self._is_small(batch))

    def _is_small(self, batch: list[Delivery]) -> bool:
        first = batch[0]
        return (
            len(batch) == 1
            and first.kind == _APPLICATION
            and len(first.payload) <= SMALL_BYTES
            and self._core.state.is_at_hand(first.log_id)
        )

    def _batch_failed(self, batch: list[Delivery], error: BaseException) -> None:
        self._jobs -= 1
        stopped = isinstance(error, IntakeStoppedError)
        if isinstance(error, TransientError | ClosedError) and not stopped:
            self._give_up(error)
        elif len(batch) == 1 and not stopped:
            self._poison(batch[0], error)
        else:
            if not self._failed:
                self._careful = len(batch)
            self._failed.extend(batch)
            self._pump()

    def _poison(self, item: Delivery, error: BaseException) -> None:
        state, name = self._core.state, type(error).__name__
        if is_defect(error):
            self._core.report_defect("taking an envelope", error)
        state.intake_broken = False

        def work(job: Job) -> None:
            poison(job, item, name)

        def failed(second: BaseException) -> None:
            self._jobs -= 1
            self._give_up(second)

        self._jobs += 1
        self._core.jobs.submit(work, failed)

    def _give_up(self, error: BaseException) -> None:
        """The disk says no for now: everything that is not stored comes again."""
        self.forget()
        self._failed = []
        self._core.state.intake_broken = False
        self._core.in_trouble(error)
