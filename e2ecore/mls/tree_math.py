"""Where nodes are, in a tree that is an array. Spec: RFC 9420 §C (Array-Based Trees).

Leaves have even indices, parents odd ones; the number of trailing one bits is a node's level. A
subtree's place does not depend on the size of the tree around it, so nothing moves when the tree is
extended or truncated. ``leaves`` is always the number of leaves of the whole tree, a power of two.
"""

from collections.abc import Iterator
from typing import Final

from e2ecore.errors import UsageError

MAX_LEAVES: Final = 1 << 16
"""Leaves of the largest tree we decode or build. Far above any group we serve; bounds the work that
a hostile tree can cause."""


def level(node: int) -> int:
    """Return 0 for a leaf, 1 for the parent of two leaves, and so on."""
    return (node ^ (node + 1)).bit_length() - 1


def is_leaf(node: int) -> bool:
    """Tell leaves from parents."""
    return not node & 1


def node_width(leaves: int) -> int:
    """Return the number of nodes of a tree with so many leaves."""
    return 2 * leaves - 1 if leaves else 0


def root(leaves: int) -> int:
    """Return the root of a tree with so many leaves.

    Raises:
        UsageError: The number is not a power of two.
    """
    if leaves < 1 or leaves & (leaves - 1):
        raise UsageError("a ratchet tree has a power of two of leaves")
    return leaves - 1


def left(node: int) -> int:
    """Return the left child.

    Raises:
        UsageError: A leaf has none.
    """
    if not node & 1:
        raise UsageError("a leaf has no children")
    return node ^ (1 << (level(node) - 1))


def right(node: int) -> int:
    """Return the right child.

    Raises:
        UsageError: A leaf has none.
    """
    if not node & 1:
        raise UsageError("a leaf has no children")
    return node ^ (3 << (level(node) - 1))


def children(node: int) -> tuple[int, int]:
    """Return both children.

    Raises:
        UsageError: A leaf has none.
    """
    if not node & 1:
        raise UsageError("a leaf has no children")
    half = ((node ^ (node + 1)) + 1) >> 2  # the trailing one bits end there
    return node - half, node + half


def parent(node: int, leaves: int) -> int:
    """Return the parent.

    Raises:
        UsageError: The root has none.
    """
    if node == root(leaves):
        raise UsageError("the root has no parent")
    height = level(node)
    return (node | (1 << height)) & ~(1 << (height + 1))


def sibling(node: int, leaves: int) -> int:
    """Return the other child of the parent.

    Raises:
        UsageError: The root has none.
    """
    above = parent(node, leaves)
    return right(above) if node < above else left(above)


def ascent(node: int, leaves: int) -> Iterator[int]:
    """Climb from a node's parent to the root."""
    top = root(leaves)
    height = level(node)
    while node != top:
        node = (node | (1 << height)) & ~(1 << (height + 1))
        height += 1
        yield node


def direct_path(node: int, leaves: int) -> list[int]:
    """Return the parents of a node from the lowest to the root."""
    return list(ascent(node, leaves))


def copath(node: int, leaves: int) -> list[int]:
    """Return the siblings of the node and of its parents below the root, from the lowest up."""
    path = [node, *direct_path(node, leaves)]
    return [sibling(below, leaves) for below in path[:-1]]


def common_ancestor(one: int, other: int) -> int:
    """Return the lowest node whose subtree contains both nodes."""
    low, high = level(one) + 1, level(other) + 1
    if low <= high and one >> high == other >> high:
        return other
    if high <= low and one >> low == other >> low:
        return one
    shift = (one ^ other).bit_length()
    return (one >> shift << shift) + (1 << (shift - 1)) - 1


def contains(head: int, node: int) -> bool:
    """Tell whether a node is in the subtree with this head, the head itself included."""
    return abs(node - head) < 1 << level(head)


def leaf_range(head: int) -> range:
    """Return the leaf indices below a node, or the leaf's own."""
    reach = (1 << level(head)) - 1
    return range((head - reach) >> 1, ((head + reach) >> 1) + 1)
