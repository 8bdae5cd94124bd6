"""One group in memory: a mirror of its rows, filled as needed.

Every change of state is one of the methods here. They compute first and assign last.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from e2ecore.crypto.hpke import HpkePrivateKey
from e2ecore.crypto.suites import SUITES, CipherSuite
from e2ecore.errors import CorruptStateError
from e2ecore.mls import rows
from e2ecore.mls.codec import Reader, decode_all, opaque, u8, u16, u32
from e2ecore.mls.epoch import CurrentEpoch, PastEpoch
from e2ecore.mls.errors import (
    DuplicateMessageError,
    EpochInFutureError,
    EpochTooOldError,
    GenerationTooOldError,
    MlsError,
    RemovedFromGroupError,
    StaleCommitError,
)
from e2ecore.mls.group_context import GroupContext
from e2ecore.mls.members import Member, decode_past, encode_past
from e2ecore.mls.pending import PendingProposals
from e2ecore.mls.private_message import MessageKeys
from e2ecore.mls.psk import Psk
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.rows import Rows, RowSource
from e2ecore.mls.secret_tree import HANDSHAKE, SecretTree
from e2ecore.mls.staged import NextEpoch, StagedCommit

FORMAT: Final = 1
"""Version of the rows' layout."""

PAST_EPOCHS: Final = 3
"""Epochs whose late messages can still be read. As many as mls-rs and core-crypto keep."""

PAST_EPOCH_MS: Final = 48 * 3600 * 1000
"""For how long, in milliseconds: bounds what a thief of the device's keys can decrypt."""


class GroupState:
    """What a member knows about its group."""

    __slots__ = (
        "_node_keys",
        "_past",
        "_senders",
        "context",
        "current",
        "keys",
        "own_leaf",
        "pending",
        "removed",
        "rows",
        "suite",
        "tree",
    )

    def __init__(
        self,
        store: Rows,
        suite: CipherSuite,
        own_leaf: int,
        *,
        context: GroupContext,
        current: CurrentEpoch,
        tree: RatchetTree,
    ) -> None:
        self.rows = store
        self.suite = suite
        self.own_leaf = own_leaf
        self.context = context
        self.current = current
        self.keys = self._message_keys(context.epoch, context.encode(), current)
        self.removed = False
        self.tree = tree
        self.pending = PendingProposals(store, context.epoch)
        self._node_keys: dict[int, HpkePrivateKey] | None = None
        self._past: dict[int, MessageKeys] = {}
        self._senders: dict[tuple[int, int], Member] = {}

    @classmethod
    def begin(cls, suite: CipherSuite, own_leaf: int, first: NextEpoch) -> "GroupState":
        """Make the state of a new member, all of it still to be stored."""
        store = Rows()
        group = opaque(first.context.group_id)
        store.put((rows.GROUP, 0, 0), u8(FORMAT) + u16(suite.code) + u32(own_leaf) + group)
        state = cls(
            store,
            suite,
            own_leaf,
            context=first.context,
            current=first.current,
            tree=first.tree,
        )
        state._install(first, {})
        return state

    @classmethod
    def load(cls, source: RowSource) -> "GroupState":
        """Open a stored group. Reads three rows; the rest follows when needed.

        Raises:
            CorruptStateError: Rows are missing, damaged, or of a newer version.
        """
        store = Rows(source)
        try:
            suite, own_leaf = _read_head(_required(store, (rows.GROUP, 0, 0)))
            current = decode_all(CurrentEpoch.read, _required(store, (rows.EPOCH, 0, 0)))
            row = _required(store, (rows.CONTEXT, current.epoch, 0))
            context = decode_all(GroupContext.read, row)
        except MlsError as error:
            raise CorruptStateError("a row of the group does not decode") from error
        tree = RatchetTree.load(suite, current.leaves, _StoredNodes(store))
        return cls(store, suite, own_leaf, context=context, current=current, tree=tree)

    @property
    def epoch(self) -> int:
        """The current epoch."""
        return self.context.epoch

    @property
    def node_keys(self) -> Mapping[int, HpkePrivateKey]:
        """The private keys on our direct path, by node index."""
        if self._node_keys is None:
            self._node_keys = {
                index: HpkePrivateKey(value)
                for (_, _, index), value in self.rows.scan(rows.NODE_KEY, 0)
            }
        return self._node_keys

    def check_member(self) -> None:
        """Refuse every call after we were removed."""
        if self.removed:
            raise RemovedFromGroupError

    def check_current(self, epoch: int) -> None:
        """Refuse handshakes of any epoch but the current one.

        Raises:
            EpochInFutureError: That epoch has not begun here.
            EpochTooOldError: It is over.
        """
        if epoch > self.epoch:
            raise EpochInFutureError
        if epoch < self.epoch:
            raise EpochTooOldError

    def member(self, leaf: int) -> Member | None:
        """Return who sits at a leaf now."""
        return self.sender(self.context.epoch, leaf)

    def sender(self, epoch: int, leaf: int) -> Member | None:
        """Return who sat at a leaf in the current or a kept past epoch."""
        key = (epoch, leaf)
        known = self._senders.get(key)
        if known is None:
            known = self._find_sender(epoch, leaf)
            if known is not None:
                self._senders[key] = known
        return known

    def _find_sender(self, epoch: int, leaf: int) -> Member | None:
        for past in range(epoch, self.context.epoch):
            row = self.rows.get((rows.PAST_LEAF, past, leaf))
            if row is not None:
                return decode_past(row)
        node = self.tree.leaf(leaf)
        return None if node is None else Member.of(leaf, node)

    def message_keys(self, epoch: int) -> MessageKeys:
        """Return what opens messages of the current or a kept past epoch.

        Raises:
            EpochInFutureError: That epoch has not begun here.
            EpochTooOldError: Its secrets are deleted.
        """
        if epoch == self.keys.epoch:
            return self.keys
        if epoch > self.keys.epoch:
            raise EpochInFutureError
        known = self._past.get(epoch)
        if known is not None:
            return known
        past = self._past_epoch(epoch)
        context = self.rows.get((rows.CONTEXT, epoch, 0))
        if past is None or context is None:
            raise EpochTooOldError
        keys = self._past[epoch] = self._message_keys(epoch, context, past)
        return keys

    def resumption_psk(self, group_id: bytes, epoch: int) -> Psk | None:
        """Return the resumption key of an epoch of this group, if it is kept.

        Spec: RFC 9420 §8.6 (Resumption PSK). How long it is kept is counted in epochs alone:
        members whose clocks differ know the same keys.
        """
        if group_id != self.context.group_id or self.removed:
            return None
        if epoch == self.epoch:
            return self.current.resumption
        row = self.rows.get((rows.RESUMPTION, epoch, 0))
        return None if row is None else Psk(row)

    def _kept_epochs(self) -> range:
        return range(max(0, self.epoch - PAST_EPOCHS), self.epoch)

    def _past_epoch(self, epoch: int) -> PastEpoch | None:
        row = self.rows.get((rows.PAST_EPOCH, epoch, 0))
        return None if row is None else decode_all(PastEpoch.read, row)

    def _message_keys(
        self, epoch: int, context: bytes, secrets: CurrentEpoch | PastEpoch
    ) -> MessageKeys:
        return MessageKeys(
            self.suite,
            group_id=self.context.group_id,
            epoch=epoch,
            context=context,
            sender_data=secrets.sender_data,
            tree=SecretTree(self.suite, epoch, secrets.leaves, self.rows),
        )

    def advance(self, staged: StagedCommit, now_ms: int) -> None:
        """Begin the next epoch, or delete the group if we are not in it.

        Raises:
            StaleCommitError: Another commit was merged since this one was staged.
        """
        if staged.epoch != self.epoch:
            raise StaleCommitError
        if staged.next is None:
            self.delete()
            return
        staged.next.tree.settle()
        self._burn(staged.key)
        self._retire(staged, now_ms)
        self._install(staged.next, self.node_keys)
        self.drop_past_epochs(now_ms)

    def drop_past_epochs(self, now_ms: int) -> None:
        """Delete the secrets of epochs that ended too long ago or too many epochs ago."""
        oldest = self.epoch - PAST_EPOCHS
        for epoch in (oldest - 1, *self._kept_epochs()):
            past = self._past_epoch(epoch) if epoch >= 0 else None
            if past is None:
                continue
            if epoch < oldest or now_ms - past.ended_ms > PAST_EPOCH_MS:
                self.rows.delete_epoch(epoch)
                self._past.pop(epoch, None)
        self._senders = {key: who for key, who in self._senders.items() if key[0] >= oldest}

    def _burn(self, key: tuple[int, int] | None) -> None:
        """Delete the key that the commit was encrypted with, unless that happened already."""
        if key is None:
            return
        leaf, generation = key
        try:
            self.keys.tree.consume(self.keys.tree.step(leaf, HANDSHAKE, generation))
        except (DuplicateMessageError, GenerationTooOldError):
            return

    def _retire(self, staged: StagedCommit, now_ms: int) -> None:
        """Write down what is kept of the current epoch."""
        epoch, old = self.epoch, self.current
        past = PastEpoch(old.leaves, now_ms, old.sender_data)
        self.rows.put((rows.PAST_EPOCH, epoch, 0), past.encode())
        self.rows.put((rows.RESUMPTION, epoch, 0), old.resumption.raw)
        self._forget_resumption(epoch - PAST_EPOCHS)
        before: dict[int, Member | None] = {member.leaf: None for member in staged.added}
        before |= {member.leaf: member for member in staged.removed}
        before |= {old.leaf: old for old, new in staged.updated if old != new}
        for leaf, member in before.items():
            self.rows.put((rows.PAST_LEAF, epoch, leaf), encode_past(member))
        self.pending.clear()
        self._past[epoch] = self.keys

    def _forget_resumption(self, epoch: int) -> None:
        if self.rows.get((rows.RESUMPTION, epoch, 0)) is not None:
            self.rows.delete((rows.RESUMPTION, epoch, 0))

    def _install(self, following: NextEpoch, old_keys: Mapping[int, HpkePrivateKey]) -> None:
        """Write and take over a new epoch."""
        epoch = following.context.epoch
        encoded = following.context.encode()
        self.rows.put_nodes(following.changed)
        for index in old_keys.keys() - following.keys.keys():
            self.rows.delete((rows.NODE_KEY, 0, index))
        for index, key in following.keys.items():
            known = old_keys.get(index)
            if known is None or not known.matches(key):
                self.rows.put((rows.NODE_KEY, 0, index), key.raw)
        self.rows.put((rows.EPOCH, 0, 0), following.current.encode())
        self.rows.put((rows.CONTEXT, epoch, 0), encoded)
        self.context, self.current = following.context, following.current
        self.keys = self._message_keys(epoch, encoded, following.current)
        self.pending = PendingProposals(self.rows, epoch, begins=True)
        self.keys.tree.start(following.encryption.raw)
        self.tree, self._node_keys = following.tree, dict(following.keys)

    def delete(self) -> None:
        """Delete every row: we are no longer a member, or want nothing more of the group."""
        for kind in (rows.GROUP, rows.EPOCH, rows.NODE_KEY):
            for key, _ in self.rows.scan(kind, 0):
                self.rows.delete(key)
        for index, _ in self.tree.nodes():
            self.rows.delete((rows.NODE, 0, index))
        for epoch in (*self._kept_epochs(), self.epoch):
            self.rows.delete_epoch(epoch)
            self._forget_resumption(epoch)
        self.removed = True


class _StoredNodes:
    """The stored tree, as ``RatchetTree`` reads it."""

    __slots__ = ("_rows",)

    def __init__(self, store: Rows) -> None:
        self._rows = store

    def get(self, node: int, /) -> bytes | None:
        """Return one node, or None if it is blank."""
        return self._rows.get((rows.NODE, 0, node))

    def scan(self) -> Iterator[tuple[int, bytes]]:
        """Return all nodes that are not blank."""
        return ((key[2], value) for key, value in self._rows.scan(rows.NODE, 0))


def _read_head(row: bytes) -> tuple[CipherSuite, int]:
    reader = Reader(row)
    if reader.u8() != FORMAT:
        raise CorruptStateError("the group was stored by a newer version")
    suite = SUITES.get(reader.u16())
    if suite is None:
        raise CorruptStateError("the group was stored with a cipher suite that is gone")
    return suite, reader.u32()


def _required(store: Rows, key: rows.RowKey) -> bytes:
    value = store.get(key)
    if value is None:
        raise CorruptStateError("a row of the group is missing")
    return value
