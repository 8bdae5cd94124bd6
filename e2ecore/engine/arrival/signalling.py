"""Typing signals on their way out and in: in the event loop, without a job, without a stored byte.

Everything is read from what is committed, with the readers' connection: which epoch it is, whether
its user has agreed, who sits at a leaf. The key of an epoch is kept in memory for as long as it is
used; the writer's thread, and so no message, ever waits for a signal.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import anyio

from e2ecore.consent.purposes import Purpose
from e2ecore.crypto.signing import ED25519, SigningKey
from e2ecore.engine.account.agreeing import is_agreed
from e2ecore.engine.running.effects import Effects
from e2ecore.engine.running.signals import Signal
from e2ecore.engine.telling.events import Event, MemberLeft, MessageReceived
from e2ecore.engine.telling.typing_events import TypingChanged
from e2ecore.engine.values import ConversationState
from e2ecore.errors import CorruptStateError, E2EError
from e2ecore.ids import AccountId, GroupId
from e2ecore.messaging.allowance import Allowance
from e2ecore.messaging.identity import LeafIdentity, decode_identity
from e2ecore.messaging.signals import Place, SignalKey, open_signal, seal_signal, signal_key
from e2ecore.messaging.typists import Told, Typist, Typists
from e2ecore.mls.group import Group
from e2ecore.storage import account, blocks, chains, conversations, members
from e2ecore.storage.members import NO_LEAF
from e2ecore.storage.mls_rows import MlsRows
from e2ecore.storage.tx import Tx
from e2ecore_protocol.content.signals import IDLE, TYPING, Typing
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import MAX_SIGNAL_READERS

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

_MAX_EPOCHS: Final = 64
"""Conversations whose keys are kept; more do not signal at one time."""
BAD_AT_ONCE: Final = 32
"""Signals of one conversation that do not open or verify, and are looked at all the same: around
a commit some come from the epoch before."""
_BAD_PER_S: Final = 2
GOOD_AT_ONCE: Final = 8
"""Signals in the name of one device in one conversation that are looked into; one in 3 s is
usual."""
_GOOD_PER_S: Final = 1
_MAX_SPEAKERS: Final = 1_024
_ELSEWHERE: Final = b""
"""Stands for all conversations of which no key is kept: a first signal fetches it."""
_LOOK_S: Final = 1.0
"""How long to sleep at most while somebody types: clocks are put right at times."""
_NOTHING: Final = Told()


@dataclass(slots=True)
class _Epoch:
    """What signals need of the present epoch of a conversation."""

    cid: int
    place: Place
    key: SignalKey
    leaf: int
    """Our own."""
    members: dict[int, tuple[LeafIdentity, bytes]] = field(default_factory=dict)
    """Who sits at a leaf, and their signature key. Only those who were heard."""


class Signals:
    """What members let each other know for the moment."""

    def __init__(self, core: "Core") -> None:
        self._core = core
        self._epochs: OrderedDict[bytes, _Epoch] = OrderedDict()
        self._told: dict[int, Told] = {}
        self._typists = Typists()
        self._bad = Allowance(BAD_AT_ONCE, _BAD_PER_S, _MAX_EPOCHS + 1)
        self._good = Allowance(GOOD_AT_ONCE, _GOOD_PER_S, _MAX_SPEAKERS)
        self._signer: SigningKey | None = None
        self.ahead_ms = 0
        """The relay's clock less ours, as of the present connection."""
        self.in_use = Signal()
        """There is something to be forgotten before long."""

    @property
    def is_busy(self) -> bool:
        """Is anybody typing, here or elsewhere, so that messages mean something for it?"""
        return bool(self._told) or not self._typists.is_empty

    def typists(self, uid: bytes) -> tuple[AccountId, ...]:
        """Return who is typing in a conversation now."""
        self.expire()
        return tuple([AccountId(one) for one in self._typists.of(uid)])

    # --- out ------------------------------------------------------------------------------------

    def tell(self, cid: int, uid: bytes, *, is_typing: bool) -> bool:
        """Let the others know whether this user is typing, if that is news and they agreed to it.

        Returns:
            Was it sent, or do the others know already?
        """
        link, now_ms = self._core.link, self._now_ms
        told = self._told.get(cid, _NOTHING)
        if not told.is_due(now_ms, is_typing=is_typing):
            return told.is_typing == is_typing
        if link is None or not self._core.read(lambda tx: self._may_tell(tx, cid)):
            return False
        found = self._epoch(uid)
        if found is None:
            return False
        told = told.after(now_ms, is_typing=is_typing)
        payload = self._sealed(found, told.stamp_ms, is_typing=is_typing)
        if not link.signal(uid, payload):
            return False
        self._told[cid] = told
        return True

    def _sealed(self, found: _Epoch, stamp_ms: int, *, is_typing: bool) -> bytes:
        signal = Typing(found.leaf, stamp_ms, TYPING if is_typing else IDLE)
        signed = signal.signed(*found.place, self._own_key().sign)
        return seal_signal(found.key, signed, self._core.rng)

    def _may_tell(self, tx: Tx, cid: int) -> bool:
        """Has the user agreed, and does everybody who would learn of it deserve to?"""
        core = self._core
        if not is_agreed(tx, core.account_id, Purpose.TYPING, core.clock_ms()):
            return False
        seated = [one.account_id for one in members.all_rows(tx, cid) if one.leaf != NO_LEAF]
        changed = {
            one.account_id
            for one in chains.accounts(tx)
            if one.verification == chains.Verification.CHANGED
        }
        return len(seated) <= MAX_SIGNAL_READERS and changed.isdisjoint(seated)

    def _own_key(self) -> SigningKey:
        if self._signer is None:
            row = self._core.read(account.load)
            if row is None:
                raise CorruptStateError("a conversation without an account")
            self._signer = ED25519.load(row.device_key)
        return self._signer

    # --- in -------------------------------------------------------------------------------------

    def take(self, uid: bytes, payload: bytes) -> None:
        """Take a signal. What is wrong with it is nobody's concern: signals get lost anyway.

        What is wrong is counted, by conversation: nothing that does not verify says who sent it.
        """
        place = uid if uid in self._epochs else _ELSEWHERE
        if not self._bad.has(place, self._now_ms):
            return
        try:
            is_good = self._take(uid, payload)
        except (E2EError, MalformedError):
            is_good = False
        if not is_good:
            self._bad.take(place, self._now_ms)

    def _take(self, uid: bytes, payload: bytes) -> bool:
        """Take a signal; return whether it was one of a member who does not overdo it."""
        found, now_ms = self._epoch(uid), self._now_ms
        signal = None if found is None else open_signal(found.key, payload)
        speaker = None if found is None or signal is None else self._speaker(found, signal.leaf)
        if found is None or signal is None or speaker is None:
            return False  # also what is of a kind that is not known here
        (account_id, device_id), public = speaker
        if not self._good.take((uid, device_id), now_ms):
            return False
        if account_id == self._core.account_id:
            return True
        if not self._typists.is_news(uid, device_id, signal.stamp_ms, now_ms):
            return False
        ED25519.verify(public, signal.signed_message(*found.place), signal.signature)
        who, is_typing = Typist(uid, account_id), signal.state == TYPING
        if self._typists.hear(who, device_id, signal.stamp_ms, now_ms, is_typing=is_typing):
            self._emit(who, is_typing=is_typing)
        return True

    def _speaker(self, found: _Epoch, leaf: int) -> tuple[LeafIdentity, bytes] | None:
        """Return who sits at a leaf in the present epoch."""
        known = found.members.get(leaf)
        if known is None:
            member = self._core.read(lambda tx: Group.load(MlsRows(tx, found.cid)).member(leaf))
            if member is None:
                return None
            if len(found.members) >= MAX_SIGNAL_READERS:
                found.members.clear()
            known = found.members[leaf] = decode_identity(member.identity), member.signature_key
        return known

    # --- both -----------------------------------------------------------------------------------

    def _epoch(self, uid: bytes) -> _Epoch | None:
        """Return what is needed of the present epoch; None where nothing can be said or heard."""

        def work(tx: Tx) -> _Epoch | None:
            row = conversations.by_uid(tx, uid)
            if row is None or row.state != ConversationState.ACTIVE:
                return None
            if row.peer and blocks.since(tx, row.peer) is not None:
                return None
            kept = self._epochs.get(uid)
            if kept is not None and (kept.cid, kept.place.epoch) == (row.cid, row.epoch):
                return kept
            group = Group.load(MlsRows(tx, row.cid))
            place = Place(uid, group.epoch)
            return _Epoch(row.cid, place, signal_key(group.export, uid), group.own_leaf)

        found = self._core.read(work)
        if found is None:
            self._epochs.pop(uid, None)
            return None
        self._epochs[uid] = found
        self._epochs.move_to_end(uid)
        if len(self._epochs) > _MAX_EPOCHS:
            self._epochs.popitem(last=False)
        self.in_use.set()
        return found

    def applied(self, effects: Effects) -> None:
        """Something was committed: a message says that its sender does not type any more."""
        if effects.sent:
            for one in effects.outgoing:
                if one.cid in self._told:
                    self._told[one.cid] = self._told[one.cid].said()
        for event in effects.events:
            who = _who_stopped(event)
            if who is not None and self._typists.end(who):
                self._emit(who, is_typing=False)

    def expire(self) -> None:
        """Forget what does not count any more, and say so."""
        for who in self._typists.expire(self._now_ms):
            self._emit(who, is_typing=False)

    def forget(self) -> None:
        """The connection is gone: nobody there knows any more what was told."""
        self._told = {cid: told.said() for cid, told in self._told.items()}

    def close(self) -> None:
        """It is over: know nothing any more, least of all keys."""
        self._epochs.clear()
        self._typists = Typists()
        self._told, self._signer = {}, None

    async def keep(self) -> None:
        """End what is not said again, and let go of keys, for the life of the engine."""
        while True:
            await self.in_use.wait()
            while self.in_use.take() or not self._typists.is_idle:
                await anyio.sleep(min(_LOOK_S, self._typists.next_ms(self._now_ms) / 1000))
                self.expire()
            self._epochs.clear()

    @property
    def _now_ms(self) -> int:
        """The relay's clock, as far as it is known here."""
        return self._core.clock_ms() + self.ahead_ms

    def _emit(self, who: Typist, *, is_typing: bool) -> None:
        place, person = GroupId(who.conversation), AccountId(who.account_id)
        self._core.emit(TypingChanged(place, person, is_typing))


def _who_stopped(event: Event) -> Typist | None:
    if isinstance(event, MessageReceived):
        return Typist(event.conversation_id, event.message.sender)
    if isinstance(event, MemberLeft):
        return Typist(event.conversation_id, event.account_id)
    return None


async def keep_signals(core: "Core") -> None:
    """End what is not said again, for the life of the engine."""
    await core.signals.keep()
