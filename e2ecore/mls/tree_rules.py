"""What a new member checks before it believes a tree.

Spec: RFC 9420 §12.4.3.1 (Joining via Welcome Message), "verify the integrity of the ratchet tree",
and RFC 9420 §7.9.2 (Verifying Parent Hashes).
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from e2ecore.crypto.suites import CipherSuite
from e2ecore.crypto.verifying import verify_many
from e2ecore.mls import tree_math
from e2ecore.mls.arriving_tree import ArrivedLeaf, ArrivingTree, PathLinks
from e2ecore.mls.codec import length, opaque, u32
from e2ecore.mls.errors import InvalidTreeError, UnsupportedError
from e2ecore.mls.labels import signed_head
from e2ecore.mls.leaf_rules import (
    LeafContext,
    SignedPart,
    check_capabilities,
    check_lifetime,
    check_own_types,
)
from e2ecore.mls.node_layout import LeafLayout
from e2ecore.mls.nodes import LEAF_LABEL, LeafNodeSource, Lifetime, ParentNode
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.tree_hash import leaf_tree_hash, parent_tree_hash


def check_tree(
    arriving: ArrivingTree, context: LeafContext, group_id: bytes
) -> Iterator[SignedPart]:
    """Check everything but the leaf signatures, and return those.

    They are most of the work of joining: the caller gives them to ``verify_all``. All of them have
    to be taken, for the checks are made on the way.

    Args:
        arriving: The tree as it was received. Its root hash is compared by the caller.
        context: The group that it belongs to.
        group_id: Part of the leaves' signatures.

    Raises:
        PeerError: A rule is broken; the sub-class says which.
    """
    yield from check_leaves(arriving, context, group_id)
    check_nodes(arriving, RatchetTree.of(arriving))


def verify_all(suite: CipherSuite, parts: Iterable[SignedPart]) -> None:
    """Verify signatures, on all cores if they are many.

    Raises:
        SignatureError: One of them is not valid.
        PeerError: What ``parts`` raises, if it checks more than that.
    """
    verify_many(suite.signature, parts)


class _Alike(NamedTuple):
    """What leaves of one layout have in common: their signatures cover content of one size.

    Attributes:
        head: What the signed content begins with.
        size: Bytes of the leaf that are signed.
        placed: Group and leaf index are signed, too.
        timed: The leaf has a lifetime.
    """

    head: bytes
    size: int
    placed: bool
    timed: bool


class _LeafRules:
    """Checks leaves, and what they have in common once."""

    def __init__(self, context: LeafContext, group_id: bytes) -> None:
        self._context = context
        self._group = opaque(group_id)
        self._alike: dict[LeafLayout, _Alike] = {}
        self._lifetimes: set[bytes] = set()
        self._check_key = context.suite.hpke.kem.check_public
        self._check_signature_key = context.suite.signature.check_public

    def check(self, leaf: ArrivedLeaf) -> SignedPart:
        """Check what one leaf says by itself, and return its signature."""
        leaf_index, layout, encoded, (key, public, _, varying, signature) = leaf
        alike = self._alike.get(layout) or self._judge(layout)
        if alike.timed and varying not in self._lifetimes:
            check_lifetime(Lifetime.unpack(varying), self._context)
            self._lifetimes.add(varying)
        self._check_key(key)
        self._check_signature_key(public)
        place = self._group + u32(leaf_index) if alike.placed else b""
        return SignedPart(public, alike.head + encoded[: alike.size] + place, signature)

    def _judge(self, layout: LeafLayout) -> _Alike:
        """Check what all leaves of this layout announce."""
        leaf = layout.example
        check_own_types(leaf)
        check_capabilities(leaf.capabilities, self._context)
        placed = leaf.source is not LeafNodeSource.KEY_PACKAGE
        size = layout.unsigned_size + (len(self._group) + 4 if placed else 0)
        head = signed_head(LEAF_LABEL, size)
        known = _Alike(head, layout.unsigned_size, placed, leaf.lifetime is not None)
        self._alike[layout] = known
        return known

    def check_together(self) -> None:
        """Check that all members support the credential types in use."""
        leaves = [layout.example for layout in self._alike]
        in_use = {leaf.credential.type for leaf in leaves}
        if not all(in_use.issubset(leaf.capabilities.credentials) for leaf in leaves):
            raise UnsupportedError("a member does not support a credential type in use")


def check_leaves(
    arriving: ArrivingTree, context: LeafContext, group_id: bytes
) -> Iterator[SignedPart]:
    """Check the leaves while they arrive, and return each one's signature as soon as it is known.

    Raises:
        PeerError: A rule is broken; the sub-class says which.
    """
    rules = _LeafRules(context, group_id)
    encryption_keys: set[bytes] = set()
    count = 0
    for leaf in arriving.leaves():
        count += 1
        encryption_keys.add(leaf.fields[0])
        yield rules.check(leaf)
    if not len(encryption_keys) == len(arriving.signature_keys) == count:
        raise InvalidTreeError("two members have the same key")
    rules.check_together()


def check_nodes(arriving: ArrivingTree, tree: RatchetTree) -> None:
    """Check how the nodes go together.

    Args:
        arriving: What was read.
        tree: What was made of it.

    Raises:
        PeerError: A rule is broken; the sub-class says which.
    """
    if len(arriving.keys) != len(arriving.encoded):
        raise InvalidTreeError("two nodes have the same key")
    check_public = tree.suite.hpke.kem.check_public
    for key, index in arriving.keys.items():
        if index & 1:
            check_public(key)
    links = arriving.links
    for index, unmerged in links.unmerged.items():
        _check_unmerged(tree, links, index, unmerged)
    check_parent_hashes(tree, links)


def _check_unmerged(
    tree: RatchetTree, links: PathLinks, index: int, unmerged: Sequence[int]
) -> None:
    below = tree_math.leaf_range(index)
    for leaf_index in unmerged:
        if leaf_index not in below or tree.is_blank(2 * leaf_index):
            raise InvalidTreeError("an unmerged leaf is blank or not below its node")
        path = tree_math.direct_path(2 * leaf_index, tree.leaf_count)
        for between in path[: path.index(index)]:
            if between in links.parents and leaf_index not in links.unmerged.get(between, ()):
                raise InvalidTreeError("a leaf is unmerged above a node where it is merged")


def check_parent_hashes(tree: RatchetTree, links: PathLinks | None = None) -> None:
    """Check that every parent was set by a member below it.

    Each parent that is not blank must have exactly one descendant whose parent hash is valid with
    respect to it. One below either child cannot be: each hash would contain the other.

    Args:
        tree: The tree.
        links: Of its nodes, if they are known.

    Raises:
        InvalidTreeError: A parent has none.
    """
    if links is None:
        links = PathLinks()
        for index, node in tree.nodes():
            links.add(index, node)
    vouching = _Vouching(tree, links)
    for index in links.parents:
        if not vouching.has_setter(index):
            raise InvalidTreeError("a parent is not vouched for by a path below it")


class _Vouching:
    """Who below a parent has its parent hash."""

    __slots__ = ("_digest", "_links", "_originals", "_sibling_head", "_tree")

    def __init__(self, tree: RatchetTree, links: PathLinks) -> None:
        self._tree = tree
        self._links = links
        self._originals = _OriginalHashes(tree)
        self._digest = tree.suite.hash.digest
        self._sibling_head = length(tree.suite.nh)

    def has_setter(self, index: int) -> bool:
        """Tell whether somebody below this parent has set it."""
        left, right = tree_math.children(index)
        return self._vouches(index, left, right) or self._vouches(index, right, left)

    def _vouches(self, index: int, child: int, sibling: int) -> bool:
        """Tell whether the one candidate below ``child`` has a parent hash valid for its parent.

        The candidate is in the resolution of ``child``, and all others in that resolution are
        unmerged leaves of the parent; so there can be only one.
        """
        links = self._links
        claim, unmerged = links.claims.get(child), links.unmerged.get(index, ())
        if unmerged or child in links.unmerged or (claim is None and self._tree.is_blank(child)):
            candidate = _candidate(self._tree, unmerged, child)
            claim = None if candidate is None else links.claims.get(candidate)
        if claim is None:
            return False
        if unmerged:
            original = self._originals.of(sibling, unmerged)
        else:
            original = self._tree.tree_hash(sibling)
        return claim == self._digest(links.parents[index] + self._sibling_head + original)


def _candidate(tree: RatchetTree, added: Sequence[int], child: int) -> int | None:
    """Find the candidate where nodes are blank or leaves are unmerged.

    Args:
        tree: The tree.
        added: The unmerged leaves of the parent.
        child: The child below which to look.
    """
    below = tree_math.leaf_range(child)
    unmerged = {2 * leaf for leaf in added if leaf in below}
    resolution = tree.resolution(child)
    candidates = [index for index in resolution if index not in unmerged]
    if len(candidates) != 1 or len(resolution) != 1 + len(unmerged):
        return None
    return candidates[0]


class _OriginalHashes:
    """Tree hashes as they were before some leaves were added.

    Spec: RFC 9420 §7.9 (Parent Hashes).
    """

    def __init__(self, tree: RatchetTree) -> None:
        self.tree = tree
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
