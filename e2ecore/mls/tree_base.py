"""The settled part of a ratchet tree: what the last merged commit left, shared by all forks.

Nodes are kept encoded and are decoded when somebody looks at them, so a group of a thousand that
only receives messages costs no more than the leaves it hears from. Hashes and indices are caches:
made at the first use, kept up to date from then on.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import repeat
from typing import Final, NamedTuple, Protocol, Self

from e2ecore.mls.codec import SHORT, Reader, decode_all
from e2ecore.mls.nodes import (
    CAPABILITY_LISTS,
    Capabilities,
    LeafNode,
    Node,
    NodeType,
    ParentNode,
)

_BLANK: Final = b"\0"
_HEADS: Final = (b"\1" + bytes((NodeType.LEAF,)), b"\1" + bytes((NodeType.PARENT,)))
"""Of a leaf and of a parent that are not blank."""


class NodeSource(Protocol):
    """Where a stored tree is read from. Values are encoded nodes; leaves have even indices."""

    def get(self, node: int, /) -> bytes | None:
        """Return one node, or None if it is blank."""
        ...

    def scan(self) -> Iterable[tuple[int, bytes]]:
        """Return all nodes that are not blank."""
        ...


class CredentialCounts(NamedTuple):
    """What members present, and what they understand; each by credential type."""

    in_use: Counter[int]
    supported: Counter[int]

    def tally(self, leaf: LeafNode, count: int) -> None:
        """Add leaves that are like this one in that, or take them away.

        Args:
            leaf: One of them.
            count: How many; negative to take away.
        """
        self.in_use[leaf.credential.type] += count
        for type_ in set(leaf.capabilities.credentials):
            self.supported[type_] += count

    def tally_alike(self, type_: int, capabilities: bytes, count: int) -> None:
        """Add leaves that present one credential type and announce the same, encoded."""
        self.in_use[type_] += count
        for supported in set(decode_all(Capabilities.read, capabilities).credentials):
            self.supported[supported] += count


class TreeBase:
    """The nodes, and what is derived from them."""

    __slots__ = (
        "_counts",
        "_decoded",
        "_encoded",
        "_encryption_keys",
        "_signature_keys",
        "_source",
        "_wire",
        "hashes",
        "version",
    )

    def __init__(self, source: NodeSource | None = None) -> None:
        self._source = source
        """None as soon as everything is in memory."""
        self._encoded: dict[int, bytes] = {}
        self._decoded: dict[int, Node] = {}
        self._encryption_keys: dict[bytes, int] | None = None
        self._signature_keys: dict[bytes, int] | None = None
        self._counts: CredentialCounts | None = None
        self._wire: list[bytes] | None = None
        self.hashes: dict[int, bytes] = {}
        """Tree hashes by node index; absent until asked for."""
        self.version = 0
        """Grows with every merge: forks of an older version are void."""

    @classmethod
    def of(
        cls,
        encoded: dict[int, bytes],
        encryption_keys: dict[bytes, int],
        signature_keys: dict[bytes, int],
        counts: CredentialCounts,
    ) -> Self:
        """Return a base that holds these nodes, of which everything was seen while they came."""
        base = cls()
        base._encoded = encoded
        base._encryption_keys, base._signature_keys = encryption_keys, signature_keys
        base._counts = counts
        return base

    def node(self, index: int) -> Node | None:
        """Return one node, or None if it is blank."""
        found = self._decoded.get(index)
        if found is None:
            encoded = self._encoded.get(index)
            if encoded is None and self._source is not None:
                encoded = self._source.get(index)
            if encoded is None:
                return None
            found = decode_node(index, encoded)
            self._decoded[index] = found
        return found

    def encoded(self) -> Mapping[int, bytes]:
        """Return all nodes that are not blank, encoded."""
        if self._source is not None:
            self._encoded = dict(self._source.scan())
            self._source = None
        return self._encoded

    def wire(self) -> list[bytes]:
        """Return the elements of a ``ratchet_tree`` extension, blank ones at the end included."""
        if self._wire is None:
            encoded = self.encoded()
            width = max(encoded, default=-1) + 1
            self._wire = [optional_node(index, encoded.get(index)) for index in range(width)]
        return self._wire

    def encryption_keys(self) -> dict[bytes, int]:
        """Return the node index of every encryption key."""
        if self._encryption_keys is None:
            self._survey()
        return self._encryption_keys or {}

    def signature_keys(self) -> dict[bytes, int]:
        """Return the node index of every signature key."""
        if self._signature_keys is None:
            self._survey()
        return self._signature_keys or {}

    def _survey(self) -> None:
        """Find all keys and count credentials in one walk: who asks for one needs the others.

        Members announce the same capabilities, so those of the leaf before are compared first.
        """
        keys: dict[bytes, int] = {}
        signature_keys: dict[bytes, int] = {}
        alike: Counter[tuple[int, bytes]] = Counter()
        capabilities = Capabilities().encode()
        for index, data in self.encoded().items():
            if index & 1:
                keys[key_of(data)] = index
                continue
            reader = Reader(data)
            keys[reader.opaque()] = index
            signature_keys[reader.opaque()] = index
            type_, _credential = reader.u16(), reader.opaque()
            if not reader.again(capabilities):
                capabilities = reader.opaques(CAPABILITY_LISTS)
            alike[type_, capabilities] += 1
        self._counts = CredentialCounts(Counter(), Counter())
        for (type_, announced), count in alike.items():
            self._counts.tally_alike(type_, announced, count)
        self._encryption_keys, self._signature_keys = keys, signature_keys

    @property
    def is_counted(self) -> bool:
        """Tell whether somebody asked for ``counts`` before; then they are kept up to date."""
        return self._counts is not None

    def counts(self) -> CredentialCounts:
        """Return the credential types in use and supported."""
        if self._counts is None:
            self._survey()
        return self._counts or CredentialCounts(Counter(), Counter())

    def apply(
        self,
        changes: Mapping[int, Node | None],
        hashes: Mapping[int, bytes | None],
        counts: CredentialCounts | None,
    ) -> None:
        """Make a fork's changes the settled state."""
        self.encoded()
        for index, node in changes.items():
            old = self.node(index)
            if old is not None:
                self._forget(index, old)
            if node is not None:
                self._remember(index, node)
            if self._wire is not None:
                put_node(self._wire, index, node)
        for index, value in hashes.items():
            if value is None:
                self.hashes.pop(index, None)
            else:
                self.hashes[index] = value
        self._counts = counts
        self.version += 1

    def _forget(self, index: int, node: Node) -> None:
        del self._encoded[index]
        self._decoded.pop(index, None)
        _drop(self._encryption_keys, node.encryption_key, index)
        if isinstance(node, LeafNode):
            _drop(self._signature_keys, node.signature_key, index)

    def _remember(self, index: int, node: Node) -> None:
        self._encoded[index] = node.encode()
        self._decoded[index] = node
        if self._encryption_keys is not None:
            self._encryption_keys[node.encryption_key] = index
        if isinstance(node, LeafNode) and self._signature_keys is not None:
            self._signature_keys[node.signature_key] = index


def optional_node(index: int, encoded: bytes | None) -> bytes:
    """Return one element of a ``ratchet_tree`` extension."""
    return _BLANK if encoded is None else _HEADS[index & 1] + encoded


def put_node(wire: list[bytes], index: int, node: Node | None) -> None:
    """Replace one element, or add it behind the last."""
    wire.extend(repeat(_BLANK, index + 1 - len(wire)))
    wire[index] = optional_node(index, None if node is None else node.encode())


def _drop(keys: dict[bytes, int] | None, key: bytes, index: int) -> None:
    if keys is not None and keys.get(key) == index:
        del keys[key]


def key_of(encoded: bytes) -> bytes:
    """Return the encryption key of an encoded node: its first field."""
    size = encoded[0] if encoded else 0
    if 0 < size < min(SHORT, len(encoded)):
        return encoded[1 : 1 + size]
    return Reader(encoded).opaque()


def decode_node(index: int, encoded: bytes) -> Node:
    """Read the node at this index: a leaf if it is even, else a parent.

    Raises:
        MalformedMessageError: These bytes are none.
    """
    if index & 1:
        return decode_all(ParentNode.read, encoded)
    return decode_all(LeafNode.read, encoded)
