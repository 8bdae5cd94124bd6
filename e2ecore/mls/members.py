"""Who sits at which leaf, now and in the epochs before.

Past epochs keep no list of members: a leaf that a commit changed is written down as it was
(``rows.PAST_LEAF``). Whoever sat at a leaf in epoch e is the first such note from e on, or, where
there is none, whoever sits there now.
"""

from dataclasses import dataclass

from e2ecore.mls.codec import Reader, opaque
from e2ecore.mls.credentials import BasicCredential
from e2ecore.mls.nodes import LeafNode


@dataclass(frozen=True, slots=True)
class Member:
    """One leaf of the group.

    Attributes:
        leaf: Leaf index.
        identity: Content of the basic credential; empty for other types of credential.
    """

    leaf: int
    identity: bytes
    signature_key: bytes

    @classmethod
    def of(cls, leaf: int, node: LeafNode) -> "Member":
        """Return what a leaf node says about its member."""
        credential = node.credential
        identity = credential.identity if isinstance(credential, BasicCredential) else b""
        return cls(leaf, identity, node.signature_key)


def encode_past(member: Member | None) -> bytes:
    """Return the row of a leaf as it was; an empty one for a blank leaf."""
    if member is None:
        return b""
    return opaque(member.identity) + opaque(member.signature_key)


def decode_past(leaf: int, row: bytes) -> Member | None:
    """Read the row of a leaf as it was."""
    if not row:
        return None
    reader = Reader(row)
    return Member(leaf, reader.opaque(), reader.opaque())
