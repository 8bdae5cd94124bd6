"""Proposals, and the commits that put them into effect. Spec: RFC 9420 §12.1 (Proposals)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Final, Self

from e2ecore.mls.codec import Reader, opaque, optional, u8, u16, u32, vector
from e2ecore.mls.errors import MalformedMessageError
from e2ecore.mls.extensions import Extensions, encode_extensions, read_extensions
from e2ecore.mls.key_package import KeyPackage
from e2ecore.mls.nodes import LeafNode
from e2ecore.mls.psk import PskId, read_psk_id
from e2ecore.mls.treekem import UpdatePath


class ProposalType(IntEnum):
    """The registered types. Spec: RFC 9420 §17.4 (MLS Proposal Types)."""

    ADD = 1
    UPDATE = 2
    REMOVE = 3
    PSK = 4
    REINIT = 5
    EXTERNAL_INIT = 6
    GROUP_CONTEXT_EXTENSIONS = 7


@dataclass(frozen=True, slots=True)
class Add:
    """Add the client with this key package. Spec: RFC 9420 §12.1.1 (Add)."""

    TYPE: ClassVar = ProposalType.ADD
    key_package: KeyPackage

    def encode(self) -> bytes:
        """Return the Add."""
        return self.key_package.encode()

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read an Add."""
        return cls(KeyPackage.read(reader))


@dataclass(frozen=True, slots=True)
class Update:
    """Replace the sender's leaf. Spec: RFC 9420 §12.1.2 (Update)."""

    TYPE: ClassVar = ProposalType.UPDATE
    leaf_node: LeafNode

    def encode(self) -> bytes:
        """Return the Update."""
        return self.leaf_node.encode()

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read an Update."""
        return cls(LeafNode.read(reader))


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove the member at this leaf index. Spec: RFC 9420 §12.1.3 (Remove)."""

    TYPE: ClassVar = ProposalType.REMOVE
    removed: int

    def encode(self) -> bytes:
        """Return the Remove."""
        return u32(self.removed)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read a Remove."""
        return cls(reader.u32())


@dataclass(frozen=True, slots=True)
class PreSharedKey:
    """Mix a pre-shared key into the next epoch. Spec: RFC 9420 §12.1.4 (PreSharedKey)."""

    TYPE: ClassVar = ProposalType.PSK
    psk: PskId

    def encode(self) -> bytes:
        """Return the PreSharedKey."""
        return self.psk.encode()

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read a PreSharedKey."""
        return cls(read_psk_id(reader))


@dataclass(frozen=True, slots=True)
class ReInit:
    """End this group in favour of another one. Spec: RFC 9420 §12.1.5 (ReInit)."""

    TYPE: ClassVar = ProposalType.REINIT
    group_id: bytes
    version: int
    cipher_suite: int
    extensions: Extensions

    def encode(self) -> bytes:
        """Return the ReInit."""
        head = opaque(self.group_id) + u16(self.version) + u16(self.cipher_suite)
        return head + encode_extensions(self.extensions)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read a ReInit."""
        return cls(reader.opaque(), reader.u16(), reader.u16(), read_extensions(reader))


@dataclass(frozen=True, slots=True)
class ExternalInit:
    """Bring in the init secret of an external commit. Spec: RFC 9420 §12.1.6 (ExternalInit)."""

    TYPE: ClassVar = ProposalType.EXTERNAL_INIT
    kem_output: bytes

    def encode(self) -> bytes:
        """Return the ExternalInit."""
        return opaque(self.kem_output)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read an ExternalInit."""
        return cls(reader.opaque())


@dataclass(frozen=True, slots=True)
class GroupContextExtensions:
    """Replace all extensions of the group.

    Spec: RFC 9420 §12.1.7 (GroupContextExtensions)
    """

    TYPE: ClassVar = ProposalType.GROUP_CONTEXT_EXTENSIONS
    extensions: Extensions

    def encode(self) -> bytes:
        """Return the GroupContextExtensions."""
        return encode_extensions(self.extensions)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read a GroupContextExtensions."""
        return cls(read_extensions(reader))


Proposal = Add | Update | Remove | PreSharedKey | ReInit | ExternalInit | GroupContextExtensions

PATH_REQUIRED: Final = (Update, Remove, ExternalInit, GroupContextExtensions)
"""A commit of any of these needs an update path. Spec: RFC 9420 §12.4 (Commit)."""

_READERS: Final[Mapping[int, Callable[[Reader], Proposal]]] = {
    ProposalType.ADD: Add.read,
    ProposalType.UPDATE: Update.read,
    ProposalType.REMOVE: Remove.read,
    ProposalType.PSK: PreSharedKey.read,
    ProposalType.REINIT: ReInit.read,
    ProposalType.EXTERNAL_INIT: ExternalInit.read,
    ProposalType.GROUP_CONTEXT_EXTENSIONS: GroupContextExtensions.read,
}


def encode_proposal(proposal: Proposal) -> bytes:
    """Return type and content."""
    return u16(proposal.TYPE) + proposal.encode()


def read_proposal(reader: Reader) -> Proposal:
    """Read type and content.

    Raises:
        MalformedMessageError: Also for types that we do not know: their end cannot be found.
    """
    read = _READERS.get(reader.u16())
    if read is None:
        raise MalformedMessageError("unknown type of proposal")
    return read(reader)


class ProposalOrRefType(IntEnum):
    """Whether a commit contains a proposal or names it."""

    PROPOSAL = 1
    REFERENCE = 2


@dataclass(frozen=True, slots=True)
class ProposalRef:
    """Names a proposal by the hash of the message that carried it."""

    hash: bytes


ProposalOrRef = Proposal | ProposalRef


def encode_proposal_or_ref(item: ProposalOrRef) -> bytes:
    """Return one entry of a commit's list."""
    if isinstance(item, ProposalRef):
        return u8(ProposalOrRefType.REFERENCE) + opaque(item.hash)
    return u8(ProposalOrRefType.PROPOSAL) + encode_proposal(item)


def read_proposal_or_ref(reader: Reader) -> ProposalOrRef:
    """Read one entry of a commit's list."""
    match reader.u8():
        case ProposalOrRefType.PROPOSAL:
            return read_proposal(reader)
        case ProposalOrRefType.REFERENCE:
            return ProposalRef(reader.opaque())
        case _:
            raise MalformedMessageError("a commit's entry is neither proposal nor reference")


@dataclass(frozen=True, slots=True)
class Commit:
    """What puts proposals into effect and begins the next epoch. Spec: RFC 9420 §12.4 (Commit)."""

    proposals: tuple[ProposalOrRef, ...]
    path: UpdatePath | None

    def encode(self) -> bytes:
        """Return the Commit."""
        path = None if self.path is None else self.path.encode()
        return vector(map(encode_proposal_or_ref, self.proposals)) + optional(path)

    @classmethod
    def read(cls, reader: Reader) -> Self:
        """Read a Commit."""
        return cls(tuple(reader.vector(read_proposal_or_ref)), reader.optional(UpdatePath.read))
