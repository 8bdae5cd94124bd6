"""What two devices say to each other while one is linked to the other's account.

Spec: protocol/spec/70-linking.md
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, Final, Self, TypeAlias, TypeVar, get_args

from e2ecore_protocol.codec import Wire, pack, unpack_fields
from e2ecore_protocol.declared import Declared
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import (
    ACCOUNT_ID_BYTES,
    HASH_BYTES,
    KEY_BYTES,
    MAX_CHAIN_ENTRIES,
    MAX_DISPLAY_NAME_CHARS,
    MAX_RENDEZVOUS_BYTES,
    SIGNATURE_BYTES,
)
from e2ecore_protocol.shape import Check, blob, exactly, handle, integer, maybe, text

PAKE_BYTES: Final = 33
"""A message of the password-authenticated key exchange: which side, and a point."""
NONCE_BYTES: Final = 32
"""What a side commits to; used once."""
_TAG_BYTES: Final = 16
_HASH = exactly(HASH_BYTES)
_SEALED = blob(MAX_RENDEZVOUS_BYTES - 64, _TAG_BYTES + 1)


class _Numbered(Declared):
    """An array that begins with its number."""

    __slots__ = ()
    TYPE: ClassVar[int]

    def encode(self) -> bytes:
        """Return the canonical encoding."""
        return pack((self.TYPE, *self.to_fields()))

    @classmethod
    def from_wire(cls, wire: tuple[Wire, ...]) -> Self:
        """Check the fields of a decoded array whose number is ours."""
        return cls.from_fields(wire[1:])


@dataclass(frozen=True, slots=True)
class Hello(_Numbered):
    """The new device begins."""

    TYPE: ClassVar[int] = 1
    SHAPE: ClassVar[tuple[Check[object], ...]] = (exactly(PAKE_BYTES), _HASH)
    pake: bytes
    commitment: bytes


@dataclass(frozen=True, slots=True)
class Welcome(_Numbered):
    """The existing device answers, and shows that it has the key."""

    TYPE: ClassVar[int] = 2
    SHAPE: ClassVar[tuple[Check[object], ...]] = (exactly(PAKE_BYTES), _HASH, _HASH)
    pake: bytes
    commitment: bytes
    confirmation: bytes


@dataclass(frozen=True, slots=True)
class Proof(_Numbered):
    """The new device shows that it has the key, and seals NewDevice."""

    TYPE: ClassVar[int] = 3
    SHAPE: ClassVar[tuple[Check[object], ...]] = (_HASH, _SEALED)
    confirmation: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class Sealed(_Numbered):
    """Everything else."""

    TYPE: ClassVar[int] = 4
    SHAPE: ClassVar[tuple[Check[object], ...]] = (_SEALED,)
    sealed: bytes


@dataclass(frozen=True, slots=True)
class NewDevice(_Numbered):
    """Sealed: the key of the new device."""

    TYPE: ClassVar[int] = 1
    SHAPE: ClassVar[tuple[Check[object], ...]] = (exactly(NONCE_BYTES), exactly(KEY_BYTES))
    nonce: bytes
    device_key: bytes


@dataclass(frozen=True, slots=True)
class ExistingDevice(_Numbered):
    """Sealed: the account, and the key of the device that has it."""

    TYPE: ClassVar[int] = 2
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        exactly(NONCE_BYTES),
        exactly(ACCOUNT_ID_BYTES),
        exactly(KEY_BYTES),
        maybe(handle),
    )
    nonce: bytes
    account_id: bytes
    device_key: bytes
    handle: str | None


@dataclass(frozen=True, slots=True)
class Place(_Numbered):
    """Sealed: where in the chain the new device is to be added. The person has confirmed."""

    TYPE: ClassVar[int] = 3
    SHAPE: ClassVar[tuple[Check[object], ...]] = (integer(MAX_CHAIN_ENTRIES - 1, 1), _HASH)
    seq: int
    prev_hash: bytes


@dataclass(frozen=True, slots=True)
class Possession(_Numbered):
    """Sealed: the new device's signature for that place."""

    TYPE: ClassVar[int] = 4
    SHAPE: ClassVar[tuple[Check[object], ...]] = (exactly(SIGNATURE_BYTES),)
    signature: bytes


@dataclass(frozen=True, slots=True)
class Linked(_Numbered):
    """Sealed: the device is in the chain, whose head is this."""

    TYPE: ClassVar[int] = 5
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        text(MAX_DISPLAY_NAME_CHARS),
        integer(MAX_CHAIN_ENTRIES - 1, 1),
        _HASH,
    )
    display_name: str
    head_seq: int
    head_hash: bytes


@dataclass(frozen=True, slots=True)
class Done(_Numbered):
    """Sealed: the new device has stored it."""

    TYPE: ClassVar[int] = 6
    SHAPE: ClassVar[tuple[Check[object], ...]] = ()


@dataclass(frozen=True, slots=True)
class Handover(_Numbered):
    """Sealed: as Place, and the account moves. The private identity key, and the display name."""

    TYPE: ClassVar[int] = 7
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        integer(MAX_CHAIN_ENTRIES - 1, 1),
        _HASH,
        exactly(KEY_BYTES),
        text(MAX_DISPLAY_NAME_CHARS),
    )
    seq: int
    prev_hash: bytes
    identity_key: bytes = field(repr=False)
    display_name: str


LinkMessage: TypeAlias = Hello | Welcome | Proof | Sealed
"""What is passed in a rendezvous."""
LinkContent: TypeAlias = NewDevice | ExistingDevice | Place | Possession | Linked | Done | Handover
"""What is sealed."""

_MESSAGES: Final[Mapping[int, type[LinkMessage]]] = MappingProxyType(
    {kind.TYPE: kind for kind in get_args(LinkMessage)}
)
_CONTENTS: Final[Mapping[int, type[LinkContent]]] = MappingProxyType(
    {kind.TYPE: kind for kind in get_args(LinkContent)}
)
_Kind = TypeVar("_Kind", LinkMessage, LinkContent)


def decode_link_message(data: bytes) -> LinkMessage:
    """Parse one payload of a rendezvous.

    Raises:
        MalformedError: It is none.
    """
    return _decode(_MESSAGES, data)


def decode_link_content(data: bytes) -> LinkContent:
    """Parse what was sealed.

    Raises:
        MalformedError: It is nothing that linking says.
    """
    return _decode(_CONTENTS, data)


def _decode(kinds: Mapping[int, type[_Kind]], data: bytes) -> _Kind:
    wire = unpack_fields(data, MAX_RENDEZVOUS_BYTES)
    number = wire[0] if wire else None
    if type(number) is not int or number not in kinds:
        raise MalformedError("not a message of linking")
    return kinds[number].from_wire(wire)
