"""What a new member is sent. Spec: RFC 9420 §12.4.3 (Adding Members to the Group)."""

from dataclasses import dataclass, replace
from typing import Final

from e2ecore.crypto.signing import SigningKey
from e2ecore.mls.codec import Reader, length, opaque, optional, u16, u32, vector
from e2ecore.mls.extensions import Extensions, read_extensions
from e2ecore.mls.group_context import GroupContext
from e2ecore.mls.key_schedule import JoinerSecret
from e2ecore.mls.labels import signed_head
from e2ecore.mls.psk import PskId, read_psk_id
from e2ecore.mls.treekem import HpkeCiphertext

GROUP_INFO_LABEL: Final = "GroupInfoTBS"
"""Signature label (RFC 9420 §17.6 (MLS Signature Labels))."""


@dataclass(frozen=True, slots=True)
class GroupInfo:
    """A group's state, signed by a member.

    With the tree of a thousand members it has 250 kB and more. Each copy of that takes as long as
    fifty HMACs, so it is put together from its pieces where it is needed, and only there.
    """

    context: GroupContext
    extensions: Extensions
    confirmation_tag: bytes
    signer: int
    signature: bytes

    def _pieces(self) -> list[bytes]:
        """Return the GroupInfoTBS in pieces."""
        listed = [
            piece
            for each in self.extensions
            for piece in (u16(each.type), length(len(each.data)), each.data)
        ]
        return [
            self.context.encode(),
            length(sum(map(len, listed))),
            *listed,
            opaque(self.confirmation_tag),
            u32(self.signer),
        ]

    def signed_part(self) -> bytes:
        """Return the GroupInfoTBS."""
        return b"".join(self._pieces())

    def signed_bytes(self) -> bytes:
        """Return what the signature covers, its label included."""
        pieces = self._pieces()
        return b"".join((signed_head(GROUP_INFO_LABEL, sum(map(len, pieces))), *pieces))

    def signed(self, signer: SigningKey) -> "GroupInfo":
        """Return this GroupInfo with a signature of the member at leaf ``signer``."""
        return replace(self, signature=signer.sign(self.signed_bytes()))

    def encode(self, head: bytes = b"") -> bytes:
        """Return the GroupInfo behind a head."""
        return b"".join((head, *self._pieces(), opaque(self.signature)))

    @classmethod
    def read(cls, reader: Reader) -> "GroupInfo":
        """Read a GroupInfo."""
        return cls(
            GroupContext.read(reader),
            read_extensions(reader),
            reader.opaque(),
            reader.u32(),
            reader.opaque(),
        )


@dataclass(frozen=True, slots=True, repr=False)
class GroupSecrets:
    """What each new member gets under its own key."""

    joiner: JoinerSecret
    path_secret: bytes | None
    psks: tuple[PskId, ...]

    def encode(self) -> bytes:
        """Return the GroupSecrets."""
        path = None if self.path_secret is None else opaque(self.path_secret)
        psks = vector(psk.encode() for psk in self.psks)
        return opaque(self.joiner.raw) + optional(path) + psks

    @classmethod
    def read(cls, reader: Reader) -> "GroupSecrets":
        """Read a GroupSecrets."""
        return cls(
            JoinerSecret(reader.opaque()),
            reader.optional(Reader.opaque),
            tuple(reader.vector(read_psk_id)),
        )


@dataclass(frozen=True, slots=True)
class EncryptedGroupSecrets:
    """A GroupSecrets, sealed to the init key of one key package."""

    new_member: bytes
    secrets: HpkeCiphertext

    def encode(self) -> bytes:
        """Return the EncryptedGroupSecrets."""
        return opaque(self.new_member) + self.secrets.encode()

    @classmethod
    def read(cls, reader: Reader) -> "EncryptedGroupSecrets":
        """Read an EncryptedGroupSecrets."""
        return cls(reader.opaque(), HpkeCiphertext.read(reader))


@dataclass(frozen=True, slots=True)
class Welcome:
    """An invitation for any number of new members.

    Spec: RFC 9420 §12.4.3.1 (Joining via Welcome Message)
    """

    cipher_suite: int
    secrets: tuple[EncryptedGroupSecrets, ...]
    encrypted_group_info: bytes

    def encode(self, head: bytes = b"") -> bytes:
        """Return the Welcome behind a head."""
        secrets = vector(item.encode() for item in self.secrets)
        info = self.encrypted_group_info
        return b"".join((head, u16(self.cipher_suite), secrets, length(len(info)), info))

    @classmethod
    def read(cls, reader: Reader) -> "Welcome":
        """Read a Welcome."""
        suite = reader.u16()
        return cls(suite, tuple(reader.vector(EncryptedGroupSecrets.read)), reader.opaque())
