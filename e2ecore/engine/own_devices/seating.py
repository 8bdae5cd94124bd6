"""Our own devices in our conversations: each that counts has a leaf, and no other.

What is wanted follows from the account chain and from who sits where, so it can be found anew at
any time, and is: when the chain has changed, when a conversation began, and with each connection.
The wishes are stored before the first commit is made; a crash in between loses none.

Spec: protocol/spec/70-linking.md, [LNK-40], [LNK-42]
"""

from collections.abc import Collection
from typing import Final

from e2ecore.engine.own_devices.removals import note_removed
from e2ecore.engine.own_talk.op_state import begin_or_end
from e2ecore.engine.own_talk.own_group import begin_own_group, own_group
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.telling.events import OwnDevicesChanged
from e2ecore.engine.values import ConversationState
from e2ecore.ids import AccountId, DeviceId
from e2ecore.messaging.identity import LeafIdentity
from e2ecore.messaging.intents import IntentKind, Wish
from e2ecore.messaging.roster import Effect
from e2ecore.storage import conversations, intents, members
from e2ecore.storage.intents import IntentRow
from e2ecore_protocol.chain.state import AccountState

LATER_MS: Final = 20_000
"""How long devices that did not link or remove another one wait for the one that did."""
_CHANGING: Final = frozenset({IntentKind.SEAT, IntentKind.UNSEAT})


def seat_devices(job: Job, only: int | None = None) -> None:
    """Want each conversation, or one that is active, to have just our devices that count now."""
    own = job.own
    chain = job.state.chain(job.tx, own.account_id)
    if chain is None or len(chain.devices) == 1:
        return
    begin_or_end(job)
    valid = {one.device_id for one in chain.valid_devices(job.now_ms)}
    if own.device_id not in valid:
        return
    if own.holds_identity and len(valid) > 1 and own_group(job) is None:
        begin_own_group(job)
    if only is not None:
        _seat(job, only, valid, intents.of_conversation(job.tx, only))
        return
    known: dict[int, list[IntentRow]] = {}
    for wish in intents.all_rows(job.tx):
        known.setdefault(wish.cid, []).append(wish)
    for row in conversations.all_rows(job.tx):
        if row.state == ConversationState.ACTIVE:
            _seat(job, row.cid, valid, known.get(row.cid, ()))


def _seat(job: Job, cid: int, valid: set[bytes], known: Collection[IntentRow]) -> None:
    own = job.own
    seated = {
        one.device_id for one in members.current(job.tx, cid) if one.account_id == own.account_id
    }
    if own.device_id not in seated or any(one.kind == IntentKind.LEAVE for one in known):
        return
    for kind, devices in ((IntentKind.SEAT, valid - seated), (IntentKind.UNSEAT, seated - valid)):
        waiting = [one for one in known if one.kind == kind]
        if not devices or any(_names(one) == devices for one in waiting):
            continue
        who = tuple(LeafIdentity(own.account_id, DeviceId(one)) for one in sorted(devices))
        wish = Wish(kind, devices=who)
        iid = intents.add(job.tx, cid, kind, wish.encode(), job.now_ms)
        if not own.holds_identity:
            intents.commit_lost(job.tx, iid, attempts=0, next_ms=job.now_ms + LATER_MS)
        job.effects.intents.add(cid)


def _names(row: IntentRow) -> set[bytes]:
    return {one.device_id for one in Wish.decode(row.kind, row.args).devices}


def unsettled(job: Job) -> dict[bytes, set[bytes]]:
    """Return for each device the conversations that it is still to come into, or to leave."""
    found: dict[bytes, set[bytes]] = {}
    for row in intents.all_rows(job.tx):
        if row.kind in _CHANGING:
            conversation = conversations.get(job.tx, row.cid)
            for device_id in _names(row):
                uids = found.setdefault(device_id, set())
                uids.update(() if conversation is None else (conversation.uid,))
    return found


def note_own_chain(job: Job, before: AccountState, after: AccountState) -> None:
    """Our own devices have changed: tell the user, and bring the conversations up to it."""
    was = {one.device_id for one in before.live_devices()}
    now = {one.device_id for one in after.live_devices()}
    added = tuple(DeviceId(one) for one in sorted(now - was))
    removed = tuple(DeviceId(one) for one in sorted(was - now))
    event = OwnDevicesChanged(AccountId(after.account_id), added, removed)
    job.effects.events.append(event)
    note_removed(job, after, removed)
    seat_devices(job)


def follow_sibling(job: Job, mirror: Mirror, effect: Effect) -> None:
    """The user has left on another device: leave here as well."""
    own = job.own
    if any(one.account_id == own.account_id for one in effect.left) and mirror.is_member(
        own.device_id
    ):
        mirror.state = ConversationState.LEFT
        mirror.dirty = True
        wish = Wish(IntentKind.LEAVE)
        intents.add(job.tx, mirror.cid, wish.kind, wish.encode(), job.now_ms)
        job.effects.intents.add(mirror.cid)


def follow_chains(job: Job, effect: Effect) -> None:
    """Somebody took a device of their own out: look into their chain why, without waiting."""
    for one in effect.removed:
        chain = job.state.chain(job.tx, one.account_id)
        if one.account_id != effect.committer or chain is None:
            continue
        if any(one.device_id == live.device_id for live in chain.live_devices()):
            job.effects.fetch.add(one.account_id)
