"""What a new member checks before it believes a tree.

Spec: RFC 9420 §12.4.3.1 (Joining via Welcome Message), "verify the integrity of the ratchet tree",
and RFC 9420 §7.9.2 (Verifying Parent Hashes).
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from e2ecore.crypto.suites import CipherSuite
from e2ecore.crypto.verifying import verify_many
from e2ecore.mls import tree_math
from e2ecore.mls.errors import InvalidTreeError, UnsupportedError
from e2ecore.mls.leaf_rules import (
    LeafContext,
    SignedPart,
    check_capabilities,
    check_content,
    leaf_signature,
)
from e2ecore.mls.nodes import Capabilities, LeafNode, Node, ParentNode
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.tree_hash import leaf_tree_hash, parent_hash, parent_tree_hash


def check_tree(tree: RatchetTree, context: LeafContext, group_id: bytes) -> Iterator[SignedPart]:
    """Check everything but the leaf signatures, and return those.

    They are most of the work of joining: the caller gives them to ``verify_all``. All of them have
    to be taken, for the checks are made on the way.

    Args:
        tree: The tree as it was received. Its root hash is compared by the caller.
        context: The group that it belongs to.
        group_id: Part of the leaves' signatures.

    Raises:
        PeerError: A rule is broken; the sub-class says which.
    """
    yield from check_leaves(tree.members(), context, group_id)
    check_nodes(tree)


def verify_all(suite: CipherSuite, parts: Iterable[SignedPart]) -> None:
    """Verify signatures, on all cores if they are many.

    Raises:
        SignatureError: One of them is not valid.
        PeerError: What ``parts`` raises, if it checks more than that.
    """
    verify_many(suite.signature, parts)


def check_leaves(
    leaves: Iterable[tuple[int, LeafNode]], context: LeafContext, group_id: bytes
) -> Iterator[SignedPart]:
    """Check the leaves, and return each one's signature as soon as it is known.

    Raises:
        PeerError: A rule is broken; the sub-class says which.
    """
    encryption_keys: set[bytes] = set()
    signature_keys: set[bytes] = set()
    credentials: set[int] = set()
    announced: set[Capabilities] = set()
    count = 0
    for leaf_index, leaf in leaves:
        check_content(leaf, context)
        if leaf.capabilities not in announced:
            check_capabilities(leaf.capabilities, context)
            announced.add(leaf.capabilities)
        credentials.add(leaf.credential.type)
        encryption_keys.add(leaf.encryption_key)
        signature_keys.add(leaf.signature_key)
        count += 1
        yield leaf_signature(leaf, group_id, leaf_index)
    if not len(encryption_keys) == len(signature_keys) == count:
        raise InvalidTreeError("two members have the same key")
    if not all(credentials.issubset(each.credentials) for each in announced):
        raise UnsupportedError("a member does not support a credential type in use")


def check_nodes(tree: RatchetTree) -> None:
    """Check how the nodes go together.

    Raises:
        PeerError: A rule is broken; the sub-class says which.
    """
    nodes = dict(tree.nodes())
    if len({node.encryption_key for node in nodes.values()}) != len(nodes):
        raise InvalidTreeError("two nodes have the same key")
    check_public = tree.suite.hpke.kem.check_public
    for index, node in nodes.items():
        if isinstance(node, ParentNode):
            check_public(node.encryption_key)
            if node.unmerged_leaves:
                _check_unmerged(tree, index, node)
    check_parent_hashes(tree)


def _check_unmerged(tree: RatchetTree, index: int, node: ParentNode) -> None:
    below = tree_math.leaf_range(index)
    for leaf_index in node.unmerged_leaves:
        if leaf_index not in below or tree.leaf(leaf_index) is None:
            raise InvalidTreeError("an unmerged leaf is blank or not below its node")
        path = tree_math.direct_path(2 * leaf_index, tree.leaf_count)
        for between in path[: path.index(index)]:
            parent = tree.parent_node(between)
            if parent is not None and leaf_index not in parent.unmerged_leaves:
                raise InvalidTreeError("a leaf is unmerged above a node where it is merged")


def check_parent_hashes(tree: RatchetTree) -> None:
    """Check that every parent was set by a member below it.

    Each parent that is not blank must have exactly one descendant whose parent hash is valid with
    respect to it. One below either child cannot be: each hash would contain the other.

    Raises:
        InvalidTreeError: A parent has none.
    """
    originals = _OriginalHashes(tree)
    for index, node in originals.nodes.items():
        if isinstance(node, ParentNode):
            _check_vouched(originals, index, node)


def _check_vouched(originals: "_OriginalHashes", index: int, node: ParentNode) -> None:
    left, right = tree_math.children(index)
    if not (_vouches(originals, node, left, right) or _vouches(originals, node, right, left)):
        raise InvalidTreeError("a parent is not vouched for by a path below it")


def _vouches(originals: "_OriginalHashes", node: ParentNode, child: int, sibling: int) -> bool:
    """Tell whether the one candidate below ``child`` has a parent hash valid for its parent.

    The candidate is in the resolution of ``child``, and all others in that resolution are unmerged
    leaves of the parent; so there can be only one.
    """
    tree = originals.tree
    found = originals.nodes.get(child)
    if found is None or node.unmerged_leaves or _has_unmerged(found):
        found = _candidate(tree, node, child)
    if found is None or not found.parent_hash:
        return False
    key, above = node.encryption_key, node.parent_hash
    original = originals.of(sibling, node.unmerged_leaves)
    return found.parent_hash == parent_hash(tree.suite, key, above, original)


def _has_unmerged(node: Node) -> bool:
    return isinstance(node, ParentNode) and bool(node.unmerged_leaves)


def _candidate(tree: RatchetTree, node: ParentNode, child: int) -> Node | None:
    """Find the candidate where nodes are blank or leaves are unmerged."""
    below = tree_math.leaf_range(child)
    unmerged = {2 * leaf for leaf in node.unmerged_leaves if leaf in below}
    resolution = tree.resolution(child)
    candidates = [index for index in resolution if index not in unmerged]
    if len(candidates) != 1 or len(resolution) != 1 + len(unmerged):
        return None
    return tree.node(candidates[0])


class _OriginalHashes:
    """Tree hashes as they were before some leaves were added.

    Spec: RFC 9420 §7.9 (Parent Hashes).
    """

    def __init__(self, tree: RatchetTree) -> None:
        self.tree = tree
        self.nodes: Final = dict(tree.nodes())
        self._known: dict[tuple[int, frozenset[int]], bytes] = {}

    def of(self, index: int, unmerged: Collection[int]) -> bytes:
        """Return the tree hash of a node as if ``unmerged`` had not been added."""
        if not unmerged:
            return self.tree.tree_hash(index)
        below = tree_math.leaf_range(index)
        gone = frozenset(leaf for leaf in unmerged if leaf in below)
        if not gone:
            return self.tree.tree_hash(index)
        key = (index, gone)
        if key not in self._known:
            self._known[key] = self._hash(index, gone)
        return self._known[key]

    def _hash(self, index: int, gone: frozenset[int]) -> bytes:
        suite = self.tree.suite
        if not index & 1:
            return leaf_tree_hash(suite, index >> 1, None)
        node = self.tree.parent_node(index)
        encoded = None
        if node is not None:
            rest = tuple(leaf for leaf in node.unmerged_leaves if leaf not in gone)
            encoded = ParentNode(node.encryption_key, node.parent_hash, rest).encode()
        left = self.of(tree_math.left(index), gone)
        return parent_tree_hash(suite, encoded, left, self.of(tree_math.right(index), gone))
