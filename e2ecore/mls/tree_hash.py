"""Hashes over nodes. Spec: RFC 9420 §7.8 (Tree Hashes) and RFC 9420 §7.9 (Parent Hashes).

Only the formulas are here; ``RatchetTree`` says when they are applied and keeps the results.
"""

from collections.abc import Iterable, Mapping, Sequence
from struct import Struct
from typing import Final

from e2ecore.crypto.suites import CipherSuite
from e2ecore.mls.codec import length, u32
from e2ecore.mls.nodes import NodeType

_LEAF = bytes((NodeType.LEAF,))
_PARENT = bytes((NodeType.PARENT,))
_PARENT_HEAD = _PARENT + b"\1"
_BLANK_PARENT_HEAD = _PARENT + b"\0"
_pack_leaf_head: Final = Struct(">BI?").pack


def leaf_tree_hash(suite: CipherSuite, leaf_index: int, encoded: bytes | None) -> bytes:
    """Return the tree hash of a leaf.

    Args:
        suite: Says how to hash.
        leaf_index: The leaf's place.
        encoded: The encoded LeafNode, or None if it is blank.
    """
    head = _LEAF + u32(leaf_index)
    return suite.hash.digest(head + b"\0" if encoded is None else b"".join((head, b"\1", encoded)))


def leaf_tree_hashes(suite: CipherSuite, leaves: int, encoded: Mapping[int, bytes]) -> list[bytes]:
    """Return the tree hashes of all leaves.

    Args:
        suite: Says how to hash.
        leaves: How many, blank ones included.
        encoded: The encoded nodes that are not blank, by node index.
    """
    digest, nodes = suite.hash.digest, map(encoded.get, range(0, 2 * leaves, 2))
    return [
        digest(_pack_leaf_head(NodeType.LEAF, leaf_index, node is not None) + (node or b""))
        for leaf_index, node in enumerate(nodes)
    ]


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
    size, head = length(suite.nh), _BLANK_PARENT_HEAD if encoded is None else _PARENT_HEAD
    return suite.hash.digest(b"".join((head, encoded or b"", size, left_hash, size, right_hash)))


def parent_tree_hashes(
    suite: CipherSuite, encoded: Iterable[bytes | None], below: Sequence[bytes]
) -> list[bytes]:
    """Return the tree hashes of all parents on one level.

    Args:
        suite: Says how to hash.
        encoded: The encoded parents, None for those that are blank.
        below: The tree hashes of the level below.
    """
    digest, size = suite.hash.digest, length(suite.nh)
    return [
        digest(b"".join((_PARENT_HEAD, node, size, left, size, right)))
        if node
        else digest(b"".join((_BLANK_PARENT_HEAD, size, left, size, right)))
        for node, left, right in zip(encoded, below[::2], below[1::2], strict=True)
    ]


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
    return suite.hash.digest(
        b"".join(
            (
                length(len(encryption_key)),
                encryption_key,
                length(len(above)),
                above,
                length(suite.nh),
                sibling_hash,
            )
        )
    )


def path_parent_hash(suite: CipherSuite, encoded: bytes, sibling_hash: bytes) -> bytes:
    """Return ``parent_hash`` of a node on a new path, which has no unmerged leaves.

    Args:
        suite: Says how to hash.
        encoded: The encoded ParentNode. It begins with what is hashed: key and own parent hash.
        sibling_hash: The original tree hash of the other child.
    """
    return suite.hash.digest(b"".join((encoded[:-1], length(suite.nh), sibling_hash)))
