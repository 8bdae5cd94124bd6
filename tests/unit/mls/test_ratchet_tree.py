"""The tree as a value: forks, what they change, and what stays cheap."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from e2ecore.crypto.suites import X25519_AES128
from e2ecore.errors import UsageError
from e2ecore.mls import arriving_tree, tree_math
from e2ecore.mls.codec import vector
from e2ecore.mls.credentials import X509Credential
from e2ecore.mls.errors import InvalidTreeError, MalformedMessageError, MembershipError
from e2ecore.mls.nodes import LeafNode, ParentNode
from e2ecore.mls.ratchet_tree import RatchetTree
from e2ecore.mls.tree_view import TreeView
from tests.support.clients import TreeGroup

SUITE = X25519_AES128


def full_group(size: int) -> TreeGroup:
    """A group in which every member has committed once, so that no node is blank."""
    group = TreeGroup()
    group.add(size - 1)
    for leaf in range(size):
        group.commit(leaf)
    return group


def fresh_leaf(group: TreeGroup) -> LeafNode:
    return group.client()[0].key_package.leaf_node


def reread(tree: RatchetTree) -> RatchetTree:
    return RatchetTree.decode(tree.suite, tree.encode())


def stored(tree: RatchetTree) -> dict[int, bytes]:
    return {index: node.encode() for index, node in tree.nodes()}


class Rows:
    """A stored tree that counts how often it is read."""

    def __init__(self, rows: dict[int, bytes]) -> None:
        self.rows = rows
        self.gets = 0
        self.scans = 0

    def get(self, node: int, /) -> bytes | None:
        self.gets += 1
        return self.rows.get(node)

    def scan(self) -> Iterable[tuple[int, bytes]]:
        self.scans += 1
        return self.rows.items()


@pytest.mark.spec("RFC 9420 §12.1.1 (Add)")
def test_members_fill_the_leftmost_blank_leaf_and_extend_a_full_tree() -> None:
    group = TreeGroup()
    assert group.add(4) == [1, 2, 3, 4]
    assert group.tree.leaf_count == 8
    group.commit(0, removed=[1, 3])
    assert group.add(3) == [1, 3, 5]
    assert [leaf for leaf, _ in group.tree.members()] == [0, 1, 2, 3, 4, 5]


@pytest.mark.spec("RFC 9420 §12.1.1 (Add)")
def test_a_new_leaf_is_unmerged_at_every_parent_that_has_a_key() -> None:
    group = full_group(3)
    (leaf,) = group.add()
    tree = group.tree
    parents = {index: node for index, node in tree.nodes() if isinstance(node, ParentNode)}
    assert parents[3].unmerged_leaves == (leaf,)
    assert 5 not in parents
    assert tree.resolution(3) == [3, 2 * leaf]
    assert tree.resolution(3, [leaf]) == [3]


@pytest.mark.spec("RFC 9420 §12.1.3 (Remove)")
def test_removing_the_last_leaves_truncates_the_tree() -> None:
    group = full_group(5)
    tree = group.tree.fork()
    tree.remove_leaf(4)
    assert tree.leaf_count == 4
    tree.remove_leaf(3)
    assert tree.leaf_count == 4
    tree.remove_leaf(2)
    assert tree.leaf_count == 2
    tree.remove_leaf(1)
    assert tree.leaf_count == 1
    assert tree.encode() == reread(tree).encode()
    assert tree.root_hash() == reread(tree).root_hash()


def test_a_tree_that_shrank_and_grew_again_hashes_afresh() -> None:
    group = full_group(9)
    tree = group.tree
    for leaf in range(8, 1, -1):
        tree.root_hash()
        tree.remove_leaf(leaf)
    tree.settle()
    for _ in range(7):
        tree.add_leaf(fresh_leaf(group))
        assert tree.root_hash() == reread(tree).root_hash()


@pytest.mark.spec("RFC 9420 §12.1.2 (Update)")
def test_an_update_blanks_the_path_above_the_leaf() -> None:
    group = full_group(4)
    tree = group.tree.fork()
    leaf = replace(tree.member(2), encryption_key=b"k" * 32)
    tree.update_leaf(2, leaf)
    assert tree.leaf(2) == leaf
    assert [tree.is_blank(node) for node in (5, 3, 1)] == [True, True, False]


def test_a_fork_does_not_touch_what_it_came_from() -> None:
    group = full_group(5)
    tree = group.tree
    before = tree.encode()
    fork = tree.fork()
    fork.remove_leaf(1)
    twig = fork.fork()
    twig.add_leaf(fresh_leaf(group))
    assert tree.encode() == before
    assert fork.leaf(1) is None
    assert twig.leaf(1) is not None
    assert twig.root_hash() != fork.root_hash() != tree.root_hash()


def test_only_one_fork_can_become_the_base() -> None:
    tree = full_group(3).tree
    winner, loser = tree.fork(), tree.fork()
    winner.remove_leaf(1)
    loser.remove_leaf(2)
    winner.settle()
    assert winner.encode() == reread(winner).encode()
    for void in (tree, loser):
        with pytest.raises(UsageError):
            void.settle()
        with pytest.raises(UsageError):
            void.fork()
        with pytest.raises(UsageError):
            void.remove_leaf(0)


def test_changes_are_the_rows_that_differ_and_nothing_else() -> None:
    group = full_group(6)
    tree = group.tree
    rows = stored(tree)
    fork = tree.fork()
    fork.remove_leaf(5)
    leaf = fork.add_leaf(fresh_leaf(group))
    fork.update_leaf(0, tree.member(0))
    changes = fork.changes()
    assert leaf == 5
    assert 0 not in changes
    assert changes[10] is not None
    for index, encoded in changes.items():
        assert rows.get(index) != encoded
        if encoded is None:
            del rows[index]
        else:
            rows[index] = encoded
    fork.settle()
    assert rows == stored(fork)
    assert fork.changes() == {}


@pytest.mark.parametrize("removed", [[], [4], [1, 2], [3, 4, 5]])
@pytest.mark.parametrize("added", [0, 1, 4])
def test_changes_can_be_made_again_on_the_same_base(removed: list[int], added: int) -> None:
    group = full_group(6)
    fork, again = group.tree.fork(), group.tree.fork()
    for leaf in removed:
        fork.remove_leaf(leaf)
    for _ in range(added):
        fork.add_leaf(fresh_leaf(group))
    again.redo(fork.leaf_count, fork.changes())
    assert again.encode() == fork.encode()
    assert again.root_hash() == fork.root_hash() == reread(fork).root_hash()
    assert again.rekeyed() == fork.rekeyed()
    assert again.add_leaf(GONE) == fork.add_leaf(GONE)
    assert again.leaf_count == fork.leaf_count


def test_a_node_that_got_an_unmerged_leaf_keeps_its_key() -> None:
    group = full_group(3)
    fork = group.tree.fork()
    fork.add_leaf(fresh_leaf(group))
    assert set(fork.changes()) == {3, 6}
    assert fork.rekeyed() == set()
    fork.remove_leaf(2)
    assert fork.rekeyed() == {3, 4}


def test_a_stored_tree_reads_one_row_for_one_leaf() -> None:
    group = full_group(9)
    rows = Rows(stored(group.tree))
    tree = RatchetTree.load(SUITE, 16, rows)
    assert tree.leaf(7) == group.tree.leaf(7)
    assert tree.leaf(7) is tree.leaf(7)
    assert tree.leaf(15) is None
    assert (rows.gets, rows.scans) == (2, 0)
    fork = tree.fork()
    fork.add_leaf(fresh_leaf(group))
    assert rows.scans == 1
    assert fork.tree_hash(0) == group.tree.tree_hash(0)
    fork.settle()
    assert fork.root_hash() == reread(fork).root_hash()
    assert rows.scans == 1


@pytest.mark.parametrize("from_rows", [True, False], ids=["stored", "in memory"])
def test_keys_and_credentials_are_found_where_they_are_now(*, from_rows: bool) -> None:
    group = full_group(4)
    tree = RatchetTree.load(SUITE, 4, Rows(stored(group.tree))) if from_rows else group.tree
    old = tree.member(1)
    assert tree.find_encryption_key(old.encryption_key) == 2
    assert tree.find_signature_key(old.signature_key) == 2
    root = tree.node(3)
    assert root is not None
    assert tree.find_encryption_key(root.encryption_key) == 3
    assert list(tree.credential_types(None)) == [1]
    fork = tree.fork()
    new = replace(
        fresh_leaf(group),
        credential=X509Credential(()),
        capabilities=replace(old.capabilities, credentials=(2,)),
    )
    fork.update_leaf(1, new)
    assert fork.find_encryption_key(old.encryption_key) is None
    assert fork.find_signature_key(old.signature_key) is None
    assert fork.find_encryption_key(root.encryption_key) is None
    assert fork.find_encryption_key(new.encryption_key) == 2
    assert fork.find_signature_key(new.signature_key) == 2
    assert sorted(fork.credential_types(None)) == [1, 2]
    assert list(fork.credential_types(2)) == [1]
    assert not fork.all_support_credential(1, None)
    assert fork.all_support_credential(1, 2)
    assert not fork.all_support_credential(2, 2)
    twig = fork.fork()
    twig.remove_leaf(1)
    assert twig.find_encryption_key(new.encryption_key) is None
    assert twig.find_signature_key(new.signature_key) is None
    assert list(twig.credential_types(None)) == [1]
    assert sorted(fork.credential_types(None)) == [1, 2]
    twig.settle()
    assert twig.find_signature_key(old.signature_key) is None
    assert list(twig.credential_types(None)) == [1]
    assert twig.all_support_credential(1, None)


def test_counts_do_not_depend_on_when_they_are_asked_for() -> None:
    group = full_group(3)
    early, late = group.tree.fork(), group.tree.fork()
    early.credential_types(None)
    for fork in (early, late):
        fork.update_leaf(1, replace(fork.member(1), credential=X509Credential(())))
        fork.remove_leaf(2)
    assert sorted(early.credential_types(None)) == sorted(late.credential_types(None)) == [1, 2]


@pytest.mark.spec("RFC 9420 §7.8 (Tree Hashes)")
def test_one_changed_leaf_costs_one_hash_per_level(monkeypatch: pytest.MonkeyPatch) -> None:
    group = full_group(33)
    tree = group.tree
    tree.root_hash()
    hashed = []
    hash_again = TreeView._hash_again

    def count(view: TreeView, index: int) -> bytes:
        hashed.append(index)
        return hash_again(view, index)

    monkeypatch.setattr(TreeView, "_hash_again", count)
    fork = tree.fork()
    fork.update_leaf(20, replace(fork.member(20), encryption_key=b"k" * 32))
    fork.root_hash()
    fork.root_hash()
    assert hashed == [63, 31, 47, 39, 43, 41, 40]


@pytest.mark.spec("RFC 9420 §12.4.3.3 (Ratchet Tree Extension)")
def test_a_tree_with_one_fault_in_its_encoding_is_refused() -> None:
    group = full_group(3)
    tree = group.tree
    encoded = [tree.encoded_node(index) or b"" for index in range(5)]
    nodes = [
        b"\1" + bytes((1 + index % 2,)) + node if node else b"\0"
        for index, node in enumerate(encoded)
    ]
    assert RatchetTree.decode(SUITE, vector(nodes)).encode() == tree.encode()
    for bad, error in (
        (vector([]), InvalidTreeError),
        (vector([*nodes, b"\0"]), InvalidTreeError),
        (vector([b"\0"]), InvalidTreeError),
        (vector([nodes[1], *nodes[1:]]), InvalidTreeError),
        (vector([nodes[0], nodes[0], *nodes[2:]]), InvalidTreeError),
        (vector([b"\2" + nodes[0][1:], *nodes[1:]]), MalformedMessageError),
        (vector(nodes) + b"\0", MalformedMessageError),
        (vector(nodes)[:-1], MalformedMessageError),
        (b"", MalformedMessageError),
    ):
        with pytest.raises(error):
            RatchetTree.decode(SUITE, bad)


def test_a_group_has_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_math, "MAX_LEAVES", 4)
    group = TreeGroup()
    group.add(3)
    with pytest.raises(InvalidTreeError):
        group.tree.add_leaf(fresh_leaf(group))
    assert RatchetTree.decode(SUITE, group.tree.encode()).leaf_count == 4
    monkeypatch.setattr(arriving_tree, "_MAX_NODES", 3)
    with pytest.raises(MalformedMessageError):
        RatchetTree.decode(SUITE, group.tree.encode())


@pytest.mark.parametrize("leaf", [-1, 1, 4])
def test_who_is_not_there_is_not_changed(leaf: int) -> None:
    tree = TreeGroup().tree
    assert tree.leaf(leaf) is None
    for change in (tree.member, tree.remove_leaf, lambda index: tree.update_leaf(index, GONE)):
        with pytest.raises(MembershipError):
            change(leaf)


GONE = TreeGroup().tree.member(0)


@pytest.mark.spec("RFC 9420 §4.1.2 (Paths through a Ratchet Tree)")
def test_the_filtered_direct_path_leaves_out_parents_of_nobody() -> None:
    """The tree of the RFC's example: A, B, blank, blank, E, F, G, blank."""
    group = TreeGroup()
    group.add(6)
    group.commit(0, removed=[2, 3])
    tree = group.tree
    assert [node for node, _ in tree.filtered_direct_path(0)] == [1, 7]
    assert [node for node, _ in tree.filtered_direct_path(4)] == [9, 11, 7]
    assert [node for node, _ in tree.filtered_direct_path(6)] == [11, 7]


@pytest.mark.spec("RFC 9420 §7.7 (Adding and Removing Leaves)")
def test_truncating_discards_roots_whether_or_not_they_are_blank() -> None:
    group = TreeGroup()
    group.add(5)
    tree = group.tree
    for leaf in (4, 3, 2):
        tree.remove_leaf(leaf)
    tree.set_parent(3, ParentNode(b"set by a hostile creator"))
    tree.settle()
    fork = tree.fork()
    fork.remove_leaf(5)
    assert fork.leaf_count == 2
    assert sorted(index for index, _ in fork.nodes()) == [0, 2]
    assert fork.root_hash() == reread(fork).root_hash()
    assert fork.rekeyed() == {3, 10}


def test_blank_nodes_have_no_key() -> None:
    tree = full_group(2).tree
    assert tree.encryption_key(0) == tree.member(0).encryption_key
    with pytest.raises(MembershipError):
        tree.encryption_key(4)


@pytest.mark.spec("RFC 9420 §4.1.1 (Ratchet Tree Nodes)")
def test_blank_leaves_resolve_to_nothing() -> None:
    group = TreeGroup()
    group.add(4)
    tree = group.tree
    assert tree.resolution(7) == [0, 2, 4, 6, 8]
    assert tree.resolution(7, [2]) == [0, 2, 6, 8]
    assert tree.resolution(10) == tree.resolution(13) == []
    assert tree.is_empty(13)
    assert not tree.is_empty(9)
    assert tree.parent_node(7) is None
