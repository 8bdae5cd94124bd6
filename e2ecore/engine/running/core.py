"""What all parts of an open engine share, in the event loop.

``apply`` is where committed effects become visible: events to the app, envelopes to the sender,
acknowledgements to the relay, and wake-ups for the tasks that carry out intents and receipts.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

import anyio

from e2ecore.crypto.rng import Rng
from e2ecore.crypto.suites import CipherSuite
from e2ecore.engine.arrival.intake import Intake
from e2ecore.engine.arrival.receipts import MOST_UNRECEIPTED
from e2ecore.engine.arrival.signalling import Signals
from e2ecore.engine.errors import (
    DeviceErasedError,
    EngineClosedError,
    EngineDefectError,
    EngineLockedError,
    NoRelayError,
    NotRegisteredError,
)
from e2ecore.engine.files.file_desk import FileDesk
from e2ecore.engine.running.changes import ChangeHub
from e2ecore.engine.running.defects import is_defect, log_defect
from e2ecore.engine.running.effects import Effects, Outgoing
from e2ecore.engine.running.hub import EventHub, visible
from e2ecore.engine.running.job import Job, nothing
from e2ecore.engine.running.jobs import Jobs
from e2ecore.engine.running.resuming import fresh_connection
from e2ecore.engine.running.signals import Signal
from e2ecore.engine.running.state import State
from e2ecore.engine.running.upkeep import Upkeep
from e2ecore.engine.talk.handles import Change, Outcome
from e2ecore.engine.talk.sender import Sender, take_refusals
from e2ecore.engine.telling.events import CaughtUp, ConnectionChanged, DefectMet, Event
from e2ecore.engine.values import Account, ConnectionState
from e2ecore.errors import E2EError
from e2ecore.ids import GroupId
from e2ecore.storage import overview
from e2ecore.storage.database import Database
from e2ecore.storage.errors import CorruptDatabaseError
from e2ecore.storage.tx import Tx
from e2ecore.transport.errors import ConnectionLostError
from e2ecore.transport.link import Link
from e2ecore.transport.login import Dial
from e2ecore_protocol.frames.delivery import Delivery, SubmitResult
from e2ecore_protocol.frames.rendezvous import RendezvousClosed, RendezvousMessage

if TYPE_CHECKING:
    from e2ecore.transport.rendezvous import HostLine

T = TypeVar("T")
CONNECT_PATIENCE_S: Final = 10
"""How long a call that needs the relay waits for a connection; longer than a usual log-in takes."""
_MAX_ENDED: Final = 256
"""Intents whose end is remembered, for callers that ask late."""


class Core:
    """The engine's parts, and what moves between them."""

    closed = False
    """Is it over, or about to be?"""
    locked = False
    """Is it closed until somebody unlocks the engine?"""
    _desk: FileDesk | None = None

    def __init__(
        self,
        database: Database,
        dial: Dial | None,
        *,
        suite: CipherSuite,
        clock_ms: Callable[[], int],
        rng: Rng,
    ) -> None:
        self.database = database
        self.dial = dial
        self.clock_ms = clock_ms
        self.rng = rng
        self.state = State(suite, clock_ms, rng)
        self.jobs = Jobs(database, self.state, self.apply, self.after_jobs, self.in_trouble)
        self.hub = EventHub()
        self.changes_hub = ChangeHub(self._uid_of)
        self.sender = Sender(self.jobs, self.state, self.in_trouble)
        self.link: Link[Outgoing] | None = None
        self.connection = ConnectionState.OFFLINE
        self._attempt = Outcome()
        """Settled when the present or next attempt to connect is over."""
        self.registered = Signal()
        """Set once there is an account to connect with."""
        self.intents_due: set[int] = set()
        self.intents_signal, self.receipts_signal = Signal(), Signal()
        self.receipts_due: dict[int, int] = {}
        self.fetch_due: set[bytes] = set()
        self.fetch_signal, self.supply_signal = Signal(), Signal()
        self.chains_signal = Signal()
        """The known accounts' chains should be compared with the relay's."""
        self.key_packages_left = 0
        """One-time key packages at the relay, as of the last time it said so."""
        self.holding, self.note_signal, self.reconnect_signal = Signal(), Signal(), Signal()
        self.all_here = Outcome()
        self.supplied = Outcome()
        """Settled once others can add this device."""
        self.changes: dict[int, Change] = {}
        self.account: Account | None = None
        self._ended: dict[int, E2EError | None] = {}
        self.intake, self.signals = Intake(self), Signals(self)
        self.pauses: list[int] = []
        """Milliseconds for which the sender shall pause."""
        self.pause_signal, self.upkeep = Signal(), Upkeep()
        self.line: HostLine | None = None
        """Our end of the rendezvous that is open."""

    def check_open(self) -> None:
        """Refuse calls after ``close`` and ``lock``.

        Raises:
            EngineClosedError: It was called.
            EngineLockedError: The engine is locked.
            DeviceErasedError: The device was removed.
        """
        if self.upkeep.is_parting:
            raise DeviceErasedError
        if self.locked:
            raise EngineLockedError
        if self.closed:
            raise EngineClosedError

    def read(self, work: Callable[[Tx], T]) -> T:
        """Look at what is stored, here and now.

        Raises:
            EngineClosedError: The engine is closed.
        """
        self.check_open()
        try:
            return self.database.readers.read(work)
        except CorruptDatabaseError:
            self.jobs.suspect()
            raise

    @property
    def desk(self) -> FileDesk:
        """What all work with files shares."""
        if self._desk is None:
            self._desk = self.state.files = FileDesk(self)
        return self._desk

    @property
    def server_name(self) -> str:
        """The relay's name for itself, which it signs; empty before the first connection."""
        return self.state.server_name

    @property
    def account_id(self) -> bytes:
        """Our account.

        Raises:
            NotRegisteredError: There is none yet.
        """
        if self.account is None:
            raise NotRegisteredError
        return self.account.account_id

    def change(self, iid: int) -> Change:
        """Return what is settled when an intent ends."""
        known = self.changes.get(iid)
        if known is None:
            known = self.changes[iid] = Change(iid)
            if iid in self._ended:
                known.settle(self._ended[iid])
        return known

    def need_link(self) -> Link[Outgoing]:
        """Return the connection.

        Raises:
            NoRelayError: There is no relay to connect to.
            ConnectionLostError: There is no connection now.
        """
        self.check_open()
        if self.dial is None:
            raise NoRelayError
        if self.link is None:
            raise ConnectionLostError
        return self.link

    async def await_link(self) -> Link[Outgoing]:
        """Return the connection; where there is none, try to connect now and wait for that.

        Raises:
            NoRelayError: There is no relay to connect to.
            NotRegisteredError: There is no account to connect with.
            E2EError: Why no connection could be made.
        """
        if self.link is None and self.dial is not None and not self.closed:
            attempt = self._attempt
            if self.account is None:
                raise NotRegisteredError
            self.reconnect_signal.set()
            with anyio.move_on_after(CONNECT_PATIENCE_S):
                await attempt.wait()
        return self.need_link()

    def attempted(self, error: E2EError | None = None) -> None:
        """An attempt to connect is over: tell who waits for it."""
        attempt, self._attempt = self._attempt, Outcome()
        attempt.settle(error)

    def _uid_of(self, cid: int) -> GroupId | None:
        row = self.read(lambda tx: overview.get(tx, cid))
        return None if row is None else GroupId(row.conversation.uid)

    def emit(self, *events: Event) -> None:
        """Hand events to the app."""
        self.hub.emit(*events)

    def set_connection(self, state: ConnectionState, error: E2EError | None = None) -> None:
        """Note and announce a new state of the connection."""
        if state is not self.connection or error is not None:
            self.connection = state
            self.emit(ConnectionChanged(state, error))

    def apply(self, effects: Effects) -> None:
        """Make visible what one committed job did."""
        if self.state.hidden:
            effects.events = visible(effects.events, self.state.hidden)
        if effects.events:
            self.hub.emit(*effects.events)
        self.changes_hub.committed(effects.touched, effects.events)
        for oid, sent in effects.sent:
            self.sender.track(oid, sent)
        if effects.outgoing:
            self.sender.add(effects.outgoing)
        if effects.page is not None:
            self.sender.loaded(effects.page)
        if effects.acks and self.link is not None:
            for log_id, upto in effects.acks.items():
                self.link.acknowledge(log_id, upto)
        self._apply_rare(effects)

    def _apply_rare(self, effects: Effects) -> None:
        self._apply_ends(effects)
        self._apply_signals(effects)
        if effects.batch_taken:
            self.intake.taken()
        if effects.pause_ms is not None:
            self.pauses.append(effects.pause_ms)
            self.pause_signal.set()
        if self.signals.is_busy:
            self.signals.applied(effects)

    def _apply_ends(self, effects: Effects) -> None:
        for oid, error in effects.failed:
            self.sender.failed(oid, error)
        for iid, failure in effects.changes:
            self._ended[iid] = failure
            while len(self._ended) > _MAX_ENDED:
                del self._ended[next(iter(self._ended))]
            change = self.changes.pop(iid, None)
            if change is not None:
                change.settle(failure)

    def _apply_signals(self, effects: Effects) -> None:
        for cid, count in effects.receipts.items():
            due = self.receipts_due[cid] = self.receipts_due.get(cid, 0) + count
            if due == count or due >= MOST_UNRECEIPTED:
                self.receipts_signal.set()
        if effects.intents:
            self.intents_due |= effects.intents
            self.intents_signal.set()
        if effects.fetch:
            self.fetch_due |= effects.fetch
            self.fetch_signal.set()
        if effects.holding:
            self.holding.set()
        if effects.left_files:
            self.desk.files_left()
        if effects.key_packages_low:
            self.supply_signal.set()
        if effects.is_parting:
            self.closed = True
        self.upkeep.heard(effects)

    def after_jobs(self) -> None:
        """Everything of one wake-up is applied: let the link write it."""
        if self.link is not None:
            self.link.flush()

    # What the link reports; see LinkUser.

    def delivered(self, items: Sequence[Delivery], /) -> None:
        """Have taken what came."""
        self.intake.add(items)

    def signalled(self, conversation: bytes, payload: bytes, /) -> None:
        """Somebody lets the others know something for the moment."""
        self.signals.take(conversation, payload)

    def caught_up(self) -> None:
        """The end of what waited at the relay: it counts when all before it is stored."""
        self.intake.add_end()

    def all_received(self) -> None:
        """Everything that waited at the relay is stored."""
        self.set_connection(ConnectionState.ONLINE)
        self.emit(CaughtUp())
        self.all_here.settle()
        self.upkeep.own_here.settle()

    def answered(self, batch: Sequence[Outgoing], results: Sequence[SubmitResult], /) -> None:
        """Settle what the relay accepted; have the rest seen to."""
        events, refused = self.sender.answered(batch, results)
        if events:
            self.hub.emit(*events)
        if refused:
            self.sender.paused = True

            def work(job: Job) -> None:
                job.effects.pause_ms = take_refusals(job, refused)

            self.jobs.submit(work, self.in_trouble)
        self.note_signal.set()

    def met(self, frame: RendezvousMessage | RendezvousClosed, /) -> None:
        """Hand on what came from the other side of a rendezvous."""
        if self.line is not None:
            self.line.met(frame)

    def next_batch(self, max_envelopes: int, max_bytes: int, /) -> list[Outgoing]:
        """Return what to submit next."""
        return self.sender.take(max_envelopes, max_bytes)

    def connected(self) -> None:
        """There is a connection: send what waits, and see to everything that needs the relay."""
        self.jobs.submit(fresh_connection, self.in_trouble)
        self.sender.connected()
        self.desk.connected()
        self.chains_signal.set()
        self.upkeep.connected()
        if self.fetch_due:
            self.fetch_signal.set()

    async def finish(self) -> None:
        """Note what the relay has accepted until now, then tell everybody that it is over."""
        try:
            with anyio.CancelScope(shield=True):
                if self.state.accepted:
                    await self.jobs.run(nothing)
        except E2EError:
            pass  # the relay is asked again after the next start
        finally:
            self.jobs.stop()
            self._end(DeviceErasedError() if self.upkeep.is_parting else EngineClosedError())

    def _end(self, closed: EngineClosedError) -> None:
        self.set_connection(ConnectionState.OFFLINE)
        self.hub.close()
        self.changes_hub.close()
        self.signals.close()
        self.sender.fail_waiters(closed)
        self.attempted(closed)
        self.all_here.settle(closed)
        self.supplied.settle(closed)
        self.desk.close(closed)
        for change in self.changes.values():
            change.settle(closed)

    def in_trouble(self, error: BaseException) -> None:
        """Something that must not fail has failed: begin again with a new connection."""
        if is_defect(error) or not isinstance(error, E2EError):
            self.report_defect("serving the connection", error)
            error = EngineDefectError(type(error).__name__)
        self.break_link(error)

    def report_defect(self, doing: str, error: BaseException, uid: GroupId | None = None) -> None:
        """Tell the app and the log that something failed that must not fail."""
        log_defect(doing, error)
        self.emit(DefectMet(doing, type(error).__name__, uid))

    def break_link(self, error: Exception) -> None:
        """End the present connection; another one is made after a pause."""
        if self.link is not None:
            self.link.break_off(error)

    def forget_connection(self) -> None:
        """The connection is gone."""
        if self.line is not None:
            self.line.end()
        self.link = self.desk.channel = None
        self.sender.disconnected()
        self.intake.forget()
        self.signals.forget()
        if self.all_here.settled:
            self.all_here = Outcome()
