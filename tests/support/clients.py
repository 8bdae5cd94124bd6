"""Clients and groups of them, as far as a ratchet tree needs them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from e2ecore.crypto.hpke import HpkePrivateKey
from e2ecore.crypto.signing import SigningKey
from e2ecore.crypto.suites import X25519_AES128, CipherSuite
from e2ecore.mls.key_package import KeyPackageBundle
from e2ecore.mls.leaf_rules import LeafContext
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.treekem import NewPath, PathKeys, UpdatePath, merge_path, new_path, open_path
from tests.support.rng import SeededRng

NOW_MS = 1_800_000_000_000
GROUP_ID = b"a group of sixteen"[:16]


@dataclass
class TreeMember:
    """One client's view of a tree: its place, its keys, and how to commit and process."""

    signer: SigningKey
    tree: RatchetTree
    leaf: int
    keys: dict[int, HpkePrivateKey] = field(default_factory=dict)


class TreeGroup:
    """Several views of one tree, all in one process. Each member keeps its own copy."""

    def __init__(self, suite: CipherSuite = X25519_AES128, seed: int = 1) -> None:
        self.suite = suite
        self.rng = SeededRng(seed)
        self.context = LeafContext.of(suite)
        self.members: dict[int, TreeMember] = {}
        bundle, signer = self.client()
        tree = RatchetTree(suite)
        tree.set_leaf(0, bundle.key_package.leaf_node)
        tree.settle()
        self.members[0] = TreeMember(signer, tree, 0, {0: bundle.encryption_key})

    def client(self) -> tuple[KeyPackageBundle, SigningKey]:
        """Return a fresh client."""
        signer = self.suite.signature.generate(self.rng)
        bundle = KeyPackageBundle.generate(
            self.suite, signer, signer.public[:20], now_ms=NOW_MS, rng=self.rng
        )
        return bundle, signer

    @property
    def tree(self) -> RatchetTree:
        """Return some member's tree."""
        return next(iter(self.members.values())).tree

    def add(self, count: int = 1) -> list[int]:
        """Add members without a path, as a commit of adds alone does."""
        added = []
        for bundle, signer in [self.client() for _ in range(count)]:
            leaves = {m.tree.add_leaf(bundle.key_package.leaf_node) for m in self.members.values()}
            for member in self.members.values():
                member.tree.settle()
            (leaf,) = leaves
            tree = RatchetTree.decode(self.suite, self.tree.encode())
            keys = {2 * leaf: bundle.encryption_key}
            self.members[leaf] = TreeMember(signer, tree, leaf, keys)
            added.append(leaf)
        return added

    def commit(self, leaf: int, *, removed: Sequence[int] = ()) -> UpdatePath:
        """Let a member send a path that all others process."""
        for gone in removed:
            del self.members[gone]
        committer = self.members[leaf]
        fork, new, path = self.create(leaf, removed)
        for other in self.members.values():
            if other is not committer:
                tree, keys = self.process(other.leaf, leaf, path, removed)
                assert tree.root_hash() == fork.root_hash()
                assert keys.commit_secret.matches(new.keys.commit_secret)
                self.merge(other, tree, keys)
        self.merge(committer, fork, new.keys)
        return path

    def create(
        self, leaf: int, removed: Sequence[int] = ()
    ) -> tuple[RatchetTree, NewPath, UpdatePath]:
        """Return a fork with a member's new path in it."""
        member = self.members[leaf]
        fork = member.tree.fork()
        for gone in removed:
            fork.remove_leaf(gone)
        new = new_path(
            fork,
            leaf,
            fork.member(leaf),
            group_id=GROUP_ID,
            signer=member.signer,
            rng=self.rng,
        )
        return fork, new, new.seal(fork, fork.root_hash(), ())

    def process(
        self, own: int, leaf: int, path: UpdatePath, removed: Sequence[int] = ()
    ) -> tuple[RatchetTree, PathKeys]:
        """Return a fork of a member's tree with another one's path in it, and what it opened."""
        member = self.members[own]
        fork = member.tree.fork()
        for gone in removed:
            fork.remove_leaf(gone)
        merge_path(fork, leaf, path, context=self.context, group_id=GROUP_ID, added=())
        void = fork.rekeyed()
        usable = {node: key for node, key in member.keys.items() if node not in void}
        keys = open_path(
            fork,
            leaf,
            path,
            own_leaf=own,
            private_key=usable.get,
            context=fork.root_hash(),
            added=(),
        )
        return fork, keys

    def merge(self, member: TreeMember, fork: RatchetTree, keys: PathKeys) -> None:
        """Make a fork a member's state."""
        for node in fork.rekeyed():
            member.keys.pop(node, None)
        member.keys.update(keys.private_keys)
        fork.settle()
        member.tree = fork
