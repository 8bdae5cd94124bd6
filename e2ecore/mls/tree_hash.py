"""Hashes over nodes. Spec: RFC 9420 §7.8 (Tree Hashes) and RFC 9420 §7.9 (Parent Hashes).

Only the formulas are here; ``RatchetTree`` says when they are applied and keeps the results.
"""

from e2ecore.crypto.suites import CipherSuite
from e2ecore.mls.codec import opaque, optional, u32
from e2ecore.mls.nodes import NodeType

_LEAF = bytes((NodeType.LEAF,))
_PARENT = bytes((NodeType.PARENT,))


def leaf_tree_hash(suite: CipherSuite, leaf_index: int, encoded: bytes | None) -> bytes:
    """Return the tree hash of a leaf.

    Args:
        suite: Says how to hash.
        leaf_index: The leaf's place.
        encoded: The encoded LeafNode, or None if it is blank.
    """
    head = _LEAF + u32(leaf_index)
    return suite.hash.digest(head + b"\0" if encoded is None else b"".join((head, b"\1", encoded)))


def parent_tree_hash(
    suite: CipherSuite, encoded: bytes | None, left_hash: bytes, right_hash: bytes
) -> bytes:
    """Return the tree hash of a parent.

    Args:
        suite: Says how to hash.
        encoded: The encoded ParentNode, or None if it is blank.
        left_hash: Tree hash of the left child.
        right_hash: Tree hash of the right child.
    """
    content = optional(encoded) + opaque(left_hash) + opaque(right_hash)
    return suite.hash.digest(_PARENT + content)


def parent_hash(
    suite: CipherSuite, encryption_key: bytes, above: bytes, sibling_hash: bytes
) -> bytes:
    """Return the parent hash of a node with respect to one of its children.

    Args:
        suite: Says how to hash.
        encryption_key: The node's own key.
        above: The node's own ``parent_hash`` field; empty at the top of a path.
        sibling_hash: The original tree hash of the other child.
    """
    return suite.hash.digest(opaque(encryption_key) + opaque(above) + opaque(sibling_hash))
