"""Arithmetic on node indices; the published vectors cover the rest."""

from itertools import product

import pytest

from e2ecore.errors import UsageError
from e2ecore.mls import tree_math

LEAVES = 16
NODES = range(tree_math.node_width(LEAVES))


def ancestors(node: int) -> list[int]:
    return [node, *tree_math.direct_path(node, LEAVES)]


@pytest.mark.spec("RFC 9420 §4.1.2 (Paths through a Ratchet Tree)")
def test_paths_follow_parents_and_copaths_their_siblings() -> None:
    assert tree_math.direct_path(4, 8) == [5, 3, 7]
    assert tree_math.copath(4, 8) == [6, 1, 11]
    assert tree_math.direct_path(7, 8) == []
    assert tree_math.copath(7, 8) == []
    for node in NODES:
        assert all(
            tree_math.parent(a, LEAVES) == b
            for a, b in zip(ancestors(node), ancestors(node)[1:], strict=False)
        )


def test_the_common_ancestor_is_the_lowest_node_above_both() -> None:
    for one, other in product(NODES, NODES):
        shared = [node for node in ancestors(one) if node in ancestors(other)]
        assert tree_math.common_ancestor(one, other) == shared[0]


def test_a_subtree_contains_what_has_it_as_ancestor() -> None:
    for head, node in product(NODES, NODES):
        assert tree_math.contains(head, node) is (head in ancestors(node))


def test_the_leaves_below_a_node() -> None:
    for head in NODES:
        below = [leaf for leaf in range(LEAVES) if head in ancestors(2 * leaf)]
        assert list(tree_math.leaf_range(head)) == below


@pytest.mark.parametrize("leaves", [0, 3, 12, -1])
def test_trees_are_perfect(leaves: int) -> None:
    with pytest.raises(UsageError):
        tree_math.root(leaves)


def test_levels_and_leaves() -> None:
    assert [tree_math.level(node) for node in range(8)] == [0, 1, 0, 2, 0, 1, 0, 3]
    assert [tree_math.is_leaf(node) for node in range(4)] == [True, False, True, False]
    assert tree_math.node_width(0) == 0


def test_leaves_have_no_children_and_the_root_has_no_parent() -> None:
    for child in (tree_math.left, tree_math.right, tree_math.children):
        with pytest.raises(UsageError):
            child(4)
    for above in (tree_math.parent, tree_math.sibling):
        with pytest.raises(UsageError):
            above(tree_math.root(LEAVES), LEAVES)
