"""What the writer's thread remembers between jobs. No other thread may touch it.

Everything here mirrors committed rows. When a job is rolled back it is all dropped and loaded
again, except what stands for things outside the database: envelopes held back, which the relay
still has, and answers of the relay that are not yet noted.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from e2ecore.crypto.rng import Rng
from e2ecore.crypto.signing import ED25519, SigningKey
from e2ecore.crypto.suites import CipherSuite
from e2ecore.engine.arrival.closing import count_own_closes
from e2ecore.engine.errors import NotHolderError, NotRegisteredError, UnknownConversationError
from e2ecore.engine.files.file_values import Files
from e2ecore.engine.own_talk.comparing import Comparisons
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.values import ConversationState
from e2ecore.errors import CorruptStateError
from e2ecore.ids import AccountId, DeviceId
from e2ecore.messaging.identity import encode_identity
from e2ecore.mls.group import Group
from e2ecore.storage import (
    account,
    blocks,
    chains,
    conversations,
    members,
    messages,
    mls_rows,
    outbox,
    remarks,
    shared_marks,
    trials,
)
from e2ecore.storage.search_tokens import NO_FOLD, Fold
from e2ecore.storage.tx import Tx
from e2ecore_protocol.chain.entry import Entry
from e2ecore_protocol.chain.state import AccountState, start

if TYPE_CHECKING:
    from e2ecore.engine.running.effects import Outgoing
    from e2ecore_protocol.frames.delivery import Delivery

MAX_MIRRORS: Final = 128
"""Conversations kept in memory at once; about 50 KiB each for small groups."""
MAX_DOUBTS: Final = 10_000
"""Leaves that wait for the chain of their account; then all are asked about again."""
MAX_CHAINS: Final = 2_048
"""Account chains kept in memory at once, about 2 KiB each: all members of a large group."""
_DEAD: Final = frozenset(
    {ConversationState.LEFT, ConversationState.REMOVED, ConversationState.FAILED}
)


@dataclass(frozen=True, slots=True)
class Own:
    """Who we are, with the keys to prove it."""

    account_id: AccountId
    device_id: DeviceId
    holder: SigningKey | None
    signer: SigningKey

    @property
    def holds_identity(self) -> bool:
        """Can this device change the account itself?"""
        return self.holder is not None

    @property
    def identity(self) -> SigningKey:
        """What signs the account chain.

        Raises:
            NotHolderError: This device was linked, and does not have it.
        """
        if self.holder is None:
            raise NotHolderError
        return self.holder

    @property
    def leaf_identity(self) -> bytes:
        """What our leaves carry."""
        return encode_identity(self.account_id, self.device_id)


class Held:
    """Envelopes of one conversation that wait for something that is on its way.

    They are not acknowledged, so the relay keeps them: after a new connection they come again.
    """

    __slots__ = ("accounts", "items", "since_ms")

    def __init__(self, since_ms: int) -> None:
        self.items: deque[Delivery] = deque()
        self.accounts: set[bytes] = set()
        """Chains without which the first item cannot be judged. Empty: it waits for a commit."""
        self.since_ms = since_ms

    def covers(self, item: "Delivery") -> bool:
        """Must this one wait, too? Not if it comes before all others: it may be what they need."""
        first = min((one.seq for one in self.items), default=item.seq)
        return bool(self.accounts) or item.seq >= first


class State:
    """The writer thread's memory."""

    files: Files
    """Who fetches files for the app. Set when the engine is made."""
    _changed: frozenset[bytes] | None
    _blocked: frozenset[bytes] | None
    _own_cids: list[int] | None = None
    any_erased: bool | None = None
    """Is there any message that may never be stored again? None: look."""
    server_name = ""
    """The relay's name for itself, as of the last connection."""
    ahead_ms = 0
    """The relay's clock less ours, as of the last connection."""

    def __init__(self, suite: CipherSuite, clock_ms: Callable[[], int], rng: Rng) -> None:
        self.suite = suite
        self.clock_ms = clock_ms
        self.rng = rng
        self.held: dict[bytes, Held] = {}
        """Log id to envelopes held back; Welcomes under the id of their conversation."""
        self.accepted: deque[tuple[Outgoing, int]] = deque()
        """Answered envelopes with their numbers, to be noted by the next job.

        Filled by the loop.
        """
        self.answers: dict[bytes, int] = {}
        """How often an account's chain was asked for and the relay answered, or refused."""
        self.doubts: dict[bytes, int] = {}
        """Leaves that a chain does not vouch for as it is known here, and how many answers there
        were when that was noticed: the next one decides."""
        self.relay_epochs: dict[int, int] = {}
        """Conversation to the epoch that the relay named when it refused ours."""
        self.behind_since: dict[int, int] = {}
        self.asking: dict[int, int] = {}
        """Conversation to when to ask again to be added, if no invitation came by then."""
        self.unopened: dict[int, int] = {}
        """Conversation to how many invitations to it could not be opened."""
        self.replacing = False
        """All key packages were replaced, and the relay has not confirmed the new ones yet."""
        self.replaced_ms = 0
        """When all key packages were last replaced; 0: not since the engine was opened."""
        self.fold: Fold = NO_FOLD
        """Characters that searches take for others; as ``Upkeep.fold``."""
        self.told_away: set[tuple[int, bytes]] = set()
        """Intents and accounts of which the app knows that they wait."""
        self.key_packages_left: int | None = None
        """What the relay's last notice said of our one-time key packages, until that is seen to."""
        self.intake_broken = False
        """A batch of deliveries was rolled back: none behind it may be taken before it."""
        self._own: Own | None = None
        self._mirrors: OrderedDict[int, Mirror] = OrderedDict()
        self._cids: dict[bytes, int] = {}
        self._chains: OrderedDict[bytes, AccountState] = OrderedDict()
        self._oid = self._mid = -1
        self._changed = self._blocked = None

    @cached_property
    def comparisons(self) -> Comparisons:
        """Comparisons with our other devices that are under way."""
        return Comparisons()

    @cached_property
    def hidden(self) -> set[bytes]:
        """Conversations of own devices: the app is told nothing of them."""
        return set()

    def begin(self, tx: Tx) -> set[int]:
        """Prepare for a job: forget on rollback, and store what the relay has accepted.

        Returns:
            Conversations in which something is to be sent because of that.
        """
        tx.on_rollback(self.drop)
        return self._note_accepted(tx)

    def drop(self) -> None:
        """Forget what mirrors the database."""
        self._own = None
        self._mirrors.clear()
        self._cids.clear()
        self._chains.clear()
        self._changed = None
        self._blocked = None
        self._own_cids = self.any_erased = None

    def break_intake(self) -> None:
        """A batch of deliveries was rolled back."""
        self.intake_broken = True

    def oldest_accepted(self) -> "tuple[Outgoing, int] | None":
        """Return the answer of the relay that waits longest to be noted. From any thread."""
        try:
            return self.accepted[0]
        except IndexError:
            return None

    def was_asked(self, account_id: bytes, leaf: bytes) -> bool:
        """Was an account's chain fetched since one of its leaves was first in doubt?

        If not, the leaf is from now on: ask for the chain, then ask here again.
        """
        answers = self.answers.get(account_id, 0)
        if len(self.doubts) > MAX_DOUBTS:
            self.doubts.clear()
        if self.doubts.setdefault(leaf, answers) == answers:
            return False
        del self.doubts[leaf]
        return True

    def own(self, tx: Tx) -> Own:
        """Return who we are.

        Raises:
            NotRegisteredError: There is no account yet.
        """
        if self._own is None:
            row = account.load(tx)
            if row is None:
                raise NotRegisteredError
            self._own = Own(
                AccountId(row.account_id),
                DeviceId(row.device_id),
                ED25519.load(row.identity_key) if row.identity_key else None,
                ED25519.load(row.device_key),
            )
        return self._own

    def mirror(self, tx: Tx, cid: int) -> Mirror:
        """Return a conversation by its local number.

        Raises:
            UnknownConversationError: There is none.
        """
        found = self._mirrors.get(cid)
        if found is None:
            row = conversations.get(tx, cid)
            if row is None:
                raise UnknownConversationError
            found = self._load(tx, row)
        self._mirrors.move_to_end(cid)
        if found.source is not None:
            found.source.tx = tx
        return found

    def is_at_hand(self, conversation: int | bytes) -> bool:
        """Is a conversation, named by its local number or by its id, in memory already?

        From any thread; what it says may be over a moment later.
        """
        cid = self._cids.get(conversation) if isinstance(conversation, bytes) else conversation
        return cid in self._mirrors

    def find(self, tx: Tx, uid: bytes) -> Mirror | None:
        """Return a conversation by its id at the relay, or None."""
        cid = self._cids.get(uid)
        if cid is None:
            row = conversations.by_uid(tx, uid)
            if row is None:
                return None
            cid = self._cids[uid] = row.cid
        return self.mirror(tx, cid)

    def _load(self, tx: Tx, row: conversations.ConversationRow) -> Mirror:
        mirror = Mirror(row)
        mirror.load_place(trials.place(tx, row.cid), trials.of_conversation(tx, row.cid))
        mirror.load_members(members.all_rows(tx, row.cid))
        mirror.awaited = remarks.awaited(tx, row.cid)
        mirror.marks = shared_marks.get(tx, row.cid)
        if row.state not in _DEAD:
            source = mls_rows.MlsRows(tx, row.cid)
            if mirror.by_leaf:
                mirror.source = source
                mirror.group = Group.load(source)
        self.add_mirror(mirror)
        while len(self._mirrors) > MAX_MIRRORS:
            self._mirrors.popitem(last=False)
        return mirror

    def add_mirror(self, mirror: Mirror) -> None:
        """Keep a conversation that was just made, or loaded."""
        if mirror.is_own:
            self.hidden.add(mirror.uid)
            self._own_cids = None
        self._mirrors[mirror.cid] = mirror
        self._cids[mirror.uid] = mirror.cid

    def own_cids(self, tx: Tx) -> list[int]:
        """Return the conversations of our own devices, the newest first; one is in use at most."""
        if self._own_cids is None:
            self._own_cids = conversations.of_own_devices(tx)
        return self._own_cids

    def chain(self, tx: Tx, account_id: bytes) -> AccountState | None:
        """Return the state of an account chain as checked earlier, or None if it is unknown."""
        found = self._chains.get(account_id)
        if found is None:
            found = read_chain(tx, account_id)
            if found is None:
                return None
            self.keep_chain(found)
        self._chains.move_to_end(account_id)
        return found

    def keep_chain(self, state: AccountState) -> None:
        """Remember a chain that was just checked and stored."""
        self._chains[state.account_id] = state
        self._chains.move_to_end(state.account_id)
        while len(self._chains) > MAX_CHAINS:
            self._chains.popitem(last=False)

    def changed_contacts(self, tx: Tx) -> frozenset[bytes]:
        """Return the accounts that were verified in person and have changed since."""
        if self._changed is None:
            changed = chains.Verification.CHANGED
            self._changed = frozenset(
                one.account_id for one in chains.accounts(tx) if one.verification == changed
            )
        return self._changed

    def forget_changed_contacts(self) -> None:
        """A verification was stored: ask the database again."""
        self._changed = None

    def blocked(self, tx: Tx) -> frozenset[bytes]:
        """Return the accounts that are blocked."""
        if self._blocked is None:
            self._blocked = frozenset(one.account_id for one in blocks.all_rows(tx))
        return self._blocked

    def forget_blocked(self) -> None:
        """A block was stored: ask the database again."""
        self._blocked = None

    def next_oid(self, tx: Tx) -> int:
        """Return the next number for the outbox."""
        if self._oid < 0:
            self._oid = outbox.last_oid(tx)
        self._oid += 1
        return self._oid

    def next_mid(self, tx: Tx) -> int:
        """Return the next arrival number."""
        if self._mid < 0:
            self._mid = conversations.last_mid(tx)
        self._mid += 1
        return self._mid

    def _note_accepted(self, tx: Tx) -> set[int]:
        """Store what the relay has accepted since the last job."""
        if not self.accepted:
            return set()
        done: list[tuple[Outgoing, int]] = []
        while self.accepted:
            done.append(self.accepted.popleft())
        tx.on_rollback(lambda: self.accepted.extendleft(reversed(done)))
        outbox.remove(tx, [one.oid for one, _ in done])
        messages.mark_accepted(tx, [(seq, one.message) for one, seq in done if one.message])
        unlisted = [(one.oid, seq) for one, seq in done if not one.message]
        return count_own_closes(tx, self.own(tx).account_id, unlisted) if unlisted else set()


def read_chain(tx: Tx, account_id: bytes) -> AccountState | None:
    """Return the state of a stored account chain, or None if there is none."""
    rows = chains.entries(tx, account_id)
    if not rows:
        return None
    return start([Entry.decode(row.entry) for row in rows], _checked_before)


def _checked_before(_public: bytes, _message: bytes, _signature: bytes) -> None:
    """Stand in for a signature check: what is in the database was verified when it was stored."""


def group_of(mirror: Mirror) -> Group:
    """Return a conversation's MLS group, where there has to be one.

    Raises:
        CorruptStateError: There is none.
    """
    if mirror.group is None:
        raise CorruptStateError("an active conversation has no keys")
    return mirror.group
