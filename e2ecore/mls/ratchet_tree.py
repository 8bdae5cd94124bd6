"""The public side of a group: who is in it, and which key each subtree shares.

Spec: RFC 9420 §7.7 (Adding and Removing Leaves) and RFC 9420 §12.4.3.3 (Ratchet Tree Extension).

``fork`` copies the layer of changes only, so staging a commit costs what the commit touches;
``settle`` pushes the layer into the base, after which all other forks of the old base are void.
"""

from collections import Counter, deque
from collections.abc import Mapping
from typing import Self

from e2ecore.crypto.suites import CipherSuite
from e2ecore.errors import UsageError
from e2ecore.mls import tree_math
from e2ecore.mls.arriving_tree import ArrivingTree
from e2ecore.mls.codec import opaque
from e2ecore.mls.errors import InvalidTreeError, MalformedMessageError
from e2ecore.mls.nodes import LeafNode, Node, ParentNode
from e2ecore.mls.tree_base import (
    CredentialCounts,
    NodeSource,
    TreeBase,
    decode_node,
    key_of,
    put_node,
)
from e2ecore.mls.tree_hash import leaf_tree_hash, parent_tree_hash
from e2ecore.mls.tree_view import TreeView


class RatchetTree(TreeView):
    """One state of a ratchet tree, and the ways to change it."""

    __slots__ = ()

    @classmethod
    def load(cls, suite: CipherSuite, leaves: int, source: NodeSource) -> Self:
        """Return a stored tree with so many leaves. Nodes are fetched when they are needed."""
        return cls(suite, leaves, TreeBase(source))

    @staticmethod
    def decode(suite: CipherSuite, data: bytes) -> "RatchetTree":
        """Read the content of a ``ratchet_tree`` extension. Its rules are ``tree_rules``.

        Raises:
            MalformedMessageError: These bytes are none.
            InvalidTreeError: The last node is blank, or a node is in the wrong place.
        """
        arriving = ArrivingTree(suite, data)
        deque(arriving.leaves(), maxlen=0)
        return RatchetTree.of(arriving)

    @staticmethod
    def of(arriving: ArrivingTree) -> "RatchetTree":
        """Return the tree that arrived.

        Raises:
            UsageError: Not all its leaves were read.
        """
        if not arriving.width:
            raise UsageError("the tree is not decoded yet")
        leaves = 1
        while tree_math.node_width(leaves) < arriving.width:
            leaves *= 2
        base = TreeBase.of(
            arriving.encoded, arriving.keys, arriving.signature_keys, arriving.counts()
        )
        return RatchetTree(arriving.suite, leaves, base)

    def encoded_nodes(self) -> dict[int, bytes]:
        """Return all nodes that are not blank, encoded, by node index."""
        nodes = dict(self._base.encoded())
        for index, node in self._changes.items():
            if node is not None:
                nodes[index] = node.encode()
            else:
                nodes.pop(index, None)
        return nodes

    def encode(self) -> bytes:
        """Return the content of a ``ratchet_tree`` extension."""
        wire = self._base.wire().copy()
        for index, node in self._changes.items():
            put_node(wire, index, node)
        del wire[2 * self._rightmost() + 1 :]
        return opaque(b"".join(wire))

    def fork(self) -> "RatchetTree":
        """Return a tree that starts like this one and can be changed without touching it."""
        self._check_version()
        other = RatchetTree(self.suite, self._leaves, self._base)
        other._changes = self._changes.copy()
        other._hashes = self._hashes.copy()
        other._encryption_keys = self._encryption_keys.copy()
        other._signature_keys = self._signature_keys.copy()
        if self._counts is not None:
            other._counts = CredentialCounts(*(Counter(each) for each in self._counts))
        self._first_blank = other._first_blank = self._skip_members()
        other._last_leaf = self._rightmost()
        return other

    def changes(self) -> dict[int, bytes | None]:
        """Return the nodes that differ from the base, encoded; None for those now blank.

        These are the rows to write when this fork is settled.
        """
        settled = self._base.encoded()
        return {
            index: encoded
            for index, node in self._changes.items()
            if (encoded := None if node is None else node.encode()) != settled.get(index)
        }

    def redo(self, leaves: int, changes: Mapping[int, bytes | None]) -> None:
        """Make the changes that another fork of the same base once had.

        Args:
            leaves: Its number of leaves.
            changes: What its ``changes`` returned.

        Raises:
            MalformedMessageError: A node does not decode, or lies outside of the tree.
        """
        self._leaves = max(leaves, self._leaves)
        last = tree_math.node_width(self._leaves) - 1
        if leaves & (leaves - 1) or max(changes, default=0) > last:
            raise MalformedMessageError("a changed node lies outside of the tree")
        for index, data in changes.items():
            self._put(index, None if data is None else decode_node(index, data))
        self._leaves, self._first_blank = leaves, 0

    def rekeyed(self) -> set[int]:
        """Return the nodes whose key in the base is not theirs any more: its private half is void.

        Fewer than in ``changes``: a node that only got an unmerged leaf keeps its key.
        """
        settled = self._base.encoded()
        return {
            index
            for index, node in self._changes.items()
            if (old := settled.get(index)) is not None
            and (node is None or key_of(old) != node.encryption_key)
        }

    def settle(self) -> None:
        """Make this fork the base. All other forks of the old base are void from now on.

        Raises:
            UsageError: This fork is void itself.
        """
        self._check_version()
        counts = self._credential_counts() if self._base.is_counted else None
        self._base.apply(self._changes, self._hashes, counts)
        self._version = self._base.version
        self._changes, self._hashes = {}, {}
        self._encryption_keys, self._signature_keys = {}, {}
        self._counts = None

    def add_leaf(self, leaf: LeafNode) -> int:
        """Put a new member into the leftmost blank leaf and return its leaf index.

        Spec: RFC 9420 §12.1.1 (Add).

        Raises:
            InvalidTreeError: The tree is full and may not grow further.
        """
        leaf_index = self.next_leaf()
        for index in tree_math.direct_path(2 * leaf_index, self._leaves):
            node = self.parent_node(index)
            if node is not None:
                unmerged = tuple(sorted({*node.unmerged_leaves, leaf_index}))
                self._put(index, ParentNode(node.encryption_key, node.parent_hash, unmerged))
        self._put(2 * leaf_index, leaf)
        return leaf_index

    def next_leaf(self) -> int:
        """Return the leftmost blank leaf, after extending the tree if there is none.

        Raises:
            InvalidTreeError: The tree is full and may not grow further.
        """
        leaf_index = self._first_blank = self._skip_members()
        if leaf_index == self._leaves:
            if self._leaves >= tree_math.MAX_LEAVES:
                raise InvalidTreeError("the group is full")
            self._leaves *= 2
            self._hashes[self.root] = None
        return leaf_index

    def _skip_members(self) -> int:
        """Return the leftmost blank leaf, or the number of leaves."""
        settled, changes = self._base.encoded(), self._changes
        for index in range(2 * self._first_blank, 2 * self._leaves, 2):
            if (changes[index] is None) if index in changes else (index not in settled):
                return index >> 1
        return self._leaves

    def update_leaf(self, leaf_index: int, leaf: LeafNode) -> None:
        """Replace a member's leaf and blank its direct path. Spec: RFC 9420 §12.1.2 (Update).

        Raises:
            MembershipError: The leaf is blank.
        """
        self.member(leaf_index)
        self.blank_direct_path(leaf_index)
        self._put(2 * leaf_index, leaf)

    def remove_leaf(self, leaf_index: int) -> None:
        """Blank a member's leaf and direct path, and truncate. Spec: RFC 9420 §12.1.3 (Remove).

        Raises:
            MembershipError: The leaf is blank already.
        """
        self.member(leaf_index)
        self.blank_direct_path(leaf_index)
        self._put(2 * leaf_index, None)
        self._first_blank = min(self._first_blank, leaf_index)
        last = self._rightmost()
        while self._leaves > 1 and last < self._leaves // 2:
            if not self.is_blank(self.root):
                self._put(self.root, None)
            self._leaves //= 2

    def blank_direct_path(self, leaf_index: int) -> None:
        """Blank all parents of a leaf."""
        for index in tree_math.direct_path(2 * leaf_index, self._leaves):
            if not self.is_blank(index):
                self._put(index, None)

    def replace_direct_path(self, leaf_index: int, parents: Mapping[int, ParentNode]) -> None:
        """Put these parents on the direct path of a leaf, and blank the rest of it."""
        self._check_version()
        path = tree_math.direct_path(2 * leaf_index, self._leaves)
        for index in path:
            node = parents.get(index)
            if node is not None:
                self._encryption_keys[node.encryption_key] = index
                self._changes[index] = node
            elif not self.is_blank(index):
                self._changes[index] = None
        self._hashes.update(dict.fromkeys(path))

    def hash_path(self, leaf_index: int) -> None:
        """Hash a leaf and its direct path, from the leaf up: the way an update path changes them.

        ``tree_hash`` would find the same, more slowly, from the root down.
        """
        suite, hashes, settled = self.suite, self._hashes, self._base.hashes
        node, distance, path = 2 * leaf_index, 2, tree_math.ascent(2 * leaf_index, self._leaves)
        below = hashes[node] = leaf_tree_hash(suite, leaf_index, self.encoded_node(node))
        for index in path:
            other = node ^ distance
            beside = hashes[other] if other in hashes else settled.get(other)
            if beside is None:
                beside = self.tree_hash(other)
            sides = (below, beside) if node < index else (beside, below)
            below = hashes[index] = parent_tree_hash(suite, self.encoded_node(index), *sides)
            node, distance = index, 2 * distance

    def set_leaf(self, leaf_index: int, leaf: LeafNode) -> None:
        """Put a leaf into its place and change nothing else; part of merging a path."""
        self._put(2 * leaf_index, leaf)

    def set_parent(self, index: int, node: ParentNode) -> None:
        """Put a parent into its place and change nothing else; part of merging a path."""
        self._put(index, node)

    def _put(self, index: int, node: Node | None) -> None:
        self._check_version()
        if not index & 1:
            self._put_leaf(index, node)
        self._changes[index] = node
        if node is not None:
            self._encryption_keys[node.encryption_key] = index
        self._forget_hashes(index)

    def _forget_hashes(self, index: int) -> None:
        """Forget a node's hash and all above. Above one that is forgotten, all others are."""
        hashes = self._hashes
        if hashes.get(index, b"") is None:
            return
        hashes[index] = None
        for above in tree_math.ascent(index, self._leaves):
            if hashes.get(above, b"") is None:
                break
            hashes[above] = None

    def _put_leaf(self, index: int, node: Node | None) -> None:
        old = self.node(index)
        if self._counts is not None and isinstance(old, LeafNode):
            self._counts.tally(old, -1)
        last = self._rightmost()
        if isinstance(node, LeafNode):
            self._signature_keys[node.signature_key] = index
            if self._counts is not None:
                self._counts.tally(node, 1)
            self._last_leaf = max(last, index >> 1)
        elif index >> 1 == last:
            below = range(last - 1, -1, -1)
            self._last_leaf = next((leaf for leaf in below if not self.is_blank(2 * leaf)), -1)

    def _check_version(self) -> None:
        if self._version != self._base.version:
            raise UsageError("the tree moved on: this fork is void")
