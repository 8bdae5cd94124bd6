"""Which commits of the log are in force: the docket of a conversation, kept in the writer's thread.

What is decided by whom is in ``e2ecore.messaging.docket``; here it meets the group, the outbox, the
intents and the app.
"""

from collections.abc import Sequence
from typing import Final

from e2ecore.engine.membership.healing import add_intent_later, ask_for_readd
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.talk.writing import of_conversation, submit_again
from e2ecore.engine.telling.events import ConversationHealed, MemberMisbehaved
from e2ecore.engine.values import ConversationState
from e2ecore.errors import PeerError
from e2ecore.ids import AccountId, DeviceId, GroupId
from e2ecore.messaging import routes
from e2ecore.messaging.docket import (
    Docket,
    Judgement,
    Outcome,
    Trial,
    digest_of,
    record,
    vote,
)
from e2ecore.messaging.identity import (
    ForeignLeafError,
    LeafIdentity,
    decode_identity,
)
from e2ecore.messaging.intents import IntentKind, Wish
from e2ecore.mls.errors import (
    ConfirmationError,
    ExpiredError,
    PathSecretError,
    UnknownProposalError,
)
from e2ecore.mls.genuine import genuine_sender
from e2ecore.mls.staged import StagedCommit
from e2ecore.storage import intents, outbox
from e2ecore_protocol.content.readd import ReaddReason, ReaddRequest
from e2ecore_protocol.frames.conversations import DeviceAddress
from e2ecore_protocol.frames.delivery import Delivery, EnvelopeKind, RouteChange

OURS_ALONE: Final = (
    PathSecretError,
    ConfirmationError,
    UnknownProposalError,
    ForeignLeafError,
    ExpiredError,
)
"""Faults of a genuine commit that depend on what this device has, or on what the relay said."""
ASK_AFTER_MS: Final = 5_000
"""How long to wait for the invitation that goes with being added again."""


class OutvotedError(PeerError):
    """The members refused a commit that this device had followed. It is added again."""


class RouteFaultError(PeerError):
    """A member had the relay deliver to others than to the members. It is put right."""


class VotedDownError(PeerError):
    """A member sent a commit that most members could not open. It is void for all."""


def judge_error(mirror: Mirror, item: Delivery, error: Exception) -> AccountId | None:
    """Tell whether everybody refuses a commit for this.

    Returns:
        Who has signed it, if so; None if others may see it differently.
    """
    if mirror.group is None or isinstance(error, OURS_ALONE):
        return None
    sender = genuine_sender(mirror.group, item.payload)
    return None if sender is None else decode_identity(sender.identity).account_id


def refuse(job: Job, mirror: Mirror, item: Delivery, error: Exception) -> None:
    """Take note of a commit that is not merged: everybody refuses it, or perhaps only we.

    The caller sets it aside.
    """
    culprit = judge_error(mirror, item, error)
    if culprit is not None:
        uid = GroupId(mirror.uid)
        job.effects.events.append(
            MemberMisbehaved(uid, culprit, type(error).__name__, is_proven=True)
        )
        _pass(job, mirror, item, Judgement.REFUSED)
        go_on(job, mirror)
        return
    if mirror.state == ConversationState.HEALING:
        _count(mirror, item)
        return
    _pass(job, mirror, item, Judgement.OPEN)
    ask_for_readd(job, mirror, ReaddReason.COMMIT_FAILED, error)


def pass_over(job: Job, mirror: Mirror, item: Delivery) -> None:
    """Take note of a commit behind one that could not be opened: it cannot be judged, either."""
    _pass(job, mirror, item, Judgement.OPEN)
    own = job.own
    change = item.extra
    if isinstance(change, RouteChange) and DeviceAddress(own.account_id, own.device_id) in (
        change.added
    ):
        asking = job.state.asking  # a pause that has grown longer stays
        asking[mirror.cid] = max(asking.get(mirror.cid, 0), job.now_ms + ASK_AFTER_MS)
        job.effects.holding = True


def in_force(
    job: Job, mirror: Mirror, staged: StagedCommit, placed: Delivery | None, payload: bytes
) -> None:
    """Take note of a commit that was just merged.

    Args:
        job: The work under way.
        mirror: The conversation, in its new epoch.
        staged: The commit.
        placed: As the relay delivered it; None if it is our own.
        payload: What was in the log.
    """
    if mirror.group is None:
        return  # it has removed us
    own = job.own
    joined = frozenset(decode_identity(one.identity) for one in staged.added)
    left = frozenset(decode_identity(one.identity) for one in staged.removed)
    sender = DeviceAddress(own.account_id, own.device_id)
    change = RouteChange(tuple(map(_address, joined)), tuple(map(_address, left)), sender)
    if placed is not None and isinstance(placed.extra, RouteChange):
        change = placed.extra
    strangers = _compare_route(job, mirror, change, joined, left)
    trial = Trial(
        mirror.log_epoch - 1,
        digest_of(payload),
        staged.epoch,
        Judgement.IN_FORCE,
        change.sender.device_id,
        frozenset(one.device_id for one in joined),
        frozenset(one.device_id for one in left),
        strangers,
    )
    _note(mirror, record(mirror.docket, trial, (one.device_id for one in change.added)))
    mirror.floor = mirror.epoch


def count_vote(job: Job, mirror: Mirror, request: ReaddRequest) -> Outcome:
    """Count a request that names a commit; its signature was checked."""
    named = request.failed
    if named is None or mirror.group is None:
        return Outcome.FOREIGN
    members = frozenset(one.device_id for one in mirror.by_leaf.values())
    docket, outcome = vote(mirror.docket, members, request.device_id, named.number, named.digest)
    if docket is mirror.docket:
        return outcome
    before = {one.number: one.judgement for one in mirror.docket}
    void = [one for one in docket if one.judgement is not before[one.number]]
    _note(mirror, docket)
    if outcome is Outcome.GO_ON:
        _go_on_without(job, mirror, void)
    elif outcome is Outcome.FALL_BACK:
        _fall_back(job, mirror, void)
    return outcome


def strangers_of(mirror: Mirror, wish: Wish) -> list[DeviceAddress]:
    """Return whom a commit only takes out of the route, in which they have no business."""
    if wish.kind is not IntentKind.REROUTE:
        return []
    return [DeviceAddress(*one) for one in wish.devices if not mirror.is_member(one.device_id)]


def forget(mirror: Mirror) -> None:
    """A new beginning: nothing is known of the commits before."""
    _note(mirror, ())


def go_on(job: Job, mirror: Mirror) -> None:
    """A commit was refused and the epoch stays: what waits is submitted under the new count."""
    submit_again(job, mirror)
    job.effects.intents.add(mirror.cid)


def _count(mirror: Mirror, item: Delivery) -> None:
    mirror.log_epoch = item.epoch + 1
    mirror.placed = True


def _pass(job: Job, mirror: Mirror, item: Delivery, judgement: Judgement) -> None:
    change = item.extra
    if not isinstance(change, RouteChange):
        _count(mirror, item)
        return
    added, removed = map(_leaf, change.added), map(_leaf, change.removed)
    cut, strangers = routes.compare(added, removed, (), (), _members(mirror))
    trial = Trial(
        item.epoch,
        digest_of(item.payload),
        mirror.epoch,
        judgement,
        change.sender.device_id,
        strangers=_joined(strangers),
        cut=_joined(cut),
    )
    _note(mirror, record(mirror.docket, trial, (one.device_id for one in change.added)))
    _count(mirror, item)
    if judgement is Judgement.REFUSED:
        _compare_route(job, mirror, change, frozenset(), frozenset())


def _note(mirror: Mirror, docket: Docket) -> None:
    mirror.docket = docket
    mirror.placed = True


def _members(mirror: Mirror) -> frozenset[LeafIdentity]:
    return frozenset(
        LeafIdentity(AccountId(one.account_id), DeviceId(one.device_id))
        for one in mirror.by_leaf.values()
    )


def _joined(leaves: frozenset[LeafIdentity]) -> frozenset[bytes]:
    return frozenset(one.account_id + one.device_id for one in leaves)


def _compare_route(
    job: Job,
    mirror: Mirror,
    change: RouteChange,
    joined: frozenset[LeafIdentity],
    left: frozenset[LeafIdentity],
) -> frozenset[bytes]:
    """See whether the relay delivers to the members, and put right what can be.

    Returns:
        Who is in the route without being a member, as account and device id.
    """
    added, removed = frozenset(map(_leaf, change.added)), frozenset(map(_leaf, change.removed))
    cut, strangers = routes.compare(added, removed, joined, left, _members(mirror))
    _settle_route(job, mirror, removed)
    if cut or strangers:
        by, name = AccountId(change.sender.account_id), RouteFaultError.__name__
        job.effects.events.append(MemberMisbehaved(GroupId(mirror.uid), by, name, is_proven=False))
    own = job.own
    if any(one.device_id == own.device_id for one in cut):
        ask_for_readd(job, mirror, ReaddReason.NOT_IN_ROUTE, RouteFaultError())
    uninvited = tuple(sorted((cut & joined) - added))
    if uninvited:
        add_intent_later(job, mirror, Wish(IntentKind.HEAL, devices=uninvited))
    if strangers:
        _dismiss(job, mirror, strangers)
    return _joined(strangers)


def _settle_route(job: Job, mirror: Mirror, removed: frozenset[LeafIdentity]) -> None:
    """Somebody was faster in putting the route right."""
    if not removed:
        return
    for row in intents.of_conversation(job.tx, mirror.cid):
        if row.kind == IntentKind.REROUTE and removed >= set(
            Wish.decode(row.kind, row.args).devices
        ):
            intents.remove(job.tx, row.iid)


def _dismiss(job: Job, mirror: Mirror, strangers: frozenset[LeafIdentity]) -> None:
    wish = Wish(IntentKind.REROUTE, devices=tuple(sorted(strangers)))
    add_intent_later(job, mirror, wish)


def _go_on_without(job: Job, mirror: Mirror, void: Sequence[Trial]) -> None:
    """Most could not open a commit, and neither could we: the epoch before it goes on."""
    uid = GroupId(mirror.uid)
    if mirror.state == ConversationState.HEALING:
        mirror.state = ConversationState.ACTIVE
        mirror.healing_ms = 0
        mirror.dirty = True
        job.effects.events.append(ConversationHealed(uid))
    _blame(job, mirror, void[0])
    _withdraw_request(job, mirror)
    _withdraw_healing(job, mirror, frozenset().union(*(one.against for one in void)))
    _restore_routes(job, mirror, void)
    go_on(job, mirror)


def _restore_routes(job: Job, mirror: Mirror, void: Sequence[Trial]) -> None:
    """Undo what commits that are void have done to the route."""
    strangers = frozenset().union(*(one.strangers for one in void))
    cut = frozenset().union(*(one.cut for one in void))
    members = _members(mirror)
    outside = frozenset(map(decode_identity, strangers)) - members
    if outside:
        _dismiss(job, mirror, outside)
    inside = tuple(sorted(members.intersection(map(decode_identity, cut))))
    if inside:
        add_intent_later(job, mirror, Wish(IntentKind.HEAL, devices=inside))


def _fall_back(job: Job, mirror: Mirror, void: Sequence[Trial]) -> None:
    """We had followed a commit that most could not open: they go on where we cannot go back to."""
    mirror.floor = void[0].epoch
    mirror.placed = True
    mirror.healing_ms = 0
    _blame(job, mirror, void[0])
    for row in intents.of_conversation(job.tx, mirror.cid):
        if row.kind == IntentKind.HEAL:
            intents.remove(job.tx, row.iid)
        elif row.state == intents.IntentState.COMMIT_MADE:
            intents.commit_lost(job.tx, row.iid, attempts=row.attempts + 1, next_ms=0)
    ask_for_readd(job, mirror, ReaddReason.OUTVOTED, OutvotedError())


def _blame(job: Job, mirror: Mirror, trial: Trial) -> None:
    sender = mirror.devices.get(trial.sender)
    if sender is not None and sender.device_id != job.own.device_id:
        uid, who = GroupId(mirror.uid), AccountId(sender.account_id)
        job.effects.events.append(
            MemberMisbehaved(uid, who, VotedDownError.__name__, is_proven=False)
        )


def _withdraw_request(job: Job, mirror: Mirror) -> None:
    """Our own request has become pointless, if it has not left yet."""
    own = [
        row.oid
        for row in of_conversation(job.tx, mirror.cid)
        if row.kind == EnvelopeKind.READD_REQUEST
    ]
    outbox.remove(job.tx, own)
    job.effects.outgoing = [one for one in job.effects.outgoing if one.oid not in own]
    job.state.asking.pop(mirror.cid, None)


def _withdraw_healing(job: Job, mirror: Mirror, devices: frozenset[bytes]) -> None:
    """Who could not open a commit that is void can go on: nobody has to be added again."""
    for row in intents.of_conversation(job.tx, mirror.cid):
        if row.kind == IntentKind.HEAL and devices >= {
            one.device_id for one in Wish.decode(row.kind, row.args).devices
        }:
            intents.remove(job.tx, row.iid)


def _leaf(address: DeviceAddress) -> LeafIdentity:
    return LeafIdentity(AccountId(address.account_id), DeviceId(address.device_id))


def _address(leaf: LeafIdentity) -> DeviceAddress:
    return DeviceAddress(leaf.account_id, leaf.device_id)
