"""Takes a ``ratchet_tree`` extension in, without making an object of each node.

Spec: RFC 9420 §12.4.3.3 (Ratchet Tree Extension). What a new member checks needs a few fields of
each node and is over after one look. Nodes become objects when somebody asks the tree for them.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

from e2ecore.crypto.suites import CipherSuite
from e2ecore.mls import tree_math
from e2ecore.mls.codec import Reader, opaque
from e2ecore.mls.errors import InvalidTreeError, MalformedMessageError
from e2ecore.mls.node_layout import HEAD_BYTES, LeafLayout, ParentLayout
from e2ecore.mls.nodes import LeafNode, Node, ParentNode, read_node
from e2ecore.mls.tree_base import CredentialCounts

_MAX_NODES: Final = tree_math.node_width(tree_math.MAX_LEAVES)

AnyLayout = TypeVar("AnyLayout", LeafLayout, ParentLayout)

_KEPT: Final = 4
"""Layouts that the next node is compared with."""


class ArrivedLeaf(NamedTuple):
    """A leaf as it lies in the extension.

    Attributes:
        layout: Says what it has in common with others.
        fields: See ``LeafLayout``.
    """

    leaf_index: int
    layout: LeafLayout
    encoded: bytes
    fields: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PathLinks:
    """How the nodes of a tree vouch for each other.

    Spec: RFC 9420 §7.9 (Parent Hashes).

    Attributes:
        parents: What the parent hash of a node below begins with, by node index: key and parent
            hash, encoded.
        claims: The parent hash that a node carries, by node index, unless it is empty.
        unmerged: Leaf indices by the index of a parent that lists some.
    """

    parents: dict[int, bytes] = field(default_factory=dict)
    claims: dict[int, bytes] = field(default_factory=dict)
    unmerged: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def add(self, index: int, node: Node) -> None:
        """Take in one node."""
        if node.parent_hash:
            self.claims[index] = node.parent_hash
        if isinstance(node, ParentNode):
            self.parents[index] = opaque(node.encryption_key) + opaque(node.parent_hash)
            if node.unmerged_leaves:
                self.unmerged[index] = node.unmerged_leaves


class ArrivingTree:
    """The content of a ``ratchet_tree`` extension while it is read, and what was found in it.

    Leaves can be looked at, and their signatures verified, while others are not read yet.

    Attributes:
        encoded: All nodes that are not blank, by node index.
        keys: Node indices by encryption key: fewer than nodes if two have the same.
        signature_keys: Node indices by signature key.
    """

    __slots__ = (
        "_alike",
        "_data",
        "_leaf_layouts",
        "_parent_layouts",
        "_reader",
        "encoded",
        "keys",
        "links",
        "signature_keys",
        "suite",
        "width",
    )

    def __init__(self, suite: CipherSuite, data: bytes) -> None:
        self.suite: Final = suite
        self.encoded: Final[dict[int, bytes]] = {}
        self.keys: Final[dict[bytes, int]] = {}
        self.signature_keys: Final[dict[bytes, int]] = {}
        self.links: Final = PathLinks()
        self.width = 0
        """Number of nodes, blank ones included; 0 until all ``leaves`` were read."""
        self._data: Final = data
        self._reader: Final = Reader(data)
        self._leaf_layouts: Final[list[LeafLayout]] = []
        self._parent_layouts: Final[list[ParentLayout]] = []
        self._alike: Final[dict[LeafLayout, int]] = {}

    def leaves(self) -> Iterator[ArrivedLeaf]:
        """Read everything, and return the leaves on the way.

        Raises:
            MalformedMessageError: These bytes are no tree.
            InvalidTreeError: The last node is blank, or a node is in the wrong place.
        """
        data, index, blank = self._data, 0, True
        if self._reader.length() != self._reader.left:
            raise MalformedMessageError("bytes follow the end of the message")
        at = self._reader.position
        while at < len(data):
            if index == _MAX_NODES:
                raise MalformedMessageError("a vector has too many elements")
            blank = not data[at]
            if blank:
                at += 1
            elif index & 1:
                at += self._take_parent(index, at)
            else:
                leaf = self._take_leaf(index, at)
                at += leaf.layout.size
                yield leaf
            index += 1
        if blank:
            raise InvalidTreeError("the last node of a tree is blank")
        self.width = index

    def counts(self) -> CredentialCounts:
        """Return the credential types in use and supported."""
        counts = CredentialCounts(Counter(), Counter())
        for layout, count in self._alike.items():
            counts.tally(layout.example, count)
        return counts

    def _take_leaf(self, index: int, at: int) -> ArrivedLeaf:
        layout, fields = self._leaf_at(at)
        encoded = self._data[at + HEAD_BYTES : at + layout.size]
        self.encoded[index] = encoded
        self.keys[fields[0]] = index
        self.signature_keys[fields[1]] = index
        if layout.example.parent_hash:
            self.links.claims[index] = fields[3]
        self._alike[layout] += 1
        return ArrivedLeaf(index >> 1, layout, encoded, fields)

    def _leaf_at(self, at: int) -> tuple[LeafLayout, tuple[bytes, ...]]:
        for known in self._leaf_layouts:
            fields = known.match(self._data, at)
            if fields is not None:
                return known, fields
        node = self._decode(at)
        if not isinstance(node, LeafNode):
            raise InvalidTreeError("a leaf and a parent node are interchanged")
        layout = LeafLayout(node)
        self._alike[layout] = 0
        _keep(layout, self._leaf_layouts)
        return layout, layout.fields

    def _take_parent(self, index: int, at: int) -> int:
        """Return the size of the element."""
        layout, (key, parent_hash) = self._parent_at(at)
        end = at + layout.size
        self.encoded[index] = self._data[at + HEAD_BYTES : end]
        self.keys[key] = index
        links = self.links
        links.parents[index] = self._data[at + HEAD_BYTES : end - layout.unmerged_size]
        if parent_hash:
            links.claims[index] = parent_hash
        if layout.unmerged:
            links.unmerged[index] = layout.unmerged
        return layout.size

    def _parent_at(self, at: int) -> tuple[ParentLayout, tuple[bytes, ...]]:
        for known in self._parent_layouts:
            fields = known.match(self._data, at)
            if fields is not None:
                return known, fields
        node = self._decode(at)
        if not isinstance(node, ParentNode):
            raise InvalidTreeError("a leaf and a parent node are interchanged")
        layout = ParentLayout(node)
        _keep(layout, self._parent_layouts)
        return layout, layout.fields

    def _decode(self, at: int) -> Node | None:
        self._reader.go_to(at)
        return self._reader.optional(read_node)


def _keep(layout: AnyLayout, layouts: list[AnyLayout]) -> None:
    """Compare the next node with this one first."""
    if not layout.unique:
        layouts.insert(0, layout)
        del layouts[_KEPT:]
