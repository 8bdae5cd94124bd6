"""Reads nodes that are laid out like one that was decoded before.

The members of a group announce the same, and their keys have one size. An encoded node consists of
what says where things are (lengths, types, capabilities, source, extensions) and of what fills
those places (keys, name, times, hashes, signature). Decoding goes by the first alone. So whoever
has decoded one node knows all others in which the first is equal, byte for byte: one comparison
takes the place of thirty decisions, and the rest are slices.
"""

from collections.abc import Sequence
from struct import Struct
from typing import Final, final

from e2ecore.mls.codec import length, u8, u16, u32, vector
from e2ecore.mls.credentials import BasicCredential
from e2ecore.mls.extensions import encode_extensions
from e2ecore.mls.nodes import LeafNode, NodeType, ParentNode

HEAD_BYTES: Final = 2
"""In front of a node within a ``ratchet_tree`` extension: that it is there, and its type."""


class Layout:
    """Where the fields of a node are. Other nodes may have the same layout, but for ``unique``."""

    __slots__ = ("_told", "_unpack", "fields", "size", "unique")

    def __init__(self, parts: Sequence[bytes], *, unique: bool) -> None:
        """Take a node apart.

        Args:
            parts: An element of the extension, as it is encoded: what says where things are, and
                what fills those places, in turn.
            unique: Something within a field decides how it is decoded.
        """
        places = Struct("".join(f"{len(part)}s" for part in parts))
        self._told: Final = tuple(parts[::2])
        self._unpack: Final = places.unpack_from
        self.fields: Final = tuple(parts[1::2])
        """Those of the node that this was made from."""
        self.size: Final = places.size
        """Of the element, in bytes."""
        self.unique: Final = unique

    def match(self, data: bytes, at: int) -> tuple[bytes, ...] | None:
        """Return the fields of the element that begins there; None if it has another layout."""
        if at + self.size > len(data):
            return None
        parts = self._unpack(data, at)
        return parts[1::2] if parts[::2] == self._told else None


@final
class LeafLayout(Layout):
    """Fields: encryption key, signature key, identity, lifetime or parent hash, signature."""

    __slots__ = ("example", "unsigned_size")

    def __init__(self, leaf: LeafNode) -> None:
        credential, named = leaf.credential.encode(), len(u16(leaf.credential.type))
        if isinstance(leaf.credential, BasicCredential):
            named += len(length(len(leaf.credential.identity)))
        source, told = _split_source(leaf)
        after = length(len(leaf.signature))
        parts = (
            b"\1" + u8(NodeType.LEAF) + length(len(leaf.encryption_key)),
            leaf.encryption_key,
            length(len(leaf.signature_key)),
            leaf.signature_key,
            credential[:named],
            credential[named:],
            leaf.capabilities.encode() + u8(leaf.source) + source,
            told,
            encode_extensions(leaf.extensions) + after,
            leaf.signature,
        )
        super().__init__(parts, unique=not isinstance(leaf.credential, BasicCredential))
        self.example: Final = leaf
        """A leaf that is like all others of this layout, but for what the fields say."""
        self.unsigned_size: Final = self.size - HEAD_BYTES - len(after) - len(leaf.signature)
        """Of the leaf without its signature, in bytes."""


@final
class ParentLayout(Layout):
    """Fields: encryption key, parent hash."""

    __slots__ = ("unmerged", "unmerged_size")

    def __init__(self, node: ParentNode) -> None:
        unmerged = vector(map(u32, node.unmerged_leaves))
        parts = (
            b"\1" + u8(NodeType.PARENT) + length(len(node.encryption_key)),
            node.encryption_key,
            length(len(node.parent_hash)),
            node.parent_hash,
            unmerged,
        )
        super().__init__(parts, unique=bool(node.unmerged_leaves))
        self.unmerged: Final = node.unmerged_leaves
        """Leaf indices in increasing order."""
        self.unmerged_size: Final = len(unmerged)
        """Of their encoding, in bytes."""


def _split_source(leaf: LeafNode) -> tuple[bytes, bytes]:
    """Return what stands behind the leaf's source: a length if there is one, and the field."""
    if leaf.parent_hash is not None:
        return length(len(leaf.parent_hash)), leaf.parent_hash
    return b"", b"" if leaf.lifetime is None else leaf.lifetime.encode()
