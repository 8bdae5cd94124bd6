"""One conversation in memory, in the writer's thread only: its row, its members and its MLS group.

A mirror is loaded on first use, changed by jobs, and saved once at the end of each job, inside its
transaction. When a transaction is rolled back every mirror is dropped, so that memory never shows
what the disk does not.
"""

from typing import TYPE_CHECKING

from e2ecore.engine.values import ConversationKind, ConversationState
from e2ecore.messaging.counters import ReceiveCounter, decode_missing, encode_missing
from e2ecore.messaging.docket import Docket, Judgement, Trial, open_trial
from e2ecore.messaging.identity import DEVICE_ID_BYTES, IDENTITY_BYTES
from e2ecore.messaging.lifetimes import lifetime_of
from e2ecore.messaging.receipts import Delivery
from e2ecore.messaging.roster import Roster
from e2ecore.storage import conversations, members, mls_rows, trials
from e2ecore.storage.conversations import ConversationKind as StoredKind
from e2ecore.storage.conversations import ConversationRow
from e2ecore.storage.members import NO_LEAF, MemberRow
from e2ecore.storage.shared_marks import MarkRow
from e2ecore.storage.trials import LogPlace, TrialRow
from e2ecore.storage.tx import Tx
from e2ecore_protocol.content.conversation import ConversationInfo, Role

if TYPE_CHECKING:
    from e2ecore.mls.group import Group


class Peer:
    """One device that is or was a member."""

    __slots__ = (
        "account_id",
        "delivered",
        "device_id",
        "heard",
        "leaf",
        "receipted",
        "role",
    )

    def __init__(self, row: MemberRow) -> None:
        self.account_id = row.account_id
        self.device_id = row.device_id
        self.leaf = row.leaf
        self.role = row.role
        self.heard = ReceiveCounter(row.receive_counter, decode_missing(row.receive_missing))
        self.receipted = row.receipt_counter
        self.delivered = Delivery(row.delivered_upto, decode_missing(row.delivered_gaps))

    def row(self, cid: int) -> MemberRow:
        """Return what is to be stored."""
        return MemberRow(
            cid,
            self.device_id,
            self.account_id,
            self.leaf,
            self.role,
            self.heard.upto,
            encode_missing(self.heard.missing),
            self.receipted,
            self.delivered.upto,
            encode_missing(self.delivered.missing),
        )


class Mirror:
    """A conversation. Fields are those of its row; see the schema."""

    __slots__ = (
        "_touched",
        "awaited",
        "by_leaf",
        "cid",
        "created_ms",
        "cursor",
        "devices",
        "dirty",
        "docket",
        "epoch",
        "floor",
        "group",
        "healing_ms",
        "info",
        "kind",
        "last_mid",
        "log_epoch",
        "marks",
        "next_order",
        "own_counter",
        "peer",
        "placed",
        "read_order",
        "source",
        "state",
        "title",
        "traffic",
        "uid",
        "unread",
    )

    def __init__(self, row: ConversationRow) -> None:
        self.cid = row.cid
        self.uid = row.uid
        self.kind = row.kind
        self.title = row.title
        self.state = row.state
        self.peer = row.peer
        self.epoch = row.epoch
        self.cursor = row.cursor
        self.own_counter = row.own_counter
        self.next_order = row.next_order
        self.last_mid = row.last_mid
        self.read_order = row.read_order
        self.unread = row.unread
        self.info = ConversationInfo.decode(row.info)
        self.healing_ms = row.healing_ms
        self.marks = MarkRow(row.cid)
        """How far our devices have read, and erased, by numbers of the relay's log."""
        self.created_ms = row.created_ms
        self.log_epoch = row.epoch
        """How many commits of the relay's log are behind us, in force or not."""
        self.floor = row.epoch
        """The MLS epoch that is over for good: no invitation leads to it or before it."""
        self.docket: Docket = ()
        self.placed = False
        """Any of these three changed."""
        self.group: Group | None = None
        self.source: mls_rows.MlsRows | None = None
        self.devices: dict[bytes, Peer] = {}
        self.by_leaf: dict[int, Peer] = {}
        self._touched: dict[bytes, Peer] = {}
        self.awaited: frozenset[bytes] = frozenset()
        """Ids of messages that have not come, and of which something was said already."""
        self.dirty = False
        """Anything of the row changed."""
        self.traffic = False
        """Only what messages change changed."""

    @property
    def is_direct(self) -> bool:
        """Is it between two accounts?"""
        return self.kind == ConversationKind.DIRECT

    @property
    def is_own(self) -> bool:
        """Is it that of our own devices, which nobody sees?"""
        return self.kind == StoredKind.SELF

    @property
    def lifetime_s(self) -> int | None:
        """After how many seconds messages erase themselves, as all have agreed; None: never."""
        return lifetime_of(self.info.policy)

    @property
    def can_send(self) -> bool:
        """Can a message be encrypted now?

        A commit that not all can follow keeps nobody from talking in the epoch before it: who has
        followed it can read that, too.
        """
        if self.group is None:
            return False
        return self.state == ConversationState.ACTIVE or self.is_disputed

    @property
    def is_disputed(self) -> bool:
        """Did we ask to be added again because of a commit that others may refuse as well?"""
        return self.state == ConversationState.HEALING and open_trial(self.docket) is not None

    def log_epoch_of(self, epoch: int) -> int:
        """Return the epoch of the log as which something of an MLS epoch is submitted."""
        return max(0, epoch + self.log_epoch - self.epoch)

    def row(self) -> ConversationRow:
        """Return what is to be stored."""
        return ConversationRow(
            self.cid,
            self.uid,
            self.kind,
            self.title,
            self.state,
            self.peer,
            self.epoch,
            self.cursor,
            self.own_counter,
            self.next_order,
            self.last_mid,
            self.read_order,
            self.unread,
            self.info.encode(),
            self.healing_ms,
            self.created_ms,
        )

    def load_place(self, row: LogPlace, rows: list[TrialRow]) -> None:
        """Take what is stored about the conversation's place in the log."""
        self.log_epoch, self.floor = row.log_epoch, row.floor
        self.docket = tuple(map(_trial, rows))

    def load_members(self, rows: list[MemberRow]) -> None:
        """Take the stored members."""
        self.devices = {row.device_id: Peer(row) for row in rows}
        self.index()

    def index(self) -> None:
        """Rebuild the table of who sits where."""
        self.by_leaf = {one.leaf: one for one in self.devices.values() if one.leaf != NO_LEAF}

    def is_member(self, device_id: bytes) -> bool:
        """Has a device a leaf now?"""
        one = self.devices.get(device_id)
        return one is not None and one.leaf != NO_LEAF

    def roster(self) -> Roster:
        """Return who is a member now, and on which terms."""
        accounts: dict[bytes, set[bytes]] = {}
        for one in self.by_leaf.values():
            accounts.setdefault(one.account_id, set()).add(one.device_id)
        return Roster(self.info, {who: frozenset(ids) for who, ids in accounts.items()})

    def touch(self, one: Peer) -> None:
        """Have a member's row stored by the next ``save``."""
        self._touched[one.device_id] = one

    def place(self, account_id: bytes, device_id: bytes, leaf: int) -> Peer:
        """Seat a device at a leaf. Its counters survive if it was here before."""
        one = self.devices.get(device_id)
        if one is None:
            row = members.new_row(self.cid, account_id, device_id, leaf, Role.MEMBER)
            one = self.devices[device_id] = Peer(row)
        one.leaf = leaf
        self.touch(one)
        self.by_leaf[leaf] = one
        return one

    def unseat(self, leaf: int) -> Peer | None:
        """Take a device from its leaf."""
        one = self.by_leaf.pop(leaf, None)
        if one is not None:
            one.leaf = NO_LEAF
            self.touch(one)
        return one

    def unseat_all(self) -> None:
        """Nobody is a member any more, as far as this device knows."""
        for leaf in list(self.by_leaf):
            self.unseat(leaf)

    def set_roles(self) -> None:
        """Give every member device the role of its account."""
        roster = self.roster()
        for one in self.by_leaf.values():
            role = roster.role(one.account_id)
            if one.role != role:
                one.role = role
                self.touch(one)

    def save(self, tx: Tx) -> None:
        """Store what changed since the last call."""
        if self.group is not None:
            changes = self.group.take_changes()
            if changes:
                mls_rows.apply(tx, self.cid, changes)
        if self.placed:
            trials.save_place(tx, LogPlace(self.cid, self.log_epoch, self.floor))
            trials.replace_all(tx, self.cid, [_row(self.cid, one) for one in self.docket])
            self.placed = False
        if self._touched:
            members.save(tx, [one.row(self.cid) for one in self._touched.values()])
            self._touched.clear()
        if self.dirty:
            conversations.save(tx, self.row())
        elif self.traffic:
            conversations.save_traffic(tx, (self.row(),))
        self.dirty = self.traffic = False


def _trial(row: TrialRow) -> Trial:
    return Trial(
        row.number,
        row.digest,
        row.epoch,
        Judgement(row.judgement),
        row.sender,
        _split(row.joined, DEVICE_ID_BYTES),
        _split(row.gone, DEVICE_ID_BYTES),
        _split(row.strangers, IDENTITY_BYTES),
        _split(row.cut, IDENTITY_BYTES),
        _split(row.against, DEVICE_ID_BYTES),
    )


def _row(cid: int, trial: Trial) -> TrialRow:
    return TrialRow(
        cid,
        trial.number,
        trial.digest,
        trial.epoch,
        trial.judgement,
        trial.sender,
        b"".join(sorted(trial.joined)),
        b"".join(sorted(trial.left)),
        b"".join(sorted(trial.strangers)),
        b"".join(sorted(trial.cut)),
        b"".join(sorted(trial.against)),
    )


def _split(joined: bytes, size: int) -> frozenset[bytes]:
    return frozenset(joined[at : at + size] for at in range(0, len(joined), size))
