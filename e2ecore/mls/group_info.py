"""What a new member is sent. Spec: RFC 9420 §12.4.3 (Adding Members to the Group)."""

from dataclasses import dataclass, field, replace
from typing import Final

from e2ecore.crypto.signing import SigningKey
from e2ecore.mls.codec import Reader, length, opaque, optional, u16, u32, vector
from e2ecore.mls.extensions import Extensions, encode_extensions, read_extensions
from e2ecore.mls.group_context import GroupContext
from e2ecore.mls.key_schedule import JoinerSecret
from e2ecore.mls.labels import sign_with_label
from e2ecore.mls.psk import PskId, read_psk_id
from e2ecore.mls.treekem import HpkeCiphertext

GROUP_INFO_LABEL: Final = "GroupInfoTBS"
"""Signature label (RFC 9420 §17.6 (MLS Signature Labels))."""


@dataclass(frozen=True, slots=True)
class GroupInfo:
    """A group's state, signed by a member.

    It remembers what is signed: with a tree of a thousand members that has 250 kB and more, and
    each copy of it takes as long as ten HMACs.
    """

    context: GroupContext
    extensions: Extensions
    confirmation_tag: bytes
    signer: int
    signature: bytes
    _signed_part: bytes | None = field(default=None, init=False, repr=False, compare=False)

    def signed_part(self) -> bytes:
        """Return the GroupInfoTBS."""
        known = self._signed_part
        if known is None:
            known = b"".join(
                (
                    self.context.encode(),
                    encode_extensions(self.extensions),
                    opaque(self.confirmation_tag),
                    u32(self.signer),
                )
            )
            object.__setattr__(self, "_signed_part", known)
        return known

    def signed(self, signer: SigningKey) -> "GroupInfo":
        """Return this GroupInfo with a signature of the member at leaf ``signer``."""
        part = self.signed_part()
        made = replace(self, signature=sign_with_label(signer, GROUP_INFO_LABEL, part))
        object.__setattr__(made, "_signed_part", part)
        return made

    def encode(self) -> bytes:
        """Return the GroupInfo."""
        return self.signed_part() + opaque(self.signature)

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

    def encode(self) -> bytes:
        """Return the Welcome, without the MLSMessage's head."""
        secrets = vector(item.encode() for item in self.secrets)
        info = self.encrypted_group_info
        return b"".join((u16(self.cipher_suite), secrets, length(len(info)), info))

    @classmethod
    def read(cls, reader: Reader) -> "Welcome":
        """Read a Welcome."""
        suite = reader.u16()
        return cls(suite, tuple(reader.vector(EncryptedGroupSecrets.read)), reader.opaque())
