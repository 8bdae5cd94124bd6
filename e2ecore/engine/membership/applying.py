"""What a commit that is in force means for a conversation, whoever made it."""

from dataclasses import replace
from typing import Final

from e2ecore.engine.account.profiles import tell_newcomers
from e2ecore.engine.arrival.notices import note
from e2ecore.engine.errors import ChangeFailedError, MessageRefusedError
from e2ecore.engine.membership.healing import healed_by_itself
from e2ecore.engine.own_devices.seating import follow_chains, follow_sibling
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.running.state import group_of
from e2ecore.engine.talk.writing import encrypt_again, of_conversation
from e2ecore.engine.telling.agreements import PolicyChanged
from e2ecore.engine.telling.events import (
    Event,
    MemberJoined,
    MemberLeft,
    RemovedFromConversation,
    RoleChanged,
    TitleChanged,
)
from e2ecore.engine.values import ConversationState
from e2ecore.ids import AccountId, GroupId
from e2ecore.messaging.identity import decode_identity
from e2ecore.messaging.intents import IntentKind, Wish
from e2ecore.messaging.lifetimes import lifetime_of
from e2ecore.messaging.notices import between
from e2ecore.messaging.roster import Effect, Roster
from e2ecore.mls.staged import StagedCommit
from e2ecore.storage import intents, messages, mls_rows, outbox
from e2ecore.storage.tx import Tx
from e2ecore_protocol.content.conversation import Policy

_HEALING: Final = frozenset({IntentKind.HEAL, IntentKind.SUCCEED})


def apply_commit(job: Job, mirror: Mirror, staged: StagedCommit, effect: Effect) -> None:
    """Merge a commit and do all that follows from it. The caller saves the mirror."""
    before = mirror.roster()
    group = group_of(mirror)
    group.merge(staged, now_ms=job.now_ms)
    if staged.self_removed:
        _drop_group(job, mirror, effect)
        note(job, mirror, effect.committer, between(before, _without(before, job), effect))
        return
    for gone in staged.removed:
        mirror.unseat(gone.leaf)
    for new in staged.added:
        who = decode_identity(new.identity)
        mirror.place(who.account_id, who.device_id, new.leaf)
    if effect.info is not None:
        mirror.info = effect.info
        mirror.title = effect.info.title
    mirror.epoch = group.epoch
    mirror.log_epoch += 1
    mirror.dirty = mirror.placed = True
    mirror.set_roles()
    healed_by_itself(job.effects, mirror)
    job.effects.events.extend(changes_between(mirror, before, effect))
    note(job, mirror, effect.committer, between(before, mirror.roster(), effect))
    settle_intents(job, mirror, effect)
    follow_sibling(job, mirror, effect)
    follow_chains(job, effect)
    encrypt_again(job, mirror)
    if mirror.is_own:
        job.effects.own_seats = True
    if effect.added and before.devices.keys() != mirror.roster().devices.keys():
        tell_newcomers(job, mirror)


def changes_between(mirror: Mirror, before: Roster, effect: Effect) -> list[Event]:
    """Return the events that tell how a conversation changed."""
    uid, by = GroupId(mirror.uid), AccountId(effect.committer)
    now = mirror.roster()
    left = {one.account_id for one in effect.left}
    events: list[Event] = [
        MemberJoined(uid, AccountId(account), by)
        for account in sorted(now.devices.keys() - before.devices.keys())
    ]
    for account in sorted(before.devices.keys() - now.devices.keys()):
        who = AccountId(account)
        events.append(MemberLeft(uid, who, who if account in left else by))
    if now.info.title != before.info.title:
        events.append(TitleChanged(uid, now.info.title, by))
    if now.info.policy != before.info.policy:
        events.append(_policy_changed(uid, now.info.policy, by))
    if now.info.roles != before.info.roles or now.devices.keys() != before.devices.keys():
        events.extend(
            RoleChanged(uid, AccountId(account), now.role(account), by)
            for account in sorted(now.devices.keys() & before.devices.keys())
            if now.role(account) is not before.role(account)
        )
    return events


def _policy_changed(uid: GroupId, policy: Policy, by: AccountId) -> PolicyChanged:
    return PolicyChanged(uid, lifetime_of(policy), policy.attachment_ttl_s, by)


def _without(roster: Roster, job: Job) -> Roster:
    """Return the members without us."""
    own = job.own.account_id
    return replace(roster, devices={one: of for one, of in roster.devices.items() if one != own})


def settle_intents(job: Job, mirror: Mirror, effect: Effect) -> None:
    """A new epoch has begun: staged commits are void, and some wishes have come true."""
    added = set(effect.added)
    for row in intents.of_conversation(job.tx, mirror.cid):
        if (
            row.kind in _HEALING and added & set(Wish.decode(row.kind, row.args).devices)
        ) or row.kind == IntentKind.SETTLE:
            intents.remove(job.tx, row.iid)
        elif row.state == intents.IntentState.COMMIT_MADE and row.epoch != mirror.epoch:
            intents.commit_lost(job.tx, row.iid, attempts=row.attempts + 1, next_ms=0)
        job.effects.intents.add(mirror.cid)


def _drop_group(job: Job, mirror: Mirror, effect: Effect) -> None:
    """We are no member any more: the history stays, the keys go."""
    forget_group(job.tx, mirror)
    own_will = mirror.state == ConversationState.LEFT
    mirror.state = ConversationState.LEFT if own_will else ConversationState.REMOVED
    mirror.dirty = True
    drop_outbox(job, mirror.cid)
    for intent in intents.of_conversation(job.tx, mirror.cid):
        intents.remove(job.tx, intent.iid)
        done = intent.kind == IntentKind.LEAVE
        job.effects.changes.append(
            (intent.iid, None if done else ChangeFailedError("no longer a member"))
        )
    if not own_will:
        uid, by = GroupId(mirror.uid), AccountId(effect.committer)
        job.effects.events.append(RemovedFromConversation(uid, by))


def drop_outbox(job: Job, cid: int) -> None:
    """What waits to be sent in a conversation will never be sent: tell who waits for it."""
    for row in of_conversation(job.tx, cid):
        outbox.remove(job.tx, (row.oid,))
        job.effects.failed.append((row.oid, MessageRefusedError("no longer in the conversation")))
        if row.message:
            messages.mark_failed(job.tx, row.message)


def forget_group(tx: Tx, mirror: Mirror) -> None:
    """Delete a conversation's keys, on disk and in memory."""
    mls_rows.remove_group(tx, mirror.cid)
    mirror.group = None
    mirror.source = None
    mirror.unseat_all()
