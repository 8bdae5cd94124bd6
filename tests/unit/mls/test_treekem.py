"""Paths: every member gets the same secret, and a path with one fault changes nothing."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from e2ecore.crypto.errors import InvalidKeyError, SignatureError
from e2ecore.crypto.suites import SUITES, CipherSuite
from e2ecore.errors import PeerError
from e2ecore.mls.codec import decode_all
from e2ecore.mls.errors import (
    InvalidLeafNodeError,
    InvalidUpdatePathError,
    UnsupportedError,
)
from e2ecore.mls.nodes import LeafNode, LeafNodeSource
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.treekem import (
    HpkeCiphertext,
    PathSecret,
    UpdatePath,
    join_path,
    merge_path,
    new_path,
    open_path,
)
from tests.support.clients import GROUP_ID, TreeGroup

each_suite = pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)


@pytest.mark.spec("RFC 9420 §7.5 (Synchronizing Views of the Tree)")
@each_suite
def test_every_member_follows_every_commit(suite: CipherSuite) -> None:
    group = TreeGroup(suite)
    group.commit(0)
    group.add(6)
    for leaf in (0, 5, 3):
        group.commit(leaf)
    group.commit(1, removed=[6, 2])
    group.add(2)
    for leaf in (2, 6, 0):
        group.commit(leaf)
    assert len({member.tree.encode() for member in group.members.values()}) == 1


@each_suite
def test_a_path_replaces_every_key_from_leaf_to_root(suite: CipherSuite) -> None:
    group = TreeGroup(suite)
    group.add(3)
    group.commit(0)
    before = {index: node.encryption_key for index, node in group.tree.nodes()}
    path = group.commit(0)
    after = {index: node.encryption_key for index, node in group.tree.nodes()}
    assert {index for index in after if before[index] != after[index]} == {0, 1, 3}
    assert decode_all(UpdatePath.read, path.encode()) == path
    assert path.leaf_node.source is LeafNodeSource.COMMIT
    assert path.leaf_node.lifetime is None


def test_two_paths_of_a_lone_member_differ() -> None:
    group = TreeGroup()
    secrets = [group.create(0)[1].keys.commit_secret for _ in range(2)]
    assert not secrets[0].matches(secrets[1])
    assert group.create(0)[2].nodes == ()


@pytest.mark.spec("RFC 9420 §12.4.3.1 (Joining via Welcome Message)")
@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_members_added_by_a_commit_with_a_path_join_it(size: int) -> None:
    group = TreeGroup()
    group.add(size - 1)
    committer, receiver = group.members[0], group.members[size - 1]
    bundles = [group.client()[0] for _ in range(3)]
    forks = [member.tree.fork() for member in (committer, receiver)]
    added = [
        {fork.add_leaf(bundle.key_package.leaf_node) for fork in forks}.pop() for bundle in bundles
    ]
    new = new_path(
        forks[0],
        0,
        forks[0].member(0),
        group_id=GROUP_ID,
        signer=committer.signer,
        rng=group.rng,
    )
    path = new.seal(forks[0], b"context", added)
    if size > 1:
        merge_path(forks[1], 0, path, context=group.context, group_id=GROUP_ID, added=added)
        opened = open_path(
            forks[1],
            0,
            path,
            own_leaf=size - 1,
            private_key=receiver.keys.get,
            context=b"context",
            added=added,
        )
        assert opened.commit_secret.matches(new.keys.commit_secret)
    tree = RatchetTree.decode(group.suite, forks[0].encode())
    for leaf in added:
        secret = new.secret_for(0, leaf)
        assert secret is not None
        for node, key in join_path(tree, 0, leaf, secret).items():
            assert new.keys.private_keys[node].matches(key)
        with pytest.raises(InvalidUpdatePathError):
            join_path(tree, 0, leaf, PathSecret(bytes(32)))
    assert new.secret_for(0, 100) is None


def test_a_secret_for_a_node_without_key_does_not_let_anybody_join() -> None:
    group = TreeGroup()
    group.add(3)
    tree = group.tree.fork()
    tree.remove_leaf(2)
    with pytest.raises(InvalidUpdatePathError):
        join_path(tree, 3, 2, PathSecret(bytes(32)))


class Fault:
    """Four members; member 0 sends a path to member 3, and something is wrong with it."""

    def __init__(self) -> None:
        self.group = TreeGroup()
        self.group.add(3)
        self.group.commit(2)
        self.fork, self.new, self.path = self.group.create(0)

    def sign(self, leaf: LeafNode) -> LeafNode:
        return leaf.signed(self.group.members[0].signer, GROUP_ID, 0)

    def leaf(self, **changes: object) -> UpdatePath:
        changed = replace(self.path.leaf_node, **changes)  # type: ignore[arg-type]  # by name
        return replace(self.path, leaf_node=self.sign(changed))

    def node(self, position: int, **changes: object) -> UpdatePath:
        nodes = list(self.path.nodes)
        nodes[position] = nodes[position]._replace(**changes)  # type: ignore[arg-type]  # by name
        return replace(self.path, nodes=tuple(nodes))

    def sealed(self, secret: bytes, position: int = 1) -> UpdatePath:
        """Seal another secret than the path's keys come from."""
        steps = list(self.new._steps)
        steps[position] = steps[position]._replace(secret=PathSecret(secret))
        return replace(self.new, _steps=tuple(steps)).seal(self.fork, self.fork.root_hash(), ())

    def foreign_keys(self) -> tuple[bytes, bytes]:
        leaf = self.group.tree.member(3)
        return leaf.encryption_key, leaf.signature_key


def flipped(sealed: HpkeCiphertext) -> HpkeCiphertext:
    return sealed._replace(ciphertext=bytes((sealed.ciphertext[0] ^ 1,)) + sealed.ciphertext[1:])


@pytest.mark.spec("RFC 9420 §7.6 (Update Paths)")
@pytest.mark.spec("RFC 9420 §12.4.2 (Processing a Commit)")
@pytest.mark.spec("RFC 9420 §16.12 (Group Fragmentation by Malicious Insiders)")
@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        pytest.param(
            lambda f: f.leaf(source=LeafNodeSource.UPDATE, parent_hash=None),
            InvalidLeafNodeError,
            id="leaf was made for an update",
        ),
        pytest.param(
            lambda f: replace(f.path, leaf_node=replace(f.path.leaf_node, signature=bytes(64))),
            SignatureError,
            id="leaf signature",
        ),
        pytest.param(
            lambda f: f.leaf(encryption_key=f.group.tree.member(0).encryption_key),
            InvalidLeafNodeError,
            id="the leaf keeps its old key",
        ),
        pytest.param(
            lambda f: f.leaf(encryption_key=f.foreign_keys()[0]),
            InvalidLeafNodeError,
            id="the leaf takes another member's key",
        ),
        pytest.param(
            lambda f: f.leaf(encryption_key=f.path.nodes[0].encryption_key),
            InvalidUpdatePathError,
            id="leaf and parent share a key",
        ),
        pytest.param(
            lambda f: f.leaf(signature_key=f.foreign_keys()[1]),
            InvalidLeafNodeError,
            id="the leaf takes another member's signature key",
        ),
        pytest.param(
            lambda f: f.leaf(capabilities=replace(f.path.leaf_node.capabilities, versions=())),
            UnsupportedError,
            id="the leaf lost a capability",
        ),
        pytest.param(
            lambda f: f.leaf(parent_hash=bytes(32)), InvalidUpdatePathError, id="parent hash"
        ),
        pytest.param(
            lambda f: replace(f.path, nodes=f.path.nodes[:-1]),
            InvalidUpdatePathError,
            id="a node is missing",
        ),
        pytest.param(
            lambda f: replace(f.path, nodes=(*f.path.nodes, f.path.nodes[-1])),
            InvalidUpdatePathError,
            id="a node too many",
        ),
        pytest.param(
            lambda f: f.node(1, encrypted_path_secret=()),
            InvalidUpdatePathError,
            id="a ciphertext is missing",
        ),
        pytest.param(
            lambda f: f.node(1, encrypted_path_secret=f.path.nodes[1].encrypted_path_secret * 2),
            InvalidUpdatePathError,
            id="a ciphertext too many",
        ),
        pytest.param(
            lambda f: f.node(1, encryption_key=f.path.nodes[0].encryption_key),
            InvalidUpdatePathError,
            id="one key twice",
        ),
        pytest.param(
            lambda f: f.node(1, encryption_key=f.foreign_keys()[0]),
            InvalidUpdatePathError,
            id="a key of the tree",
        ),
        pytest.param(
            lambda f: f.node(1, encryption_key=bytes(32)), InvalidKeyError, id="low order"
        ),
        pytest.param(
            lambda f: f.node(1, encryption_key=f.group.suite.hpke.generate(f.group.rng).public),
            InvalidUpdatePathError,
            id="key that the parent hash does not cover",
        ),
        pytest.param(
            lambda f: f.node(
                1,
                encrypted_path_secret=tuple(map(flipped, f.path.nodes[1].encrypted_path_secret)),
            ),
            InvalidUpdatePathError,
            id="ciphertext does not open",
        ),
        pytest.param(
            lambda f: f.sealed(bytes(32)), InvalidUpdatePathError, id="secret of other keys"
        ),
        pytest.param(
            lambda f: f.sealed(b"short"), InvalidUpdatePathError, id="secret of another size"
        ),
    ],
)
def test_a_path_with_one_fault_is_refused_and_changes_nothing(
    spoil: Callable[[Fault], UpdatePath], error: type[PeerError]
) -> None:
    fault = Fault()
    before = fault.group.members[3].tree.encode()
    fault.group.process(3, 0, fault.path)
    with pytest.raises(error):
        fault.group.process(3, 0, spoil(fault))
    assert fault.group.members[3].tree.encode() == before


def test_a_path_is_opened_by_those_it_is_for() -> None:
    fault = Fault()
    fork, _ = fault.group.process(3, 0, fault.path)

    def open_as(own_leaf: int, reader: int) -> None:
        open_path(
            fork,
            0,
            fault.path,
            own_leaf=own_leaf,
            private_key=fault.group.members[reader].keys.get,
            context=fork.root_hash(),
            added=(),
        )

    open_as(3, 3)
    for own_leaf, reader in ((0, 0), (3, 1)):
        with pytest.raises(InvalidUpdatePathError):
            open_as(own_leaf, reader)


def test_a_removed_member_cannot_open_the_path_that_removes_it() -> None:
    group = TreeGroup()
    group.add(3)
    for leaf in range(4):
        group.commit(leaf)
    removed = group.members[3]
    fork, _, path = group.create(0, [3])
    for own_leaf in range(4):
        with pytest.raises(InvalidUpdatePathError):
            open_path(
                fork,
                0,
                path,
                own_leaf=own_leaf,
                private_key=removed.keys.get,
                context=fork.root_hash(),
                added=(),
            )
