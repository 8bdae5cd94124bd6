"""Taking what the relay delivers: one batch, one transaction.

Envelopes of a conversation are taken in the order of their numbers. One that cannot be right is set
aside with its error and the rest goes on. One that cannot be judged yet is held back, with all that
follow it in its conversation: until an account chain was fetched, until our own commit is answered,
until the commit that it presupposes comes. Held envelopes are not acknowledged. The relay says in
which epoch it took an envelope; one that claims to be of a later epoch is not worth waiting for, or
any member could make all others wait for a commit that nobody made.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from e2ecore.engine.arrival.content import Inbox
from e2ecore.engine.arrival.notices import NOBODY, note
from e2ecore.engine.arrival.relay_notices import take_notice
from e2ecore.engine.errors import UnknownConversationError
from e2ecore.engine.membership.applying import apply_commit
from e2ecore.engine.membership.deciding import in_force, pass_over, refuse
from e2ecore.engine.membership.healing import ask_for_readd
from e2ecore.engine.membership.joining import UnopenedError, take_welcome
from e2ecore.engine.membership.judging import ChainsNeeded, judge_commit
from e2ecore.engine.membership.leaving import take_proposal
from e2ecore.engine.membership.readding import take_readd_request
from e2ecore.engine.membership.unopened import ask_anew, is_shut_out
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.running.state import Held
from e2ecore.engine.telling.events import EnvelopeQuarantined, MessagesExpired
from e2ecore.engine.values import ConversationState
from e2ecore.errors import PeerError, TransientError
from e2ecore.ids import GroupId
from e2ecore.messaging.notices import Notice, NoticeKind
from e2ecore.mls.errors import (
    DuplicateMessageError,
    EpochInFutureError,
    EpochTooOldError,
    OwnMessageError,
)
from e2ecore.mls.group import Group
from e2ecore.mls.staged import StagedCommit
from e2ecore.storage import inbox, intents, quarantine
from e2ecore_protocol.content.readd import ReaddReason
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.frames.delivery import INBOX, Delivery, EnvelopeKind, Gap
from e2ecore_protocol.frames.notices import decode_notice

MAX_HELD: Final = 256
"""Envelopes held back per conversation: the relay's window, so a relay that keeps to the rules
never sends more."""
HOLD_MS: Final = 3_000
"""How long to wait for a commit that later envelopes presuppose, before asking to be added
again."""
HOLD_OWN_COMMIT_MS: Final = 60_000
"""How long to wait for the answer to our own commit."""
HOLD_STRANGER_MS: Final = 10_000
"""How long to wait for the Welcome of a conversation whose envelopes are here already."""
LENIENCE_MS: Final = 12 * 3600 * 1000
"""Key packages in commits are judged by the relay's clock, so that all members judge alike, and as
of so much earlier: whoever made the commit found them valid, by a clock that may go wrong a little,
and perhaps some time before the relay took it. Less than the 24 hours by which lifetimes begin
before the key package was made."""

_APPLICATION: Final = int(EnvelopeKind.APPLICATION)
_DEAD: Final = frozenset({ConversationState.REMOVED, ConversationState.FAILED})


class IntakeStoppedError(TransientError):
    """An earlier batch was rolled back: this one has to wait for it."""


class Postponed(Exception):  # noqa: N818 - a decision, not an error
    """This envelope has to wait, and so has everything behind it in its conversation."""

    def __init__(self, accounts: Iterable[bytes] = ()) -> None:
        super().__init__()
        self.accounts = frozenset(accounts)


def receive(job: Job, items: Sequence[Delivery]) -> None:
    """Take a batch of deliveries."""
    if job.state.intake_broken:
        raise IntakeStoppedError
    job.tx.on_rollback(job.state.break_intake)
    intake = Batch(job)
    for item in items:
        intake.take(item)
    intake.finish()
    job.effects.batch_taken = True


def poison(job: Job, item: Delivery, error: str) -> None:
    """Set one envelope aside that made the engine itself fail, and go past it."""
    batch = Batch(job)
    batch.skip(item, error)
    batch.finish()
    job.effects.batch_taken = True


def look_again(job: Job, logs: Iterable[bytes], fetched: Iterable[bytes] = ()) -> None:
    """Take envelopes that were held back, as far as possible now.

    Args:
        job: The work under way.
        logs: Log ids to look at.
        fetched: Accounts whose chains were asked for, with whatever result.
    """
    arrived = set(fetched)
    intake = Batch(job)
    for log_id in list(logs):
        held = job.state.held.get(log_id)
        if held is not None:
            held.accounts -= arrived
            if not held.accounts:
                intake.retry(log_id)
    intake.finish()


def expire_held(job: Job) -> None:
    """Give up on what was held back for too long: ask to be added again."""
    now_ms = job.now_ms
    intake = Batch(job)
    for log_id, held in list(job.state.held.items()):
        if not held.accounts and now_ms - held.since_ms >= intake.patience_ms(log_id):
            intake.give_up(log_id)
    _ask_again(job, now_ms)
    job.effects.holding = bool(job.state.held or job.state.asking)
    intake.finish()


def _ask_again(job: Job, now_ms: int) -> None:
    """Ask once more where the relay says that we were added again and no invitation came."""
    for cid, due_ms in list(job.state.asking.items()):
        if due_ms <= now_ms:
            del job.state.asking[cid]
            mirror = job.mirror(cid)
            if mirror.state == ConversationState.HEALING:
                mirror.healing_ms = 0
                ask_for_readd(job, mirror, ReaddReason.STATE_LOST, EpochInFutureError())


class Batch:
    """One batch under way."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._effects = job.effects
        self._state = job.state
        self._inbox = Inbox(job)
        self._touched: dict[int, Mirror] = {}
        self._last: Mirror | None = None
        self._again: set[bytes] = set()

    def take(self, item: Delivery) -> None:
        """Take one envelope."""
        log_id = item.log_id
        if log_id == INBOX:
            self._take_inbox(item)
            return
        held = self._state.held.get(log_id)
        mirror = self._find(log_id)
        if mirror is None or (held is not None and held.covers(item)):
            self._hold(log_id, item)
            return
        try:
            self._process(mirror, item)
        except Postponed as wait:
            self._hold(log_id, item, wait.accounts)
        else:
            if held is not None:
                self._again.add(log_id)

    def _find(self, log_id: bytes) -> Mirror | None:
        last = self._last
        if last is not None and last.uid == log_id:
            return last
        mirror = self._state.find(self._job.tx, log_id)
        if mirror is not None:
            self._touched[mirror.cid] = mirror
            self._last = mirror
        return mirror

    def _process(self, mirror: Mirror, item: Delivery) -> None:
        if item.seq <= mirror.cursor:
            self._inbox.take_late(mirror, item)
            self._effects.acks[mirror.uid] = mirror.cursor  # an earlier one was lost on its way
            return
        if mirror.state not in _DEAD:
            try:
                self._dispatch(mirror, item)
            except (DuplicateMessageError, OwnMessageError):
                pass  # a repeat, or our own echo: nothing new
            except ChainsNeeded as needed:
                raise Postponed(needed.accounts) from needed
            except EpochInFutureError as error:
                if _waits(mirror, item):
                    raise Postponed from error
                self.set_aside(mirror, item, type(error).__name__)
            except (PeerError, MalformedError) as error:
                self.set_aside(mirror, item, type(error).__name__)
        if item.seq > mirror.cursor:
            mirror.cursor = item.seq
            mirror.traffic = True
            self._effects.acks[mirror.uid] = item.seq

    def _dispatch(self, mirror: Mirror, item: Delivery) -> None:
        if item.kind == _APPLICATION:
            if mirror.group is None:
                raise EpochInFutureError
            self._inbox.take(mirror, item)
        elif item.kind == EnvelopeKind.COMMIT:
            self._commit(mirror, item)
        elif item.kind == EnvelopeKind.PROPOSAL:
            take_proposal(self._job, mirror, item)
        elif item.kind == EnvelopeKind.READD_REQUEST:
            take_readd_request(self._job, mirror, item)
        elif item.kind == EnvelopeKind.GAP and isinstance(item.extra, Gap):
            self._gap(mirror, item.extra)

    def _commit(self, mirror: Mirror, item: Delivery) -> None:
        group = mirror.group
        if group is None:
            if is_shut_out(self._job, mirror, item):
                return
            raise EpochInFutureError
        if item.epoch < mirror.log_epoch:
            return  # from before we joined, or a repeat: it is decided already
        if item.epoch > mirror.log_epoch:
            raise EpochInFutureError
        if mirror.is_disputed:
            pass_over(self._job, mirror, item)
            return
        try:
            staged = _stage(group, item)
            effect = judge_commit(self._job, mirror, staged, item.time_ms)
        except (PeerError, MalformedError) as error:
            self._inbox.flush()
            refuse(self._job, mirror, item, error)
            self.set_aside(mirror, item, type(error).__name__)
        else:
            self._inbox.flush()
            apply_commit(self._job, mirror, staged, effect)
            in_force(self._job, mirror, staged, item, item.payload)
        self._again.add(mirror.uid)

    def _gap(self, mirror: Mirror, gap: Gap) -> None:
        count = gap.to_seq - max(gap.from_seq, mirror.cursor + 1) + 1
        if count < 1:
            return  # it was all here
        self._effects.events.append(MessagesExpired(GroupId(mirror.uid), count))
        self._inbox.flush()
        note(self._job, mirror, NOBODY, (Notice(NoticeKind.EXPIRED, expired=count),))

    def _take_inbox(self, item: Delivery) -> None:
        tx, state = self._job.tx, self._state
        cursor = inbox.cursor(tx)
        if item.seq <= cursor and not self._is_new(item):
            self._effects.acks[INBOX] = cursor
            return
        try:
            if item.kind == EnvelopeKind.WELCOME:
                self._entered(take_welcome(self._job, item))
            elif item.kind == EnvelopeKind.NOTICE:
                take_notice(self._job, decode_notice(item.payload))
        except ChainsNeeded as needed:
            self._hold(INBOX, item, needed.accounts)
            return
        except UnopenedError as error:
            self.set_aside(None, item, type(error.why).__name__)
            self._entered(ask_anew(self._job, item, error.why))
        except (PeerError, MalformedError) as error:
            self.set_aside(None, item, type(error).__name__)
        if INBOX not in state.held:
            inbox.advance(tx, item.seq)
            self._effects.acks[INBOX] = item.seq

    def _is_new(self, item: Delivery) -> bool:
        """Is it an invitation to something unknown, whatever its number? A relay may go back."""
        uid = item.extra
        if item.kind != EnvelopeKind.WELCOME or not isinstance(uid, bytes):
            return False
        return self._state.find(self._job.tx, uid) is None

    def _entered(self, mirror: Mirror | None) -> None:
        """An invitation has changed a conversation: look again at what waits for it."""
        if mirror is not None:
            self._touched[mirror.cid] = mirror
            self._last = None
            self._again.add(mirror.uid)

    def _hold(self, log_id: bytes, item: Delivery, accounts: Iterable[bytes] = ()) -> None:
        held = self._state.held.get(log_id)
        if held is None:
            held = self._state.held[log_id] = Held(self._job.now_ms)
        if all(item.seq != one.seq for one in held.items):
            held.items.append(item)
        held.accounts |= set(accounts)
        self._effects.fetch |= held.accounts
        self._effects.holding = True
        if len(held.items) > MAX_HELD and not held.accounts:
            self.give_up(log_id)

    def retry(self, log_id: bytes) -> None:
        """Take again what was held back in one log."""
        held = self._state.held.pop(log_id, None)
        if held is None:
            return
        for item in sorted(held.items, key=lambda one: one.seq):
            self.take(item)
        after = self._state.held.get(log_id)
        if after is not None:
            after.since_ms = held.since_ms

    def patience_ms(self, log_id: bytes) -> int:
        """Return how long to wait for what a log is held back for."""
        mirror = self._find(log_id)
        if mirror is None:
            return HOLD_STRANGER_MS
        for row in intents.of_conversation(self._job.tx, mirror.cid):
            if row.state == intents.IntentState.COMMIT_MADE and row.epoch == mirror.epoch:
                return HOLD_OWN_COMMIT_MS
        return HOLD_MS

    def give_up(self, log_id: bytes) -> None:
        """Stop waiting: what was held back can never be read here."""
        held = self._state.held.pop(log_id, None)
        if held is None:
            return
        mirror = self._find(log_id)
        before = None if mirror is None else mirror.state
        for item in sorted(held.items, key=lambda one: one.seq):
            if mirror is None:
                self.skip(item, UnknownConversationError.__name__)
                continue
            try:
                self._process(mirror, item)
            except Postponed:
                self.skip(item, EpochInFutureError.__name__)
        if mirror is not None and mirror.state == before:
            ask_for_readd(self._job, mirror, ReaddReason.COMMIT_MISSED, EpochInFutureError())

    def skip(self, item: Delivery, error: str) -> None:
        """Set an envelope aside and move the cursor past it."""
        mirror = None if item.log_id == INBOX else self._find(item.log_id)
        self.set_aside(mirror, item, error)
        self._effects.acks[item.log_id] = item.seq
        if item.log_id == INBOX:
            inbox.advance(self._job.tx, item.seq)
        elif mirror is not None and item.seq > mirror.cursor:
            mirror.cursor = item.seq
            mirror.traffic = True

    def set_aside(self, mirror: Mirror | None, item: Delivery, error: str) -> None:
        """Keep an envelope that cannot be processed, with its error, and go on."""
        quarantine.add(
            self._job.tx,
            cid=0 if mirror is None else mirror.cid,
            seq=item.seq,
            kind=item.kind,
            epoch=item.epoch,
            envelope_id=item.envelope_id,
            payload=item.payload,
            error=error,
            created_ms=self._job.now_ms,
        )
        uid = GroupId(item.log_id) if item.log_id != INBOX else None
        self._effects.events.append(EnvelopeQuarantined(uid, error))

    def finish(self) -> None:
        """Take what became possible, then store everything."""
        while self._again:
            self.retry(self._again.pop())
        self._inbox.flush()
        for mirror in self._touched.values():
            mirror.save(self._job.tx)


def _waits(mirror: Mirror, item: Delivery) -> bool:
    """Is there a commit on its way, or an invitation, that may open something of a later epoch?"""
    is_healing = mirror.state == ConversationState.HEALING
    return mirror.group is None or is_healing or item.epoch > mirror.log_epoch


def _stage(group: Group, item: Delivery) -> StagedCommit:
    """Return a commit as staged.

    Raises:
        EpochTooOldError: It is something else than the relay said, so it is not what is awaited.
    """
    staged = group.receive(item.payload, now_ms=item.time_ms - LENIENCE_MS)
    if not isinstance(staged, StagedCommit):
        raise EpochTooOldError("not a commit")
    return staged
