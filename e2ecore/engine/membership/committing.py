"""Intents become commits: in the writer's thread.

A commit is made, stored and only then sent; it is merged when the relay has given it its place.
When another commit was faster it is thrown away, and the wish is planned anew in the next epoch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from e2ecore.engine.account.profiles import tell_name
from e2ecore.engine.arrival.receiving import look_again
from e2ecore.engine.errors import ChangeFailedError, NoKeyPackageError
from e2ecore.engine.membership.applying import apply_commit, forget_group
from e2ecore.engine.membership.concluding import fail, finish
from e2ecore.engine.membership.deciding import in_force, strangers_of
from e2ecore.engine.membership.healing import ask_for_readd
from e2ecore.engine.membership.inviting import INVITING, add_later, usable, wait_for
from e2ecore.engine.membership.judging import ChainsNeeded, effect_of
from e2ecore.engine.membership.leaving import is_own_affair, propose_leaving
from e2ecore.engine.own_devices.seating import seat_devices
from e2ecore.engine.running.defects import IntentBrokenError
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.losing import UNKNOWN, lose
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.running.state import group_of
from e2ecore.engine.telling.events import ConversationReady
from e2ecore.engine.values import ConversationState
from e2ecore.errors import E2EError, PeerError, TransientError, UsageError
from e2ecore.ids import GroupId
from e2ecore.messaging.identity import LeafIdentity, decode_identity
from e2ecore.messaging.intents import (
    MAX_ATTEMPTS,
    MAX_REFUSALS,
    Fulfilled,
    Impossible,
    IntentEvent,
    IntentKind,
    Plan,
    Wish,
    pause_ms,
    plan,
    step,
)
from e2ecore.messaging.intents import IntentState as Stage
from e2ecore.mls.errors import EpochInFutureError
from e2ecore.mls.extensions import Extension
from e2ecore.mls.key_package import KeyPackage
from e2ecore.mls.pending_commit import PendingCommit
from e2ecore.mls.proposals import Add, GroupContextExtensions, Proposal, Remove
from e2ecore.storage import intents
from e2ecore.storage.intents import IntentRow, IntentState
from e2ecore_protocol.content.conversation import (
    CONVERSATION_EXTENSION,
    ConversationInfo,
    InfoKind,
)
from e2ecore_protocol.content.readd import ReaddReason
from e2ecore_protocol.frames.conversations import Commit, DeviceAddress
from e2ecore_protocol.frames.delivery import make_envelope_id
from e2ecore_protocol.frames.key_packages import DeviceKeyPackage

CATCH_UP_MS: Final = 5_000
"""How long to wait for the commit that was faster than ours before asking to be added again."""
_AWAITED: Final = frozenset({ConversationState.CREATING, ConversationState.HEALING})


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be done for this conversation before this many milliseconds; 0: nothing waits."""

    ms: int


@dataclass(frozen=True, slots=True)
class NeedKeys:
    """Key packages are needed for an intent: of whole accounts, and of single devices."""

    iid: int
    accounts: tuple[bytes, ...]
    devices: tuple[LeafIdentity, ...]


@dataclass(frozen=True, slots=True)
class Send:
    """A stored commit that the relay has to answer."""

    iid: int
    frame: Commit


Step = Wait | NeedKeys | Send


@dataclass(frozen=True, slots=True)
class Task:
    """A wish that has to become a commit now."""

    iid: int
    wish: Wish
    plan: Plan

    @property
    def accounts(self) -> tuple[bytes, ...]:
        """Accounts all devices of which are to be added, ascending."""
        created = self.wish.accounts if self.wish.kind is IntentKind.CREATE else ()
        return tuple(sorted({*self.plan.add, *created}))


def next_step(job: Job, cid: int, packages: Sequence[DeviceKeyPackage] | None = None) -> Step:
    """Find what to do next for one conversation, and prepare it.

    Args:
        job: The work under way.
        cid: The conversation.
        packages: What an earlier ``NeedKeys`` brought.
    """
    mirror = job.mirror(cid)
    now_ms = job.now_ms
    soonest = 0
    for row in intents.of_conversation(job.tx, cid):
        if row.next_ms > now_ms:
            soonest = min(soonest or row.next_ms, row.next_ms)
            continue
        try:
            step = _step_for(job, mirror, row, packages)
        except (PeerError, TransientError, ChainsNeeded):
            raise
        except Exception as error:
            raise IntentBrokenError(row.iid) from error
        if step is not None:
            mirror.save(job.tx)
            return step
    mirror.save(job.tx)
    return Wait(max(1, soonest - now_ms) if soonest else 0)


def _step_for(
    job: Job, mirror: Mirror, row: IntentRow, packages: Sequence[DeviceKeyPackage] | None
) -> Step | None:
    wish = Wish.decode(row.kind, row.args)
    if mirror.group is None or mirror.state == ConversationState.HEALING:
        _without_group(job, mirror, row)
        return None
    if row.state == IntentState.COMMIT_MADE:
        return None if wish.kind is IntentKind.LEAVE else Send(row.iid, _frame(mirror, row, wish))
    behind = job.state.relay_epochs.get(mirror.cid, 0)
    if behind > mirror.log_epoch:
        return _catch_up(job, mirror)
    if wish.kind is IntentKind.LEAVE:
        return _leave(job, mirror, row)
    return _commit_step(job, mirror, row, packages)


def _commit_step(
    job: Job, mirror: Mirror, row: IntentRow, packages: Sequence[DeviceKeyPackage] | None
) -> Step | None:
    """Plan a wish in the present epoch and make its commit."""
    wish = Wish.decode(row.kind, row.args)
    try:
        found = plan(wish, mirror.roster(), job.own.account_id)
        if isinstance(found, Fulfilled):
            step(Stage(row.state), IntentEvent.FULFILLED)
            finish(job, mirror, row.iid)
            return None
        task = Task(row.iid, wish, found)
        if not task.accounts and not found.heal:
            return _stage(job, mirror, task, ())
        if packages is None:
            return NeedKeys(row.iid, task.accounts, found.heal)
        return _invite(job, mirror, row, task, packages)
    except Impossible as error:
        fail(job, mirror, row, ChangeFailedError(str(error)))
    except (PeerError, UsageError, NoKeyPackageError) as error:
        fail(job, mirror, row, error)
    return None


def _invite(
    job: Job, mirror: Mirror, row: IntentRow, task: Task, packages: Sequence[DeviceKeyPackage]
) -> Step | None:
    """Add those who can be added now; the others later."""
    wanted = {*task.accounts, *(one.account_id for one in task.plan.heal)}
    checked = usable(job, packages, wanted)
    away = sorted(set(task.accounts) - {who.account_id for who, _ in checked})
    lacking = set(task.plan.heal) - {who for who, _ in checked}
    if not away and not lacking:
        return _stage(job, mirror, task, checked)
    if task.wish.kind not in INVITING:
        keys_refused(job, row.iid, NoKeyPackageError(), can_retry=True)
        return None
    if mirror.info.kind is InfoKind.DIRECT or (
        task.wish.kind is IntentKind.ADD and len(away) == len(task.accounts)
    ):
        wait_for(job, mirror, row, away)
        return None
    rest = add_later(job, mirror, row, task.wish, away)
    gone = set(away)
    left = replace(task.plan, add=tuple(one for one in task.plan.add if one not in gone))
    return _stage(job, mirror, Task(row.iid, rest, left), checked)


def _without_group(job: Job, mirror: Mirror, row: IntentRow) -> None:
    """There are no keys now: a Welcome is awaited, for long enough or too long."""
    if mirror.state == ConversationState.CREATING and row.attempts and not mirror.is_own:
        fail(job, mirror, row, ChangeFailedError("the other side did not invite us"))


def _leave(job: Job, mirror: Mirror, row: IntentRow) -> Step | None:
    if len(mirror.by_leaf) > 1:
        propose_leaving(job, mirror, row.iid)
        return None
    forget_group(job.tx, mirror)
    mirror.dirty = True
    finish(job, mirror, row.iid)
    return None


def _catch_up(job: Job, mirror: Mirror) -> Step:
    """Somebody was faster, and that commit has not come yet."""
    since = job.state.behind_since.setdefault(mirror.cid, job.now_ms)
    left = CATCH_UP_MS - (job.now_ms - since)
    if left > 0:
        return Wait(left)
    job.state.relay_epochs.pop(mirror.cid, None)
    job.state.behind_since.pop(mirror.cid, None)
    error = EpochInFutureError()
    ask_for_readd(job, mirror, ReaddReason.COMMIT_MISSED, error)
    return Wait(0)


def _stage(
    job: Job, mirror: Mirror, task: Task, checked: Sequence[tuple[LeafIdentity, KeyPackage]]
) -> Step:
    """Make the commit, store it, and return what to send."""
    group = group_of(mirror)
    pending = group.create_commit(
        _proposals(mirror, task, checked),
        signer=job.own.signer,
        now_ms=job.now_ms,
        rng=job.state.rng,
        include_pending=all(is_own_affair(one) for one in group.pending_proposals),
    )
    envelope_id = make_envelope_id(job.now_ms, job.state.rng(10))
    intents.commit_made(
        job.tx, task.iid, epoch=mirror.epoch, envelope_id=envelope_id, pending=pending.encode()
    )
    return Send(task.iid, _make_frame(mirror, task.wish, envelope_id, pending))


def _proposals(
    mirror: Mirror, task: Task, packages: Sequence[tuple[LeafIdentity, KeyPackage]]
) -> list[Proposal]:
    """Return what the commit contains: new terms, removals, additions."""
    found, proposals = task.plan, list[Proposal]()
    if found.info is not None:
        extensions = _extensions(group_of(mirror).extensions, found.info)
        proposals.append(GroupContextExtensions(extensions))
    for one in (*found.remove, *found.heal):
        device = mirror.devices.get(one.device_id)
        if device is not None and device.leaf >= 0:
            proposals.append(Remove(device.leaf))
    for who, package in packages:
        if who.account_id in task.accounts or who in found.heal:
            proposals.append(Add(package))
    return proposals


def _extensions(old: Sequence[Extension], info: ConversationInfo) -> tuple[Extension, ...]:
    data = info.encode()
    return tuple(
        Extension(one.type, data if one.type == CONVERSATION_EXTENSION else one.data) for one in old
    )


def _frame(mirror: Mirror, row: IntentRow, wish: Wish) -> Commit:
    pending = PendingCommit.decode(row.pending, group_of(mirror))
    return _make_frame(mirror, wish, row.envelope_id, pending)


def _make_frame(mirror: Mirror, wish: Wish, envelope_id: bytes, pending: PendingCommit) -> Commit:
    """Return the frame for a commit; its request number is filled in when it is sent."""
    staged = pending.staged
    return Commit(
        0,
        mirror.uid,
        envelope_id,
        mirror.log_epoch,
        pending.commit,
        int(mirror.kind) if wish.kind is IntentKind.CREATE else None,
        tuple(DeviceAddress(*decode_identity(one.identity)) for one in staged.added),
        (
            *(DeviceAddress(*decode_identity(one.identity)) for one in staged.removed),
            *strangers_of(mirror, wish),
        ),
        pending.welcome,
    )


def commit_accepted(job: Job, iid: int) -> None:
    """The relay has given our commit its place: merge it, and take what waited for it."""
    row = intents.get(job.tx, iid)
    if row is None or row.state != IntentState.COMMIT_MADE:
        return
    mirror = job.mirror(row.cid)
    if mirror.group is None or mirror.epoch != row.epoch:
        return
    pending = PendingCommit.decode(row.pending, mirror.group)
    effect = effect_of(mirror.group, pending.staged)
    step(Stage(row.state), IntentEvent.COMMIT_ACCEPTED)
    finish(job, mirror, iid)
    is_new = mirror.state == ConversationState.CREATING
    if is_new:
        mirror.state = ConversationState.ACTIVE
        job.effects.events.append(ConversationReady(GroupId(mirror.uid)))
    apply_commit(job, mirror, pending.staged, effect)
    in_force(job, mirror, pending.staged, None, pending.commit)
    if is_new:
        tell_name(job, mirror)
        mirror.save(job.tx)
        seat_devices(job, mirror.cid)
    job.effects.intents.add(mirror.cid)
    mirror.save(job.tx)
    look_again(job, (mirror.uid,))


def commit_refused(
    job: Job, iid: int, code: str, *, can_retry: bool, retry_after_ms: int, relay_epoch: int | None
) -> None:
    """The relay did not take our commit."""
    row = intents.get(job.tx, iid)
    if row is None:
        return
    mirror = job.mirror(row.cid)
    job.effects.intents.add(row.cid)
    attempts = row.attempts + 1
    now_ms = job.now_ms
    if code == "stale_epoch":
        if relay_epoch is not None and relay_epoch > mirror.log_epoch:
            job.state.relay_epochs[mirror.cid] = relay_epoch
        if row.state != IntentState.COMMIT_MADE:
            return  # the commit that was faster has come already
        if attempts > MAX_ATTEMPTS:
            fail(job, mirror, row, ChangeFailedError("others were always faster"))
            return
        step(Stage(row.state), IntentEvent.RACE_LOST)
        pause = pause_ms(attempts, job.state.rng)
        intents.commit_lost(job.tx, iid, attempts=attempts, next_ms=now_ms + pause)
        look_again(job, (mirror.uid,))
    elif code == "conversation_exists" and mirror.state in _AWAITED:
        forget_group(job.tx, mirror)
        mirror.save(job.tx)
        intents.commit_lost(job.tx, iid, attempts=attempts, next_ms=now_ms + 3 * CATCH_UP_MS)
    elif code == UNKNOWN:
        lose(job, mirror)
    elif can_retry and attempts <= MAX_REFUSALS:
        wait = max(retry_after_ms, pause_ms(attempts + 4, job.state.rng))
        intents.commit_lost(job.tx, iid, attempts=attempts, next_ms=now_ms + wait)
    else:
        fail(job, mirror, row, ChangeFailedError(code))


def keys_refused(job: Job, iid: int, error: E2EError, *, can_retry: bool) -> None:
    """The key packages for an intent could not be had."""
    row = intents.get(job.tx, iid)
    if row is None:
        return
    job.effects.intents.add(row.cid)
    attempts = row.attempts + 1
    if can_retry and attempts <= MAX_REFUSALS:
        next_ms = job.now_ms + pause_ms(attempts + 4, job.state.rng)
        intents.commit_lost(job.tx, iid, attempts=attempts, next_ms=next_ms)
        return
    mirror = job.mirror(row.cid)
    fail(job, mirror, row, error)
    mirror.save(job.tx)
