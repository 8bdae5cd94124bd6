"""The way from the event loop to the writer thread and back.

A job runs in the writer's thread, in a transaction, and notes what the rest of the program must learn in an
``Effects``. Once the transaction is durable, and only then, the effects are applied in the event loop, in the order in
which the jobs ran. Nothing reaches the network or the app that a crash could take back.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar, cast

from e2ecore.engine.events import Event
from e2ecore.engine.handles import SentMessage
from e2ecore.errors import E2EError
from e2ecore.storage.database import Database
from e2ecore.storage.handoff import wake_for_current_loop
from e2ecore.storage.pending import Pending
from e2ecore.storage.tx import Tx
from e2ecore_protocol.frames.delivery import Envelope

T = TypeVar("T")


class Outgoing(NamedTuple):
    """A committed row of the outbox on its way to the relay."""

    oid: int
    cid: int
    message: int
    """Row of the message it carries; 0: none."""
    envelope: Envelope


class OutboxPage(NamedTuple):
    """Rows of the outbox behind one number, up to another one."""

    rows: list[Outgoing]
    after: int
    upto: int
    is_last: bool


@dataclass(slots=True)
class Effects:
    """What one job has to tell the event loop once it is durable."""

    events: list[Event] = field(default_factory=list)
    outgoing: list[Outgoing] = field(default_factory=list)
    sent: list[tuple[int, SentMessage]] = field(default_factory=list)
    """Rows of the outbox whose acceptance somebody may wait for."""
    acks: dict[bytes, int] = field(default_factory=dict)
    """Log id to the number up to which it is durable here."""
    intents: set[int] = field(default_factory=set)
    """Conversations whose intents should be looked at."""
    receipts: dict[int, int] = field(default_factory=dict)
    """Conversation to the number of messages that deserve a receipt."""
    fetch: set[bytes] = field(default_factory=set)
    """Accounts whose chains are needed to go on."""
    changes: list[tuple[int, E2EError | None]] = field(default_factory=list)
    """Intents that ended: their number, and why if in vain."""
    failed: list[tuple[int, E2EError]] = field(default_factory=list)
    """Rows of the outbox that were given up, and why."""
    page: OutboxPage | None = None
    ended: list[int] = field(default_factory=list)
    """Conversations that can no longer be written to."""
    batch_taken: bool = False
    """A batch of deliveries was stored."""
    holding: bool = False
    """Some envelopes are held back: look again before long."""
    key_packages_low: bool = False
    pause_ms: int | None = None
    """The sender was stopped for refusals: go on after this time."""


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
        apply: Callable[[Effects], None],
        applied: Callable[[], None],
    ) -> None:
        """Serve the running event loop.

        Args:
            database: Where the jobs run.
            apply: Called in the event loop with each job's effects, in order.
            applied: Called when the effects of everything that one commit brought are applied.
        """
        self._writer = database.writer
        self._apply = apply
        self._applied = applied
        self._waiting: deque[_Submitted] = deque()
        self._wake_loop = wake_for_current_loop()

    def submit(
        self,
        work: Callable[[Tx, Effects], T],
        failed: Callable[[BaseException], None] | None = None,
    ) -> Pending[T]:
        """Queue a job. Dropping the result does not stop it.

        Args:
            work: The job.
            failed: Called in the event loop if it was rolled back.
        """
        effects = Effects()
        pending = self._writer.submit(lambda tx: work(tx, effects), self._wake)
        self._waiting.append(_Submitted(cast("Pending[object]", pending), effects, failed))
        return pending

    async def run(self, work: Callable[[Tx, Effects], T]) -> T:
        """Run a job and return its result when it is durable. Cancelling the caller does not stop the job."""
        return await self.submit(work).wait()

    def _wake(self, settle: Callable[[], None]) -> object:
        return self._wake_loop(lambda: self._settled(settle))

    def _settled(self, settle: Callable[[], None]) -> None:
        settle()
        waiting = self._waiting
        while waiting and waiting[0].pending.settled:
            done = waiting.popleft()
            try:
                done.pending.result()
            except BaseException as error:  # noqa: BLE001 - whoever waits for the job is told, too
                if done.failed is not None:
                    done.failed(error)
            else:
                self._apply(done.effects)
        self._applied()
