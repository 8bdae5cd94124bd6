"""What is found out about a tree by short ways: the same as by the long ones."""

from dataclasses import replace

import pytest

from e2ecore.mls import tree_base
from e2ecore.mls.credentials import X509Credential
from e2ecore.mls.members import Member
from e2ecore.mls.ratchet_tree import RatchetTree
from tests.unit.mls.test_ratchet_tree import SUITE, Rows, full_group, reread, stored


@pytest.mark.spec("RFC 9420 §7.8 (Tree Hashes)")
@pytest.mark.parametrize(
    "gone", [(), (3,), (4, 5, 6)], ids=["full", "a blank leaf", "a blank half"]
)
def test_a_path_hashed_from_below_has_the_hashes_that_are_found_from_above(
    gone: tuple[int, ...],
) -> None:
    group = full_group(7)
    fork = group.tree.fork()
    for leaf in gone:
        fork.remove_leaf(leaf)
    fork.set_leaf(2, replace(fork.member(2), encryption_key=b"k" * 32))
    fork.hash_path(2)
    assert fork.root_hash() == reread(fork).root_hash()
    fork.settle()
    assert fork.root_hash() == reread(fork).root_hash()


@pytest.mark.spec("RFC 9420 §7.8 (Tree Hashes)")
def test_a_fork_of_a_tree_that_was_never_hashed_has_its_own_hashes() -> None:
    group = full_group(9)
    tree = RatchetTree.load(SUITE, 16, Rows(stored(group.tree)))
    fork = tree.fork()
    fork.remove_leaf(8)
    fork.update_leaf(1, replace(fork.member(1), encryption_key=b"k" * 32))
    assert fork.root_hash() == reread(fork).root_hash()
    assert tree.root_hash() == group.tree.root_hash()


@pytest.mark.spec("RFC 9420 §5.3.1 (Credential Validation)")
def test_members_are_listed_without_decoding_their_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    group = full_group(5)
    group.tree.set_leaf(3, replace(group.tree.member(3), credential=X509Credential((b"der",))))
    group.tree.settle()
    tree = reread(group.tree)
    listed = [Member.of(leaf, node) for leaf, node in group.tree.members()]
    monkeypatch.setattr(tree_base, "decode_node", None)
    fork = tree.fork()
    assert list(fork.listed()) == listed
    assert listed[3].credential == X509Credential((b"der",))
