"""What waits to be submitted, in the event loop: a queue over the outbox.

Rows reach this queue when their transaction is durable. While there is no connection, or too much
waits, only their existence is noted; they are loaded page by page when their turn comes, so memory
does not grow with what was written offline.
"""

from collections.abc import Callable, Sequence
from typing import Final

from e2ecore.engine.errors import MessageRefusedError
from e2ecore.engine.membership.leaving import propose_again
from e2ecore.engine.running.effects import OutboxPage, Outgoing
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.jobs import Jobs
from e2ecore.engine.running.losing import UNKNOWN, lose
from e2ecore.engine.running.state import State
from e2ecore.engine.talk.handles import SentMessage
from e2ecore.engine.talk.writing import encrypt_again, outgoing
from e2ecore.engine.telling.events import Event, MessageAccepted, MessageFailed
from e2ecore.errors import E2EError
from e2ecore.ids import GroupId, MessageId
from e2ecore.messaging.sending import SendEvent, SendState, Verdict, step, verdict
from e2ecore.storage import messages, outbox
from e2ecore_protocol.frames.delivery import Accepted, EnvelopeKind, SubmitResult

MAX_QUEUED: Final = 4_096
"""Envelopes kept in memory; about 4 MiB of short messages. More stay in the database."""
_PAGE: Final = 256
_APPLICATION: Final = int(EnvelopeKind.APPLICATION)
_MAX_PAUSE_MS: Final = 60_000
_EVENTS: Final = {
    Verdict.ENCRYPT_AGAIN: SendEvent.STALE,
    Verdict.LATER: SendEvent.POSTPONED,
    Verdict.FAILED: SendEvent.REFUSED,
}


class Sender:
    """Keeps the order: what was written first in a conversation is submitted first."""

    def __init__(self, jobs: Jobs, state: State, trouble: Callable[[BaseException], None]) -> None:
        """Serve one engine.

        Args:
            jobs: How the outbox is loaded.
            state: Where accepted envelopes are noted.
            trouble: Called when the outbox cannot be read: the connection has to be made anew.
        """
        self._jobs = jobs
        self._trouble = trouble
        self._state = state
        self._queue: dict[int, Outgoing] = {}
        self._states: dict[int, SendState] = {}
        self._sent: dict[int, SentMessage] = {}
        self._online = False
        self._loading = False
        self._behind = True
        """Rows behind ``_loaded_upto`` are in the database only."""
        self._loaded_upto = 0
        self.paused = False
        """The relay asked for a pause."""

    def track(self, oid: int, sent: SentMessage) -> None:
        """Settle ``sent`` when the relay has answered for a row."""
        self._sent[oid] = sent

    def fail_waiters(self, error: E2EError) -> None:
        """Nobody will hear of an answer any more."""
        sent, self._sent = self._sent, {}
        for one in sent.values():
            one.settle(error)

    def connected(self) -> None:
        """Begin: everything in the outbox is to be submitted, the oldest first."""
        self._online = True
        self._states.clear()
        self.restart()

    def restart(self) -> None:
        """Go through the outbox again from its beginning, leaving out what is in flight."""
        self._queue.clear()
        in_flight = SendState.IN_FLIGHT
        self._states = {oid: state for oid, state in self._states.items() if state is in_flight}
        self.paused = False
        self._behind = True
        self._loaded_upto = 0
        self._load_page()

    def disconnected(self) -> None:
        """Stop. What was not answered is loaded again after the next connection."""
        self._online = False
        self._queue.clear()
        self._states.clear()

    def add(self, rows: Sequence[Outgoing]) -> None:
        """Take rows that have just become durable, in the order of their jobs."""
        if not self._online:
            return
        for row in rows:
            if row.oid > self._loaded_upto:
                self._behind = self._behind or len(self._queue) >= MAX_QUEUED
                if self._behind:
                    continue
            self._put(row)

    def _put(self, row: Outgoing) -> None:
        state = self._states.get(row.oid, SendState.QUEUED)
        if state is SendState.IN_FLIGHT:
            return
        if state is SendState.OVERTAKEN:
            state = step(state, SendEvent.ENCRYPTED)
        self._states[row.oid] = state
        behind = row.oid < self._loaded_upto and row.oid not in self._queue
        self._loaded_upto = max(self._loaded_upto, row.oid)
        self._queue[row.oid] = row
        if behind:
            self._queue = dict(sorted(self._queue.items()))

    def take(self, max_envelopes: int, max_bytes: int) -> list[Outgoing]:
        """Return what to submit next, and count it as in flight."""
        batch: list[Outgoing] = []
        size = 0
        if self.paused:
            return batch
        for row in self._queue.values():
            size += len(row.envelope.payload)
            if batch and (len(batch) == max_envelopes or size > max_bytes):
                break
            batch.append(row)
        for row in batch:
            del self._queue[row.oid]
            self._states[row.oid] = step(self._states[row.oid], SendEvent.SUBMITTED)
        if self._behind and len(self._queue) < _PAGE:
            self._load_page()
        return batch

    def _load_page(self) -> None:
        if self._online and not self._loading:
            self._loading = True
            after = self._loaded_upto
            self._jobs.submit(lambda job: self._load(job, after), self._load_failed)

    def _load_failed(self, error: BaseException) -> None:
        self._loading = False
        self._trouble(error)

    def _load(self, job: Job, after: int) -> None:
        state = self._state
        rows = outbox.after(job.tx, after, _PAGE)
        found = [outgoing(row, state.mirror(job.tx, row.cid)) for row in rows if row.payload]
        job.effects.page = OutboxPage(
            found, after, rows[-1].oid if rows else after, len(rows) < _PAGE
        )

    def loaded(self, page: OutboxPage) -> None:
        """Take a page that was loaded."""
        self._loading = False
        if page.after != self._loaded_upto:  # begun anew in the meantime
            self._load_page()
            return
        for row in page.rows:
            self._put(row)
        self._loaded_upto = max(self._loaded_upto, page.upto)
        self._behind = not page.is_last

    def answered(
        self, batch: Sequence[Outgoing], results: Sequence[SubmitResult]
    ) -> tuple[list[Event], list[tuple[Outgoing, SubmitResult]]]:
        """Take the relay's answers. Who waits learns at once; our rows follow with the next job.

        Returns:
            Events for the app, and what was refused.
        """
        events: list[Event] = []
        refused: list[tuple[Outgoing, SubmitResult]] = []
        note = self._state.accepted
        for row, result in zip(batch, results, strict=True):
            state = self._states.pop(row.oid, SendState.IN_FLIGHT)
            if not isinstance(result, Accepted):
                self._states[row.oid] = step(state, _EVENTS[verdict(result.code.value)])
                refused.append((row, result))
                continue
            step(state, SendEvent.ACCEPTED)
            note.append((row, result.seq))
            sent = self._sent.pop(row.oid, None)
            if sent is not None:
                sent.settle()
                if row.message:
                    uid = GroupId(row.envelope.conversation)
                    events.append(MessageAccepted(uid, sent.message_id))
        return events, refused

    def failed(self, oid: int, error: E2EError) -> None:
        """The relay refused a row for good."""
        self._states.pop(oid, None)
        self._queue.pop(oid, None)
        sent = self._sent.pop(oid, None)
        if sent is not None:
            sent.settle(error)


def take_refusals(job: Job, refused: Sequence[tuple[Outgoing, SubmitResult]]) -> int:
    """Act on refusals: encrypt again, wait, or give up.

    Returns:
        Milliseconds after which to submit again what has to wait; 0 if nothing has.
    """
    pause = 0
    stale: dict[int, list[Outgoing]] = {}
    for row, result in refused:
        if isinstance(result, Accepted):
            continue
        match verdict(result.code.value):
            case Verdict.ENCRYPT_AGAIN:
                stale.setdefault(row.cid, []).append(row)
            case Verdict.LATER:
                stored = outbox.get(job.tx, row.oid)
                attempts = (stored.attempts if stored else 0) + 1
                wait = max(result.retry_after_ms, min(_MAX_PAUSE_MS, 100 << min(attempts, 10)))
                pause = max(pause, wait)
                outbox.postpone(job.tx, row.oid, attempts=attempts, next_ms=job.now_ms + wait)
            case _:
                _give_up(job, row, result.code.value)
    for cid in {row.cid for row, one in refused if _is_unknown(one)}:
        lose(job, job.mirror(cid))
    for cid, rows in stale.items():
        _take_stale(job, cid, rows)
    return pause


def _is_unknown(result: SubmitResult) -> bool:
    return not isinstance(result, Accepted) and result.code.value == UNKNOWN


def _take_stale(job: Job, cid: int, rows: Sequence[Outgoing]) -> None:
    """Encrypt again if we know a newer epoch; else the commit that brings it will see to it."""
    mirror = job.mirror(cid)
    outbox.remove(job.tx, [row.oid for row in rows if row.envelope.kind != _APPLICATION])
    behind = frozenset(row.oid for row in rows if row.envelope.epoch < mirror.log_epoch)
    if any(row.envelope.kind == EnvelopeKind.PROPOSAL for row in rows):
        propose_again(job, mirror)
    if mirror.is_direct and not behind:
        job.effects.fetch.add(mirror.peer)  # nobody there can read it: they have moved
    encrypt_again(job, mirror, behind)
    job.effects.intents.add(cid)
    mirror.save(job.tx)


def _give_up(job: Job, row: Outgoing, code: str) -> None:
    outbox.remove(job.tx, (row.oid,))
    error = MessageRefusedError(code)
    job.effects.failed.append((row.oid, error))
    stored = messages.get(job.tx, row.message) if row.message else None
    if stored is not None:
        messages.mark_failed(job.tx, row.message)
        job.effects.events.append(
            MessageFailed(GroupId(row.envelope.conversation), MessageId(stored.uid), error)
        )
