"""What a tree becomes when parts of it arrive, are replaced, or are changed by stored rows."""

import pytest

from e2ecore.errors import UsageError
from e2ecore.mls.arriving_tree import ArrivingTree
from e2ecore.mls.errors import MalformedMessageError
from e2ecore.mls.ratchet_tree import RatchetTree
from tests.unit.mls.test_ratchet_tree import SUITE, fresh_leaf, full_group, reread


def test_a_tree_is_made_of_what_has_arrived_completely() -> None:
    arriving = ArrivingTree(SUITE, full_group(3).tree.encode())
    next(arriving.leaves())
    with pytest.raises(UsageError):
        RatchetTree.of(arriving)


def test_all_nodes_of_a_changed_tree_are_those_of_its_encoding() -> None:
    group = full_group(4)
    tree = group.tree.fork()
    tree.remove_leaf(1)
    tree.set_leaf(2, fresh_leaf(group))
    assert tree.encoded_nodes() == reread(tree).encoded_nodes()


def test_changes_lie_within_the_tree() -> None:
    for leaves, node in ((4, 99), (4, 7), (3, 0)):
        with pytest.raises(MalformedMessageError):
            full_group(4).tree.fork().redo(leaves, {node: None})


def test_parents_that_a_path_leaves_out_are_blank_afterwards() -> None:
    """A member may have been invited to a tree in which a parent has nobody on one side."""
    tree = full_group(4).tree.fork()
    kept, gone = tree.parent_node(3), tree.parent_node(1)
    assert kept is not None
    assert gone is not None
    before = tree.root_hash()
    tree.replace_direct_path(0, {3: kept})
    assert tree.is_blank(1)
    assert tree.root_hash() == reread(tree).root_hash() != before
