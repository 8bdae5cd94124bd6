"""What a child's account and its guardian's sign: the link, approvals, and how both end.

The relay checks these before a marked account may agree to anything, and the child's own device
checks what it is told of them. Spec: protocol/spec/85-guardians.md
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from types import MappingProxyType
from typing import ClassVar, Final, Self, TypeAlias, get_args

from e2ecore_protocol.chain.bodies import ConsentGranted, purpose_name
from e2ecore_protocol.chain.state import Verify
from e2ecore_protocol.codec import Wire, pack, unpack_fields
from e2ecore_protocol.declared import Declared
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.family_limits import (
    GUARDIAN_DOCUMENT_MS,
    GUARDIAN_LINK_ID_BYTES,
    MAX_GUARDIAN_DOCUMENT_BYTES,
)
from e2ecore_protocol.limits import (
    ACCOUNT_ID_BYTES,
    CONSENT_ID_BYTES,
    HASH_BYTES,
    MAX_CLOCK_DIFFERENCE_MS,
    SIGNATURE_BYTES,
)
from e2ecore_protocol.shape import Check, exactly, integer, maybe
from e2ecore_protocol.shape import time_ms as a_time

_LINK_LABEL: Final = b"e2ecore guardian link v1"
_APPROVAL_LABEL: Final = b"e2ecore guardian approval v1"
_RETRACTION_LABEL: Final = b"e2ecore guardian retraction v1"
_ENDING_LABEL: Final = b"e2ecore guardian ending v1"
NOT_SIGNED: Final = bytes(SIGNATURE_BYTES)
"""Stands where a signature belongs that was not given yet."""

_account_id = exactly(ACCOUNT_ID_BYTES)
_link_id = exactly(GUARDIAN_LINK_ID_BYTES)
_consent_id = exactly(CONSENT_ID_BYTES)
_hash = exactly(HASH_BYTES)
_signature = exactly(SIGNATURE_BYTES)


class EndingScope(IntEnum):
    """What is to end."""

    LINK = 1
    """The guardian alone can say it: the account then needs another one."""
    MARK = 2
    """The account counts as a child's no longer. Both have to say it."""


class _Document(Declared):
    """An array that begins with its type."""

    __slots__ = ()
    TYPE: ClassVar[int]

    def encode(self) -> bytes:
        """Return the canonical encoding."""
        return pack((self.TYPE, *self.to_fields()))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Parse one document of this type.

        Raises:
            MalformedError: It is something else.
        """
        wire = unpack_fields(data, MAX_GUARDIAN_DOCUMENT_BYTES)
        if not wire or type(wire[0]) is not int or wire[0] != cls.TYPE:
            raise MalformedError(f"not a {cls.__name__}")
        return cls.from_wire(wire)

    @classmethod
    def from_wire(cls, wire: tuple[Wire, ...]) -> Self:
        """Check the fields of a decoded array whose type is ours."""
        return cls.from_fields(wire[1:])


@dataclass(frozen=True, slots=True)
class GuardianLink(_Document):
    """One account is another's guardian. Both identity keys sign the same bytes."""

    TYPE: ClassVar[int] = 1
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        _link_id,
        _account_id,
        _account_id,
        a_time,
        _hash,
        _signature,
        _signature,
    )
    link_id: bytes
    ward: bytes
    guardian: bytes
    created_ms: int
    notice_hash: bytes
    """Of the text that both were shown."""
    ward_signature: bytes
    guardian_signature: bytes

    def signed_message(self) -> bytes:
        """Return the bytes that both sign."""
        named = (self.link_id, self.ward, self.guardian, self.created_ms, self.notice_hash)
        return _LINK_LABEL + pack(named)

    def signed_by_guardian(self, signature: bytes) -> "GuardianLink":
        """Return it with the guardian's signature: a link now."""
        return replace(self, guardian_signature=signature)


@dataclass(frozen=True, slots=True)
class GuardianApproval(_Document):
    """The guardian agrees to one consent of the ward, and to no other."""

    TYPE: ClassVar[int] = 2
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        _link_id,
        _account_id,
        _consent_id,
        purpose_name,
        _hash,
        _hash,
        maybe(a_time),
        a_time,
        _signature,
    )
    link_id: bytes
    ward: bytes
    consent_id: bytes
    purpose: str
    notice_hash: bytes
    commitment: bytes
    expires_ms: int | None
    approved_ms: int
    signature: bytes

    def signed_message(self) -> bytes:
        """Return the bytes that the guardian signs."""
        return _APPROVAL_LABEL + pack(self.to_fields()[:-1])

    def covers(self, granted: ConsentGranted) -> bool:
        """Is this the consent that was approved, in every field that the chain holds?"""
        approved = ConsentGranted(
            self.consent_id, self.purpose, self.notice_hash, self.commitment, self.expires_ms
        )
        return approved == granted


@dataclass(frozen=True, slots=True)
class GuardianRetraction(_Document):
    """The guardian takes an approval back: the consent ends."""

    TYPE: ClassVar[int] = 3
    SHAPE: ClassVar[tuple[Check[object], ...]] = (_link_id, _account_id, _consent_id, _signature)
    link_id: bytes
    ward: bytes
    consent_id: bytes
    signature: bytes

    def signed_message(self) -> bytes:
        """Return the bytes that the guardian signs."""
        return _RETRACTION_LABEL + pack(self.to_fields()[:-1])


@dataclass(frozen=True, slots=True)
class GuardianEnding(_Document):
    """One of the two wants an end."""

    TYPE: ClassVar[int] = 4
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        _link_id,
        _account_id,
        integer(EndingScope.MARK, EndingScope.LINK),
        _signature,
    )
    link_id: bytes
    account_id: bytes
    """Who says it."""
    scope: int
    signature: bytes

    def signed_message(self) -> bytes:
        """Return the bytes that the speaker signs."""
        return _ENDING_LABEL + pack(self.to_fields()[:-1])


GuardianDocument: TypeAlias = GuardianLink | GuardianApproval | GuardianRetraction | GuardianEnding
"""What the relay is given."""

GUARDIAN_DOCUMENTS: Final[Mapping[int, type[GuardianDocument]]] = MappingProxyType(
    {kind.TYPE: kind for kind in get_args(GuardianDocument)}
)
"""Documents, by type number."""


def decode_guardian_document(data: bytes) -> GuardianDocument:
    """Parse one document.

    Raises:
        MalformedError: It is none.
    """
    wire = unpack_fields(data, MAX_GUARDIAN_DOCUMENT_BYTES)
    number = wire[0] if wire else None
    if type(number) is not int or number not in GUARDIAN_DOCUMENTS:
        raise MalformedError("not a guardian's document")
    return GUARDIAN_DOCUMENTS[number].from_wire(wire)


def check_link(link: GuardianLink, ward_key: bytes, guardian_key: bytes, verify: Verify) -> None:
    """Check that both have signed a link, and that they are two.

    Args:
        link: What they signed.
        ward_key: Identity key of the ward's account.
        guardian_key: Identity key of the guardian's account.
        verify: Checks Ed25519 signatures; its error goes through.

    Raises:
        MalformedError: An account cannot be its own guardian.
    """
    if link.ward == link.guardian:
        raise MalformedError("an account is not its own guardian")
    verify(ward_key, link.signed_message(), link.ward_signature)
    verify(guardian_key, link.signed_message(), link.guardian_signature)


def is_fresh(made_ms: int, now_ms: int) -> bool:
    """Is a document of that time young enough to be taken now, and not of the future?"""
    return -MAX_CLOCK_DIFFERENCE_MS <= now_ms - made_ms <= GUARDIAN_DOCUMENT_MS
