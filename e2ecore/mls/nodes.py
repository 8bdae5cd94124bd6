"""What the nodes of a ratchet tree hold.

Spec: RFC 9420 §7.1 (Parent Node Contents) and RFC 9420 §7.2 (Leaf Node Contents). Nodes are values:
a changed node is a new object. Each remembers its encoding, because hashing, signing and storing
all start from it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise
from struct import Struct
from typing import Final

from e2ecore.crypto.signing import SigningKey
from e2ecore.mls.codec import Reader, length, opaque, read_u32, u8, u32, u64, vector
from e2ecore.mls.credentials import Credential, CredentialType, read_credential
from e2ecore.mls.errors import MalformedMessageError
from e2ecore.mls.extensions import (
    DEFAULT_EXTENSION_TYPES,
    DEFAULT_PROPOSAL_TYPES,
    Extensions,
    encode_extensions,
    encode_u16s,
    read_extensions,
    read_u16s,
)
from e2ecore.mls.labels import sign_with_label

MLS10: Final = 1
"""ProtocolVersion mls10, the only one there is."""

CAPABILITY_LISTS: Final = 5
"""Lists of numbers that capabilities consist of."""

LEAF_LABEL: Final = "LeafNodeTBS"
"""Signature label of leaf nodes (RFC 9420 §17.6 (MLS Signature Labels))."""


class NodeType(IntEnum):
    """Spec: RFC 9420 §7.8 (Tree Hashes)."""

    LEAF = 1
    PARENT = 2


class LeafNodeSource(IntEnum):
    """How a leaf node came into the tree, which says what else it carries."""

    KEY_PACKAGE = 1
    UPDATE = 2
    COMMIT = 3


_unpack_lifetime: Final = Struct(">QQ").unpack
_remember: Final = object.__setattr__
"""Sets the one field of a node that is no part of its value."""

_SOURCES: Final = {int(source): source for source in LeafNodeSource}


@dataclass(frozen=True, slots=True)
class Lifetime:
    """When a key package may be used, in seconds since the Unix epoch, both ends included."""

    not_before: int
    not_after: int

    def encode(self) -> bytes:
        """Return the Lifetime."""
        return u64(self.not_before) + u64(self.not_after)

    @classmethod
    def unpack(cls, data: bytes) -> "Lifetime":
        """Return the Lifetime that 16 bytes say."""
        return cls(*_unpack_lifetime(data))


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a client supports beyond what everybody must. Unknown numbers are kept and ignored."""

    versions: tuple[int, ...] = (MLS10,)
    cipher_suites: tuple[int, ...] = ()
    extensions: tuple[int, ...] = ()
    proposals: tuple[int, ...] = ()
    credentials: tuple[int, ...] = (CredentialType.BASIC,)

    def encode(self) -> bytes:
        """Return the Capabilities."""
        return _encode_lists(*self.lists())

    @staticmethod
    def read(reader: Reader) -> "Capabilities":
        """Read Capabilities."""
        encoded, known = _latest[0]
        if not reader.again(encoded):
            encoded = reader.opaques(CAPABILITY_LISTS)
            known = _capabilities(encoded)
            _latest[0] = encoded, known
        return known

    def lists(self) -> Sequence[tuple[int, ...]]:
        """Return the five lists in their order on the wire."""
        return (
            self.versions,
            self.cipher_suites,
            self.extensions,
            self.proposals,
            self.credentials,
        )

    def supports_extension(self, type_: int) -> bool:
        """Tell whether an extension type is listed, or is one that everybody knows."""
        return type_ in DEFAULT_EXTENSION_TYPES or type_ in self.extensions

    def supports_proposal(self, type_: int) -> bool:
        """Tell whether a proposal type is listed, or is one that everybody knows."""
        return type_ in DEFAULT_PROPOSAL_TYPES or type_ in self.proposals


@lru_cache(maxsize=256)
def _encode_lists(*lists: tuple[int, ...]) -> bytes:
    return b"".join(map(encode_u16s, lists))


@lru_cache(maxsize=256)
def _capabilities(encoded: bytes) -> Capabilities:
    """Decode capabilities. Members of a group announce the same: one object serves them all."""
    reader = Reader(encoded)
    return Capabilities(*(read_u16s(reader) for _ in range(CAPABILITY_LISTS)))


_latest: Final = [(Capabilities().encode(), Capabilities())]
"""What was read last, encoded and decoded: nobody else's encoding begins with the same bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafNode:
    """One client's appearance in a group, signed by that client."""

    encryption_key: bytes
    signature_key: bytes
    credential: Credential
    capabilities: Capabilities
    source: LeafNodeSource
    lifetime: Lifetime | None = None
    """Present in leaf nodes from key packages, and only there."""
    parent_hash: bytes | None = None
    """Present in leaf nodes from commits, and only there."""
    extensions: Extensions = ()
    signature: bytes = b""
    _encoded: bytes | None = field(default=None, init=False, repr=False, compare=False)

    def encode(self) -> bytes:
        """Return the LeafNode."""
        encoded = self._encoded
        if encoded is None:
            encoded = self.unsigned() + opaque(self.signature)
            _remember(self, "_encoded", encoded)
        return encoded

    def unsigned(self) -> bytes:
        """Return everything before the signature."""
        if self._encoded is not None:
            size = len(self.signature)
            return self._encoded[: -size - len(length(size))]
        head = opaque(self.encryption_key) + opaque(self.signature_key)
        head += self.credential.encode() + self.capabilities.encode() + u8(self.source)
        if self.lifetime is not None:
            head += self.lifetime.encode()
        if self.parent_hash is not None:
            head += opaque(self.parent_hash)
        return head + encode_extensions(self.extensions)

    def tbs(self, group_id: bytes, leaf_index: int) -> bytes:
        """Return the LeafNodeTBS. Group and place count only for updates and commits."""
        return self.unsigned() + self._place(group_id, leaf_index)

    def _place(self, group_id: bytes, leaf_index: int) -> bytes:
        if self.source is LeafNodeSource.KEY_PACKAGE:
            return b""
        return opaque(group_id) + u32(leaf_index)

    def signed(self, signer: SigningKey, group_id: bytes = b"", leaf_index: int = 0) -> "LeafNode":
        """Return this leaf node with a fresh signature.

        Args:
            signer: The key whose public half is ``signature_key``.
            group_id: The group; ignored for key packages.
            leaf_index: The leaf's place there; ignored for key packages.
        """
        unsigned = self.unsigned()
        signature = sign_with_label(
            signer, LEAF_LABEL, unsigned + self._place(group_id, leaf_index)
        )
        leaf = LeafNode(
            encryption_key=self.encryption_key,
            signature_key=self.signature_key,
            credential=self.credential,
            capabilities=self.capabilities,
            source=self.source,
            lifetime=self.lifetime,
            parent_hash=self.parent_hash,
            extensions=self.extensions,
            signature=signature,
        )
        _remember(leaf, "_encoded", unsigned + opaque(signature))
        return leaf

    @classmethod
    def read(cls, reader: Reader) -> "LeafNode":
        """Read a LeafNode.

        Raises:
            MalformedMessageError: Also for an unknown source.
        """
        start = reader.position
        encryption_key, signature_key = reader.opaque(), reader.opaque()
        credential, capabilities = read_credential(reader), Capabilities.read(reader)
        source, lifetime, parent_hash = _read_source(reader)
        leaf = cls(
            encryption_key=encryption_key,
            signature_key=signature_key,
            credential=credential,
            capabilities=capabilities,
            source=source,
            lifetime=lifetime,
            parent_hash=parent_hash,
            extensions=read_extensions(reader),
            signature=reader.opaque(),
        )
        _remember(leaf, "_encoded", reader.since(start))
        return leaf


def _read_source(reader: Reader) -> tuple[LeafNodeSource, Lifetime | None, bytes | None]:
    source = _SOURCES.get(reader.u8())
    if source is LeafNodeSource.COMMIT:
        return source, None, reader.opaque()
    if source is LeafNodeSource.KEY_PACKAGE:
        return source, Lifetime.unpack(reader.raw(16)), None
    if source is LeafNodeSource.UPDATE:
        return source, None, None
    raise MalformedMessageError("an unknown source of a leaf node")


@dataclass(frozen=True, slots=True)
class ParentNode:
    """A key that the members below it share, except those in ``unmerged_leaves``."""

    encryption_key: bytes
    parent_hash: bytes = b""
    unmerged_leaves: tuple[int, ...] = ()
    """Leaf indices in increasing order."""
    _encoded: bytes | None = field(default=None, init=False, repr=False, compare=False)

    def encode(self) -> bytes:
        """Return the ParentNode."""
        encoded = self._encoded
        if encoded is None:
            encoded = opaque(self.encryption_key) + opaque(self.parent_hash)
            encoded += vector(map(u32, self.unmerged_leaves)) if self.unmerged_leaves else b"\0"
            _remember(self, "_encoded", encoded)
        return encoded

    @classmethod
    def read(cls, reader: Reader) -> "ParentNode":
        """Read a ParentNode.

        Raises:
            MalformedMessageError: Also if the unmerged leaves are not in increasing order.
        """
        start = reader.position
        key, parent_hash = reader.opaque(), reader.opaque()
        unmerged = tuple(reader.vector(read_u32))
        if len(unmerged) > 1 and any(a >= b for a, b in pairwise(unmerged)):
            raise MalformedMessageError("unmerged leaves are not in increasing order")
        node = cls(key, parent_hash, unmerged)
        _remember(node, "_encoded", reader.since(start))
        return node


Node = LeafNode | ParentNode


def read_node(reader: Reader) -> Node:
    """Read a Node of a ``ratchet_tree`` extension."""
    read = _READERS.get(reader.u8())
    if read is None:
        raise MalformedMessageError("an unknown type of node")
    return read(reader)


_READERS: Final[Mapping[int, Callable[[Reader], Node]]] = {
    int(NodeType.LEAF): LeafNode.read,
    int(NodeType.PARENT): ParentNode.read,
}
