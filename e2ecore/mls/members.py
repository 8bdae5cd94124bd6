"""Who sits at which leaf, now and in the epochs before.

Past epochs keep no list of members: a leaf that a commit changed is written down as it was
(``rows.PAST_LEAF``). Whoever sat at a leaf in epoch e is the first such note from e on, or, where
there is none, whoever sits there now.
"""

from dataclasses import dataclass

from e2ecore.mls.codec import Reader, opaque, u32
from e2ecore.mls.credentials import BasicCredential, Credential, read_credential
from e2ecore.mls.nodes import LeafNode


@dataclass(frozen=True, slots=True)
class Member:
    """One leaf of the group.

    Attributes:
        leaf: Leaf index.
        credential: Who it claims to be.
    """

    leaf: int
    credential: Credential
    signature_key: bytes

    @classmethod
    def of(cls, leaf: int, node: LeafNode) -> "Member":
        """Return what a leaf node says about its member."""
        return cls(leaf, node.credential, node.signature_key)

    @classmethod
    def of_encoded(cls, leaf: int, node: bytes) -> "Member":
        """Return the same of an encoded leaf node, decoding no more of it than that."""
        reader = Reader(node)
        reader.opaque()
        signature_key = reader.opaque()
        return cls(leaf, read_credential(reader), signature_key)

    @property
    def identity(self) -> bytes:
        """Content of the basic credential; empty for other types of credential."""
        credential = self.credential
        return credential.identity if isinstance(credential, BasicCredential) else b""

    def encode(self) -> bytes:
        """Return it as it is stored."""
        return u32(self.leaf) + self.credential.encode() + opaque(self.signature_key)

    @classmethod
    def read(cls, reader: Reader) -> "Member":
        """Read what ``encode`` made."""
        return cls(reader.u32(), read_credential(reader), reader.opaque())


def encode_past(member: Member | None) -> bytes:
    """Return the row of a leaf as it was; an empty one for a blank leaf."""
    return b"" if member is None else member.encode()


def decode_past(row: bytes) -> Member | None:
    """Read the row of a leaf as it was."""
    return Member.read(Reader(row)) if row else None
