"""Looking at a ratchet tree: its nodes, what they resolve to, and their hashes.

Spec: RFC 9420 §4.1 (Ratchet Tree Terminology) and RFC 9420 §7.8 (Tree Hashes). A view is a settled
base and a thin layer of changes over it. What is not in the layer is shared with all other views.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Final

from e2ecore.crypto.suites import CipherSuite
from e2ecore.mls import tree_math
from e2ecore.mls.errors import MembershipError
from e2ecore.mls.members import Member
from e2ecore.mls.nodes import LeafNode, Node, ParentNode
from e2ecore.mls.tree_base import CredentialCounts, TreeBase, key_of
from e2ecore.mls.tree_hash import (
    leaf_tree_hash,
    leaf_tree_hashes,
    parent_tree_hash,
    parent_tree_hashes,
)


class TreeView:
    """One state of a ratchet tree, for reading. Not safe to share between threads."""

    __slots__ = (
        "_base",
        "_changes",
        "_counts",
        "_encryption_keys",
        "_first_blank",
        "_hashes",
        "_last_leaf",
        "_leaves",
        "_signature_keys",
        "_version",
        "suite",
    )

    def __init__(self, suite: CipherSuite, leaves: int = 1, base: TreeBase | None = None) -> None:
        tree_math.root(leaves)
        self.suite: Final = suite
        self._base = base or TreeBase()
        self._version = self._base.version
        self._leaves = leaves
        self._changes: dict[int, Node | None] = {}
        self._hashes: dict[int, bytes | None] = {}
        self._encryption_keys: dict[bytes, int] = {}
        self._signature_keys: dict[bytes, int] = {}
        self._counts: CredentialCounts | None = None
        self._first_blank = 0
        """No leaf left of this one is blank."""
        self._last_leaf: int | None = None
        """The rightmost leaf that is not blank; None until asked for."""

    @property
    def leaf_count(self) -> int:
        """Return the number of leaves, blank ones included: a power of two."""
        return self._leaves

    @property
    def root(self) -> int:
        """Return the node index of the root."""
        return self._leaves - 1

    def node(self, index: int) -> Node | None:
        """Return one node, or None if it is blank."""
        if index in self._changes:
            return self._changes[index]
        return self._base.node(index)

    def encryption_key(self, index: int) -> bytes:
        """Return one node's key.

        Raises:
            MembershipError: The node is blank.
        """
        encoded = self.encoded_node(index)
        if encoded is None:
            raise MembershipError("a blank node has no key")
        return key_of(encoded)

    def encoded_node(self, index: int) -> bytes | None:
        """Return one node encoded, or None if it is blank."""
        if index in self._changes:
            node = self._changes[index]
            return None if node is None else node.encode()
        return self._base.encoded().get(index)

    def leaf(self, leaf_index: int) -> LeafNode | None:
        """Return one leaf, or None if it is blank or not in the tree."""
        if not 0 <= leaf_index < self._leaves:
            return None
        node = self.node(2 * leaf_index)
        return node if isinstance(node, LeafNode) else None

    def member(self, leaf_index: int) -> LeafNode:
        """Return one leaf.

        Raises:
            MembershipError: It is blank or not in the tree.
        """
        leaf = self.leaf(leaf_index)
        if leaf is None:
            raise MembershipError("no member has this leaf index")
        return leaf

    def parent_node(self, index: int) -> ParentNode | None:
        """Return one parent, or None if it is blank."""
        node = self.node(index)
        return node if isinstance(node, ParentNode) else None

    def is_blank(self, index: int) -> bool:
        """Tell whether a node holds nothing."""
        if index in self._changes:
            return self._changes[index] is None
        return index not in self._base.encoded()

    def nodes(self) -> Iterator[tuple[int, Node]]:
        """Return all nodes that are not blank with their indices, in no order."""
        for index in self._known():
            node = self.node(index)
            if node is not None:
                yield index, node

    def _known(self) -> Collection[int]:
        """Return all nodes that are not blank, or were not in the base."""
        settled = self._base.encoded().keys()
        return settled | self._changes.keys() if self._changes else settled

    def members(self) -> Iterator[tuple[int, LeafNode]]:
        """Return all leaves that are not blank with their leaf indices, in order."""
        for index in sorted(index for index in self._known() if not index & 1):
            node = self.node(index)
            if isinstance(node, LeafNode):
                yield index >> 1, node

    def listed(self) -> Iterator[Member]:
        """Return who ``members`` are. Their leaves are not decoded for it."""
        for index in sorted(index for index in self._known() if not index & 1):
            encoded = self.encoded_node(index)
            if encoded is not None:
                yield Member.of_encoded(index >> 1, encoded)

    def find_encryption_key(self, key: bytes) -> int | None:
        """Return the node index that holds this key, or None."""
        return self._find(key, self._encryption_keys, self._base.encryption_keys())

    def find_signature_key(self, key: bytes) -> int | None:
        """Return the node index of the leaf with this key, or None."""
        return self._find(key, self._signature_keys, self._base.signature_keys())

    def _find(self, key: bytes, new: dict[bytes, int], old: dict[bytes, int]) -> int | None:
        index = new.get(key)
        if index is not None:
            node = self._changes[index]
            if node is not None and (
                key == node.encryption_key
                or (isinstance(node, LeafNode) and key == node.signature_key)
            ):
                return index
        index = old.get(key)
        return None if index is None or index in self._changes else index

    def credential_types(self, without: int | None) -> Collection[int]:
        """Return the credential types in use, leaving out one leaf's node index."""
        out = None if without is None else self.node(without)
        skipped = out.credential.type if isinstance(out, LeafNode) else None
        in_use = self._credential_counts().in_use
        return [type_ for type_, count in in_use.items() if count > (type_ == skipped)]

    def all_support_credential(self, type_: int, without: int | None) -> bool:
        """Tell whether every member, but for one leaf's node index, lists a credential type."""
        counts = self._credential_counts()
        supporters, members = counts.supported[type_], counts.in_use.total()
        out = None if without is None else self.node(without)
        if isinstance(out, LeafNode):
            supporters -= type_ in out.capabilities.credentials
            members -= 1
        return supporters == members

    def _credential_counts(self) -> CredentialCounts:
        if self._counts is None:
            self._counts = CredentialCounts(*(Counter(each) for each in self._base.counts()))
            for index, node in self._changes.items():
                old = self._base.node(index)
                if isinstance(old, LeafNode):
                    self._counts.tally(old, -1)
                if isinstance(node, LeafNode):
                    self._counts.tally(node, 1)
        return self._counts

    def resolution(self, index: int, excluded: Collection[int] = ()) -> list[int]:
        """Return the nodes that cover all members below a node.

        Spec: RFC 9420 §4.1.1 (Ratchet Tree Nodes).

        Args:
            index: The node.
            excluded: Leaf indices to leave out: the members that the commit at hand adds.
        """
        found: list[int] = []
        self._resolve(index, excluded, found)
        return found

    def resolution_keys(self, index: int, excluded: Collection[int] = ()) -> list[bytes]:
        """Return the encryption keys of ``resolution``."""
        if index & 1:  # most parents have a key, and nobody below who lacks it
            node = self.node(index)
            if isinstance(node, ParentNode) and not node.unmerged_leaves:
                return [node.encryption_key]
        return [self.encryption_key(covered) for covered in self.resolution(index, excluded)]

    def _resolve(self, index: int, excluded: Collection[int], found: list[int]) -> None:
        if not self.is_blank(index):
            if index & 1:
                found.append(index)
                unmerged = self._unmerged(index)
                found.extend(2 * leaf for leaf in unmerged if leaf not in excluded)
            elif index >> 1 not in excluded:
                found.append(index)
        elif index & 1 and tree_math.leaf_range(index).start <= self._rightmost():
            self._resolve(tree_math.left(index), excluded, found)
            self._resolve(tree_math.right(index), excluded, found)

    def _unmerged(self, index: int) -> tuple[int, ...]:
        node = self.node(index)
        return node.unmerged_leaves if isinstance(node, ParentNode) else ()

    def is_empty(self, index: int) -> bool:
        """Tell whether the resolution of a node is empty."""
        if not self.is_blank(index):
            return False
        if not index & 1 or tree_math.leaf_range(index).start > self._rightmost():
            return True
        return self.is_empty(tree_math.left(index)) and self.is_empty(tree_math.right(index))

    def filtered_direct_path(self, leaf_index: int) -> list[tuple[int, int]]:
        """Return the parents of a leaf that need a key of their own, each with its copath child.

        Spec: RFC 9420 §4.1.2 (Paths through a Ratchet Tree). From the lowest up.
        """
        settled, changes = self._base.encoded(), self._changes
        below, distance, path = 2 * leaf_index, 2, []
        for index in tree_math.ascent(below, self._leaves):
            other = below ^ distance
            filled = changes[other] is not None if other in changes else other in settled
            if filled or not self.is_empty(other):
                path.append((index, other))
            below, distance = index, 2 * distance
        return path

    def root_hash(self) -> bytes:
        """Return the tree hash of the whole tree. Only what changed is hashed again."""
        return self.tree_hash(self.root)

    def _hash_all(self) -> None:
        """Hash a whole settled tree, level by level: half the time of going down it."""
        encoded = self._base.encoded()
        hashes = leaf_tree_hashes(self.suite, self._leaves, encoded)
        known = self._base.hashes
        known.update(zip(range(0, 2 * self._leaves, 2), hashes, strict=True))
        step = 2
        while len(hashes) > 1:
            nodes = range(step - 1, 2 * self._leaves, 2 * step)
            hashes = parent_tree_hashes(self.suite, map(encoded.get, nodes), hashes)
            known.update(zip(nodes, hashes, strict=True))
            step *= 2

    def tree_hash(self, index: int) -> bytes:
        """Return the tree hash of a node. Spec: RFC 9420 §7.8 (Tree Hashes)."""
        own = index in self._hashes
        known = self._hashes[index] if own else self._base.hashes.get(index)
        if known is None and not self._base.hashes:
            self._hash_all()
            known = None if own else self._base.hashes.get(index)
        if known is None:
            known = self._hash_again(index)
            if own:
                self._hashes[index] = known
            else:
                self._base.hashes[index] = known
        return known

    def _hash_again(self, index: int) -> bytes:
        encoded = self.encoded_node(index)
        if not index & 1:
            return leaf_tree_hash(self.suite, index >> 1, encoded)
        below, hashes, settled = [], self._hashes, self._base.hashes
        for child in tree_math.children(index):
            known = hashes[child] if child in hashes else settled.get(child)
            below.append(self.tree_hash(child) if known is None else known)
        return parent_tree_hash(self.suite, encoded, *below)

    def _rightmost(self) -> int:
        """Return the rightmost leaf that is not blank, or -1."""
        if self._last_leaf is None:
            changes = self._changes
            leaves = (
                index
                for index in self._known()
                if not index & 1 and (index not in changes or changes[index] is not None)
            )
            self._last_leaf = max(leaves, default=-2) // 2
        return self._last_leaf
