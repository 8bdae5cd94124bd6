"""Joining a conversation by a Welcome: new to us, or ours again after a re-add."""

from typing import Final

from e2ecore.engine.account.accounts import used
from e2ecore.engine.account.blocks import is_unwelcome, is_with_blocked
from e2ecore.engine.account.profiles import tell_name
from e2ecore.engine.arrival.notices import NOBODY, note
from e2ecore.engine.membership.applying import forget_group
from e2ecore.engine.membership.deciding import forget
from e2ecore.engine.membership.founding import seat_everybody
from e2ecore.engine.membership.judging import BadConversationError, judge_group
from e2ecore.engine.own_talk.op_applying import apply_conversation
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.talk.writing import encrypt_again
from e2ecore.engine.telling.events import ConversationAdded, ConversationHealed, ConversationReady
from e2ecore.engine.values import ConversationState
from e2ecore.errors import PeerError
from e2ecore.ids import GroupId
from e2ecore.messaging.intents import IntentKind, Wish
from e2ecore.messaging.notices import Notice, NoticeKind, between
from e2ecore.messaging.roster import Effect, Roster
from e2ecore.mls.group import Group
from e2ecore.mls.group_info import Welcome
from e2ecore.mls.key_package import KeyPackageBundle
from e2ecore.mls.message import decode_message
from e2ecore.storage import chains, conversations, intents, key_packages
from e2ecore.storage.conversations import ConversationKind
from e2ecore.storage.key_packages import KeyPackageRow
from e2ecore.storage.tx import Tx
from e2ecore_protocol.content.conversation import ConversationInfo, InfoKind
from e2ecore_protocol.frames.delivery import Delivery

_EXPECTED: Final = frozenset(set(ConversationState) - {ConversationState.ACTIVE})
"""States in which an invitation to a known conversation makes sense."""


class UnknownKeyPackageError(BadConversationError):
    """An invitation was made with a key package that is used up, expired or not ours."""


class UnopenedError(BadConversationError):
    """An invitation cannot be opened on this device. The members are asked for another one."""

    def __init__(self, why: Exception) -> None:
        super().__init__()
        self.why = why


def take_welcome(job: Job, item: Delivery) -> Mirror | None:
    """Join the group that a Welcome leads to.

    Returns:
        The conversation; None if the Welcome says nothing new.

    Raises:
        ChainsNeeded: Account chains must be fetched first. Nothing has changed.
        UnopenedError: It cannot be opened here; another one may.
        PeerError: It must not be joined.
    """
    uid = item.extra
    if not isinstance(uid, bytes):
        raise BadConversationError("an invitation to nothing")
    mirror = job.state.find(job.tx, uid)
    if mirror is not None and mirror.state not in _EXPECTED:
        if item.epoch <= mirror.log_epoch:
            return None
        raise BadConversationError("an invitation to a conversation that we are in")
    row, group = _open(job.tx, item.payload)
    if group.group_id != uid:
        raise BadConversationError("the invitation is to another conversation")
    if mirror is not None and mirror.devices and group.epoch <= mirror.floor:
        raise BadConversationError("the invitation leads into the past")
    kind = None if mirror is None else mirror.info.kind

    def same_kind(info: ConversationInfo, _accounts: set[bytes]) -> None:
        if kind is not None and info.kind is not kind:
            raise BadConversationError("the conversation has changed its kind")

    info = judge_group(job, group, same_kind)
    used(job, row)
    joined = _new_mirror(job, uid, info) if mirror is None else mirror
    _enter(job, joined, group, info)
    joined.log_epoch = item.epoch
    return joined


def _open(tx: Tx, payload: bytes) -> tuple[KeyPackageRow, Group]:
    try:
        row = _key_package(tx, payload)
        bundle = KeyPackageBundle.decode(row.bundle)
        return row, Group.join(payload, bundle, now_ms=None)  # old members keep old key packages
    except PeerError as error:
        raise UnopenedError(error) from error


def _key_package(tx: Tx, payload: bytes) -> KeyPackageRow:
    welcome = decode_message(payload)
    if not isinstance(welcome, Welcome):
        raise BadConversationError("not an invitation")
    for secret in welcome.secrets:
        row = key_packages.get(tx, secret.new_member)
        if row is not None:
            return row
    raise UnknownKeyPackageError


def _new_mirror(job: Job, uid: bytes, info: ConversationInfo) -> Mirror:
    row = conversations.create(
        job.tx,
        uid=uid,
        kind=ConversationKind(info.kind),
        state=conversations.ConversationState.CREATING,
        title=info.title,
        info=info.encode(),
        created_ms=job.now_ms,
    )
    mirror = Mirror(row)
    job.state.add_mirror(mirror)
    return mirror


def _enter(job: Job, mirror: Mirror, group: Group, info: ConversationInfo) -> None:
    """Take over a group that was found good."""
    own = job.own
    is_new = not mirror.devices
    before, known = ConversationState(mirror.state), mirror.roster()
    if not (mirror.is_disputed or mirror.floor < mirror.epoch):
        mirror.floor = group.epoch
    forget(mirror)
    job.state.asking.pop(mirror.cid, None)
    job.state.unopened.pop(mirror.cid, None)
    forget_group(job.tx, mirror)
    seat_everybody(job.tx, mirror, group)
    mirror.info = info
    mirror.title = info.title
    mirror.state = ConversationState.ACTIVE
    mirror.healing_ms = 0
    mirror.dirty = True
    if info.kind is InfoKind.DIRECT:
        others = {one.account_id for one in mirror.by_leaf.values()} - {own.account_id}
        mirror.peer = next(iter(others))
        _note_contact(job, mirror.peer)
    uid = GroupId(mirror.uid)
    _settle_wishes(job, mirror)
    is_healed = before is ConversationState.HEALING
    if not is_healed and is_unwelcome(job, mirror):
        _turn_away(job, mirror)
        return
    is_unheard = is_with_blocked(job, mirror)
    is_added = is_new or not (is_healed or before is ConversationState.CREATING)
    if is_added and not is_unheard:
        job.effects.events.append(ConversationAdded(uid, None))
    if is_healed:
        job.effects.events.append(ConversationHealed(uid))
    apply_conversation(job, mirror)
    _note_entry(job, mirror, known if is_healed else None)
    job.effects.intents.add(mirror.cid)
    encrypt_again(job, mirror)
    if not is_unheard:
        tell_name(job, mirror)


def _settle_wishes(job: Job, mirror: Mirror) -> None:
    """What had been asked for before we came in: some of it came true, some is tried again."""
    for intent in intents.of_conversation(job.tx, mirror.cid):
        if intent.kind == IntentKind.CREATE:
            intents.remove(job.tx, intent.iid)
            job.effects.changes.append((intent.iid, None))
            job.effects.events.append(ConversationReady(GroupId(mirror.uid)))
        elif intent.kind in {IntentKind.HEAL, IntentKind.REROUTE}:
            intents.remove(job.tx, intent.iid)
        elif intent.state == intents.IntentState.COMMIT_MADE:
            intents.commit_lost(job.tx, intent.iid, attempts=intent.attempts + 1, next_ms=0)


def _turn_away(job: Job, mirror: Mirror) -> None:
    """Leave a group again that somebody who is blocked has put us into. Nothing shows it."""
    mirror.state = ConversationState.LEFT
    wish = Wish(IntentKind.LEAVE)
    intents.add(job.tx, mirror.cid, wish.kind, wish.encode(), job.now_ms)
    job.effects.intents.add(mirror.cid)


def _note_entry(job: Job, mirror: Mirror, known: Roster | None) -> None:
    """Have the history say that we joined, or what has changed since we could follow."""
    if known is None:
        found = [Notice(NoticeKind.JOINED, (job.own.account_id,))]
    else:
        found = between(known, mirror.roster(), Effect(NOBODY)) if known.devices else []
    if known is not None or not mirror.is_direct:
        note(job, mirror, NOBODY, found)


def _note_contact(job: Job, account_id: bytes) -> None:
    """Somebody who talks to us is a contact."""
    row = chains.account(job.tx, account_id)
    if row is not None and not row.contact:
        chains.save_account(job.tx, row._replace(contact=1))
