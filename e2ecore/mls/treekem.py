"""New keys for a path through the tree, made by one member and understood by all others.

Spec: RFC 9420 §7.4 (Ratchet Tree Evolution), RFC 9420 §7.5 (Synchronizing Views of the Tree) and
RFC 9420 §7.6 (Update Paths).

A committer calls ``new_path`` on a fork to which the proposals were applied, computes the
provisional group context from the fork's root hash, and then ``NewPath.seal``. A receiver calls
``merge_path`` on its fork, computes the same context, and then ``open_path``. A new member, who has
no key on the path yet, calls ``join_path`` with the secret from its welcome.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from e2ecore.crypto.errors import DecryptionError
from e2ecore.crypto.hpke import HpkeKeyPair, HpkePrivateKey, Sealer
from e2ecore.crypto.rng import Rng
from e2ecore.crypto.secret import Secret
from e2ecore.crypto.signing import SigningKey
from e2ecore.crypto.suites import CipherSuite
from e2ecore.mls import tree_math
from e2ecore.mls.codec import Reader, opaque, vector
from e2ecore.mls.errors import InvalidUpdatePathError, PathSecretError
from e2ecore.mls.key_schedule import CommitSecret
from e2ecore.mls.labels import decrypt_with_label, fixed_expander, sealer_with_label
from e2ecore.mls.leaf_rules import (
    LeafContext,
    check_among,
    check_leaf,
    check_source,
    leaf_signature,
)
from e2ecore.mls.nodes import LeafNode, LeafNodeSource, ParentNode
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.tree_hash import path_parent_hash

_LABEL = "UpdatePathNode"
"""Encryption label (RFC 9420 §17.7 (MLS Public Key Encryption Labels))."""


class PathSecret(Secret):
    """What one node of a path is derived from, and every node above it."""


class HpkeCiphertext(NamedTuple):
    """What ``EncryptWithLabel`` returns."""

    kem_output: bytes
    ciphertext: bytes

    def encode(self) -> bytes:
        """Return the HPKECiphertext."""
        return opaque(self.kem_output) + opaque(self.ciphertext)

    @classmethod
    def read(cls, reader: Reader) -> "HpkeCiphertext":
        """Read an HPKECiphertext."""
        return cls(reader.opaque(), reader.opaque())


class UpdatePathNode(NamedTuple):
    """One parent's new key, and its path secret for everybody below its other child."""

    encryption_key: bytes
    encrypted_path_secret: tuple[HpkeCiphertext, ...]

    def encode(self) -> bytes:
        """Return the UpdatePathNode."""
        sealed = [
            opaque(kem_output) + opaque(ciphertext)
            for kem_output, ciphertext in self.encrypted_path_secret
        ]
        return opaque(self.encryption_key) + opaque(b"".join(sealed))

    @classmethod
    def read(cls, reader: Reader) -> "UpdatePathNode":
        """Read an UpdatePathNode."""
        return cls(reader.opaque(), tuple(reader.vector(HpkeCiphertext.read)))


@dataclass(frozen=True, slots=True)
class UpdatePath:
    """A committer's new leaf and the new keys above it. Spec: RFC 9420 §7.6 (Update Paths)."""

    leaf_node: LeafNode
    nodes: tuple[UpdatePathNode, ...]

    def encode(self) -> bytes:
        """Return the UpdatePath."""
        return self.leaf_node.encode() + vector([node.encode() for node in self.nodes])

    @classmethod
    def read(cls, reader: Reader) -> "UpdatePath":
        """Read an UpdatePath."""
        return cls(LeafNode.read(reader), tuple(reader.vector(UpdatePathNode.read)))


@dataclass(frozen=True, slots=True)
class PathKeys:
    """What a member knows after a path: a fresh secret, and the new keys above its leaf."""

    commit_secret: CommitSecret
    private_keys: dict[int, HpkePrivateKey]
    """By node index. Of the keys known before, those of ``RatchetTree.rekeyed`` are void."""


class _Step(NamedTuple):
    node: int
    """Node index of the parent."""
    other: int
    """Node index of its child on the copath."""
    secret: PathSecret
    pair: HpkeKeyPair


@dataclass(frozen=True, slots=True)
class NewPath:
    """A path that this member made. Its secrets live until the commit is built, no longer."""

    leaf_node: LeafNode
    keys: PathKeys
    _steps: tuple[_Step, ...]

    def seal(self, tree: RatchetTree, context: bytes, added: Collection[int]) -> UpdatePath:
        """Encrypt the path secrets to the rest of the group.

        Args:
            tree: The fork that ``new_path`` changed.
            context: The encoded provisional GroupContext.
            added: Leaf indices of the members that the commit adds; they get a welcome instead.

        Raises:
            InvalidKeyError: A key in the tree is unusable.
        """
        sealer = sealer_with_label(tree.suite, _LABEL, context)
        nodes = [_seal_step(tree, step, sealer, added) for step in self._steps]
        return UpdatePath(self.leaf_node, tuple(nodes))

    def secret_for(self, own_leaf: int, other_leaf: int) -> PathSecret | None:
        """Return the path secret that a new member's welcome carries.

        Args:
            own_leaf: Leaf index of the committer.
            other_leaf: Leaf index of the new member.
        """
        shared = tree_math.common_ancestor(2 * own_leaf, 2 * other_leaf)
        return next((step.secret for step in self._steps if step.node == shared), None)


def _seal_step(
    tree: RatchetTree, step: _Step, sealer: Sealer, added: Collection[int]
) -> UpdatePathNode:
    seal, secret = sealer.seal, step.secret.raw
    keys = tree.resolution_keys(step.other, added)
    sealed = [HpkeCiphertext._make(seal(key, secret)) for key in keys]
    return UpdatePathNode(step.pair.public, tuple(sealed))


def new_path(
    tree: RatchetTree,
    leaf_index: int,
    template: LeafNode,
    *,
    group_id: bytes,
    signer: SigningKey,
    rng: Rng,
) -> NewPath:
    """Give a leaf and its parents fresh keys, in the tree and as values.

    Args:
        tree: A fork with the commit's proposals applied; it is changed.
        leaf_index: The committer's place.
        template: What the new leaf says: credential, capabilities and extensions are taken over.
        group_id: Goes into the leaf's signature.
        signer: The committer's key; the leaf gets its public half.
        rng: Source of the leaf's key and of the first path secret.
    """
    suite = tree.suite
    own = suite.hpke.generate(rng)
    secret = rng(suite.nh)
    filtered, steps = tree.filtered_direct_path(leaf_index), []
    node_secret, following = fixed_expander(suite, "node", b""), fixed_expander(suite, "path", b"")
    derive_pair = suite.hpke.kem.derive_key_pair
    for node, other in filtered:
        pair = derive_pair(node_secret(secret))
        steps.append(_Step(node, other, PathSecret(secret), pair))
        secret = following(secret)
    if not steps:
        secret = following(secret)
    above = _set_parents(tree, leaf_index, filtered, [step.pair.public for step in steps])
    leaf = LeafNode(
        encryption_key=own.public,
        signature_key=signer.public,
        credential=template.credential,
        capabilities=template.capabilities,
        source=LeafNodeSource.COMMIT,
        parent_hash=above,
        extensions=template.extensions,
    ).signed(signer, group_id, leaf_index)
    tree.set_leaf(leaf_index, leaf)
    tree.hash_path(leaf_index)
    private = {2 * leaf_index: own.private} | {step.node: step.pair.private for step in steps}
    return NewPath(leaf, PathKeys(CommitSecret(secret), private), tuple(steps))


def _set_parents(
    tree: RatchetTree, leaf_index: int, filtered: Sequence[tuple[int, int]], keys: Sequence[bytes]
) -> bytes:
    """Replace the direct path by new keys and return the parent hash that the leaf must have."""
    above, parents = b"", {}
    for (index, other), key in zip(reversed(filtered), reversed(keys), strict=True):
        node = parents[index] = ParentNode(key, above)
        above = path_parent_hash(tree.suite, node.encode(), tree.tree_hash(other))
    tree.replace_direct_path(leaf_index, parents)
    return above


def merge_path(
    tree: RatchetTree,
    leaf_index: int,
    path: UpdatePath,
    *,
    context: LeafContext,
    group_id: bytes,
    added: Collection[int],
) -> None:
    """Check a received path and put its public keys into the tree.

    Spec: RFC 9420 §12.4.2 (Processing a Commit), "validate it and apply it to the tree".

    Args:
        tree: A fork with the commit's proposals applied; it is changed. Drop it if this raises.
        leaf_index: The committer's place.
        path: What the commit carries.
        context: The group, with its new extensions, as a leaf must fit it.
        group_id: Part of the leaf's signature.
        added: Leaf indices of the members that the commit adds.

    Raises:
        PeerError: A rule is broken; the sub-class says which.
    """
    suite, leaf = tree.suite, path.leaf_node
    replaced = None if tree.leaf(leaf_index) is None else 2 * leaf_index
    check_source(leaf, LeafNodeSource.COMMIT)
    check_leaf(leaf, context)
    check_among(leaf, tree, replaced)
    suite.signature.verify(*leaf_signature(leaf, group_id, leaf_index))
    filtered = tree.filtered_direct_path(leaf_index)
    _check_shape(tree, filtered, path, added)
    _check_keys(tree, path)
    above = _set_parents(tree, leaf_index, filtered, [each.encryption_key for each in path.nodes])
    if leaf.parent_hash != above:
        raise InvalidUpdatePathError("the leaf's parent hash does not match the path")
    tree.set_leaf(leaf_index, leaf)
    tree.hash_path(leaf_index)


def _check_shape(
    tree: RatchetTree,
    filtered: Sequence[tuple[int, int]],
    path: UpdatePath,
    added: Collection[int],
) -> None:
    if len(filtered) != len(path.nodes):
        raise InvalidUpdatePathError("the path has a wrong number of nodes")
    for (_, other), node in zip(filtered, path.nodes, strict=True):
        if len(node.encrypted_path_secret) != len(tree.resolution(other, added)):
            raise InvalidUpdatePathError("a path secret is not sealed to everybody it concerns")


def _check_keys(tree: RatchetTree, path: UpdatePath) -> None:
    keys = {path.leaf_node.encryption_key}
    for node in path.nodes:
        key = node.encryption_key
        if key in keys or tree.find_encryption_key(key) is not None:
            raise InvalidUpdatePathError("a key of the path is in use already")
        keys.add(key)
        tree.suite.hpke.check_public(key)


def open_path(
    tree: RatchetTree,
    leaf_index: int,
    path: UpdatePath,
    *,
    own_leaf: int,
    private_key: Callable[[int], HpkePrivateKey | None],
    context: bytes,
    added: Collection[int],
) -> PathKeys:
    """Decrypt the path secret that concerns this member and derive all that follows from it.

    Args:
        tree: The fork that ``merge_path`` changed.
        leaf_index: The committer's place.
        path: What the commit carries.
        own_leaf: This member's place; it is not among ``added``.
        private_key: Returns this member's private key of a node, or None if it has none. Keys that
            of nodes that the proposals rekeyed must not be returned.
        context: The encoded provisional GroupContext.
        added: Leaf indices of the members that the commit adds.

    Raises:
        PathSecretError: Nothing can be decrypted, or keys are not what the path promised.
    """
    filtered = tree.filtered_direct_path(leaf_index)
    below = [tree_math.contains(other, 2 * own_leaf) for _, other in filtered]
    if True not in below:
        raise PathSecretError("the path is not meant for this member")
    position = below.index(True)
    other, sealed = filtered[position][1], path.nodes[position].encrypted_path_secret
    for index, each in zip(tree.resolution(other, added), sealed, strict=True):
        key = private_key(index) if tree_math.contains(index, 2 * own_leaf) else None
        if key is not None:
            secret = _open_secret(tree.suite, key, context, each)
            return _climb(tree, [node for node, _ in filtered[position:]], secret)
    raise PathSecretError("the path secret is not sealed to this member")


def _open_secret(
    suite: CipherSuite, key: HpkePrivateKey, context: bytes, sealed: HpkeCiphertext
) -> PathSecret:
    try:
        return PathSecret(
            decrypt_with_label(suite, key, _LABEL, context, sealed.kem_output, sealed.ciphertext)
        )
    except DecryptionError:
        raise PathSecretError("the path secret for this member does not open") from None


def _climb(tree: RatchetTree, nodes: Sequence[int], secret: PathSecret) -> PathKeys:
    """Derive the keys of these nodes, from the lowest up, and compare them with the tree."""
    suite, raw = tree.suite, secret.raw
    if len(raw) != suite.nh:
        raise PathSecretError("a path secret has a wrong size")
    node_secret, following = fixed_expander(suite, "node", b""), fixed_expander(suite, "path", b"")
    private, derive_pair = {}, suite.hpke.kem.derive_key_pair
    for index in nodes:
        pair, node = derive_pair(node_secret(raw)), tree.node(index)
        if node is None or node.encryption_key != pair.public:
            raise PathSecretError("a path secret and its public key do not belong together")
        private[index] = pair.private
        raw = following(raw)
    return PathKeys(CommitSecret(raw), private)


def join_path(
    tree: RatchetTree, leaf_index: int, own_leaf: int, secret: PathSecret
) -> dict[int, HpkePrivateKey]:
    """Derive a new member's keys from the path secret in its welcome.

    Spec: RFC 9420 §12.4.3.1 (Joining via Welcome Message).

    Args:
        tree: The tree of the epoch that is joined.
        leaf_index: Leaf index of the one who signed the GroupInfo.
        own_leaf: This member's place.
        secret: What the welcome carries.

    Returns:
        The private keys by node index, the own leaf's not among them.

    Raises:
        InvalidUpdatePathError: The secret does not lead to the keys in the tree.
    """
    shared = tree_math.common_ancestor(2 * leaf_index, 2 * own_leaf)
    path = [node for node, _ in tree.filtered_direct_path(leaf_index)]
    if shared not in path:
        raise InvalidUpdatePathError("the path secret belongs to no node of the tree")
    return _climb(tree, path[path.index(shared) :], secret).private_keys
