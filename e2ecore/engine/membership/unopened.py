"""Invitations that cannot be opened: the key package is gone, or something was damaged on its way.

The relay has us in the route of the conversation already, and whoever invited us believes that we
are in it. So it is kept as a conversation without keys, whose id alone says what it is, and the
members are asked to add this device again.
"""

from typing import Final

from e2ecore.engine.account.accounts import replace_key_packages
from e2ecore.engine.membership.applying import forget_group
from e2ecore.engine.membership.healing import ASK_AGAIN_MS, ask_for_readd, is_due
from e2ecore.engine.membership.joining import UnknownKeyPackageError
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.telling.events import ConversationHealing, RemovedFromConversation
from e2ecore.engine.values import ConversationState
from e2ecore.ids import AccountId, GroupId
from e2ecore.messaging.intents import IntentKind
from e2ecore.storage import conversations, intents
from e2ecore.storage.conversations import ConversationKind
from e2ecore_protocol.content.conversation import (
    DIRECT_POLICY,
    GROUP_POLICY,
    ConversationInfo,
    InfoKind,
)
from e2ecore_protocol.content.readd import ReaddReason
from e2ecore_protocol.frames.conversations import (
    DeviceAddress,
    is_group_conversation,
    is_self_conversation,
)
from e2ecore_protocol.frames.delivery import Delivery, RouteChange

LONGEST_PAUSE_MS: Final = 3600 * 1000
"""The pause between requests doubles with each invitation that cannot be opened, up to this."""


def ask_anew(job: Job, item: Delivery, error: Exception) -> Mirror | None:
    """Keep the place of a conversation whose invitation cannot be opened, and ask for another one.

    Returns:
        The conversation; None if the invitation says nothing new.
    """
    uid = item.extra
    if not isinstance(uid, bytes):
        return None
    mirror = job.state.find(job.tx, uid)
    if mirror is None:
        mirror = keep_place(job, uid, error)
    elif not _is_news(mirror, item):
        return None
    _begin_waiting(job, mirror, item, error)
    if isinstance(error, UnknownKeyPackageError):
        replace_key_packages(job)
    _ask(job, mirror, error)
    return mirror


def ask_with_fresh_keys(job: Job) -> None:
    """The relay has fresh key packages: ask where one was missing."""
    for cid in list(job.state.asking):
        mirror = job.mirror(cid)
        if mirror.group is None and is_due(mirror, job.now_ms):
            del job.state.asking[cid]
            ask_for_readd(job, mirror, ReaddReason.STATE_LOST, UnknownKeyPackageError())


def is_shut_out(job: Job, mirror: Mirror, item: Delivery) -> bool:
    """Answer whether a commit that cannot be opened ends our waiting: it takes us out of the route.

    That is the relay's word. Should it be wrong, an invitation can still come.
    """
    own, change = job.own, item.extra
    if mirror.state != ConversationState.HEALING or not isinstance(change, RouteChange):
        return False
    address = DeviceAddress(own.account_id, own.device_id)
    if item.epoch < mirror.log_epoch or address not in change.removed or address in change.added:
        return False
    mirror.state = ConversationState.REMOVED
    mirror.log_epoch = item.epoch + 1
    mirror.dirty = mirror.placed = True
    by = AccountId(change.sender.account_id)
    job.effects.events.append(RemovedFromConversation(GroupId(mirror.uid), by))
    return True


def keep_place(job: Job, uid: bytes, error: Exception) -> Mirror:
    """Make a conversation that has no keys yet, of which nothing but the id is known."""
    kind = InfoKind.GROUP if is_group_conversation(uid) else InfoKind.DIRECT
    if is_self_conversation(uid, job.own.account_id):
        kind = InfoKind.SELF
    policy = GROUP_POLICY if kind is InfoKind.GROUP else DIRECT_POLICY
    info = ConversationInfo(kind, policy=policy)
    row = conversations.create(
        job.tx,
        uid=uid,
        kind=ConversationKind(kind),
        state=conversations.ConversationState.HEALING,
        info=info.encode(),
        created_ms=job.now_ms,
    )
    mirror = Mirror(row)
    job.state.add_mirror(mirror)
    job.effects.events.append(ConversationHealing(GroupId(uid), type(error).__name__))
    return mirror


def _is_news(mirror: Mirror, item: Delivery) -> bool:
    """Can it be an invitation that was not used yet?"""
    if mirror.state == ConversationState.LEFT and mirror.group is not None:
        return False
    return mirror.state == ConversationState.HEALING or item.epoch > mirror.log_epoch


def _begin_waiting(job: Job, mirror: Mirror, item: Delivery, error: Exception) -> None:
    """Without keys of our own there is nothing to lose: wait for another invitation."""
    if mirror.state == ConversationState.CREATING:
        _give_way(job, mirror)
    if mirror.group is not None:
        return  # the old epoch can still be read
    if mirror.state != ConversationState.HEALING:
        mirror.state = ConversationState.HEALING
        job.effects.events.append(ConversationHealing(GroupId(mirror.uid), type(error).__name__))
    mirror.log_epoch = max(mirror.log_epoch, item.epoch)
    mirror.dirty = mirror.placed = True


def _give_way(job: Job, mirror: Mirror) -> None:
    """The other side has made the same conversation, and was faster."""
    forget_group(job.tx, mirror)
    for row in intents.of_conversation(job.tx, mirror.cid):
        if row.kind == IntentKind.CREATE:
            intents.commit_lost(job.tx, row.iid, attempts=row.attempts + 1, next_ms=0)


def _ask(job: Job, mirror: Mirror, error: Exception) -> None:
    """Ask now, or when the pause is over, or when the relay has key packages that can be opened."""
    state = job.state
    count = state.unopened.get(mirror.cid, 0)
    state.unopened[mirror.cid] = count + 1
    if is_due(mirror, job.now_ms) and not state.replacing:
        ask_for_readd(job, mirror, ReaddReason.STATE_LOST, error)
        return
    pause_ms = min(ASK_AGAIN_MS << min(count, 10), LONGEST_PAUSE_MS)
    state.asking[mirror.cid] = (mirror.healing_ms or job.now_ms) + pause_ms
    job.effects.holding = True
