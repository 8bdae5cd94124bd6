"""The kinds of entries and what each says. Odd kinds are critical: a reader must know them.

Spec: protocol/spec/80-chain-and-consent.md
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final

from e2ecore_protocol.codec import Wire
from e2ecore_protocol.declared import Declared
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import (
    CONSENT_ID_BYTES,
    DEVICE_ID_BYTES,
    HASH_BYTES,
    KEY_BYTES,
    MAX_PURPOSE_CHARS,
    SIGNATURE_BYTES,
)
from e2ecore_protocol.shape import Check, exactly, maybe, text
from e2ecore_protocol.shape import time_ms as a_time

MULTI_DEVICE_SYNC: Final = "multi_device_sync"
"""The consent purpose without which an account has one live device."""

_PURPOSE: Final = re.compile("[a-z][a-z0-9_]*")
_purpose_text = text(MAX_PURPOSE_CHARS, 1)
_key = exactly(KEY_BYTES)
_consent_id = exactly(CONSENT_ID_BYTES)
_hash = exactly(HASH_BYTES)


def purpose_name(value: Wire) -> str:
    """Check the name of a consent purpose.

    Raises:
        MalformedError: It is none.
    """
    purpose = _purpose_text(value)
    if not _PURPOSE.fullmatch(purpose):
        raise MalformedError("not the name of a consent purpose")
    return purpose


def is_critical(kind: int) -> bool:
    """Tell whether a reader that does not know this kind must stop."""
    return kind % 2 == 1


class Body(Declared):
    """What an entry says. A sub-class is a frozen dataclass; its fields are those on the wire."""

    __slots__ = ()
    KIND: ClassVar[int]
    """Its number on the wire; odd if critical."""


@dataclass(frozen=True, slots=True)
class Genesis(Body):
    """The account begins. Its Ed25519 identity key signs every entry, this one included."""

    KIND: ClassVar[int] = 1
    SHAPE: ClassVar[tuple[Check[object], ...]] = (_key,)
    identity_key: bytes


@dataclass(frozen=True, slots=True)
class DeviceAdded(Body):
    """A device joins. ``device_signature`` proves that it has the private key.

    It is a signature by ``device_key`` over ``possession_message``.
    """

    KIND: ClassVar[int] = 3
    SHAPE: ClassVar[tuple[Check[object], ...]] = (_key, exactly(SIGNATURE_BYTES))
    device_key: bytes
    device_signature: bytes


@dataclass(frozen=True, slots=True)
class DeviceRemoved(Body):
    """A device leaves for good; its key never comes back."""

    KIND: ClassVar[int] = 5
    SHAPE: ClassVar[tuple[Check[object], ...]] = (exactly(DEVICE_ID_BYTES),)
    device_id: bytes


@dataclass(frozen=True, slots=True)
class ConsentGranted(Body):
    """The owner agrees to one purpose.

    ``notice_hash`` is SHA-256 of the text that was shown. ``commitment`` is SHA-256 of a 32-byte
    salt and the consent record; the record stays with its owner, so deleting record and salt leaves
    nothing personal here. ``expires_ms`` is None for a consent without end.
    """

    KIND: ClassVar[int] = 7
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        _consent_id,
        purpose_name,
        _hash,
        _hash,
        maybe(a_time),
    )
    consent_id: bytes
    purpose: str
    notice_hash: bytes
    commitment: bytes
    expires_ms: int | None


@dataclass(frozen=True, slots=True)
class ConsentWithdrawn(Body):
    """The owner takes a consent back, at once."""

    KIND: ClassVar[int] = 9
    SHAPE: ClassVar[tuple[Check[object], ...]] = (_consent_id,)
    consent_id: bytes


@dataclass(frozen=True, slots=True)
class AccountClosed(Body):
    """The account ends; no entry may follow."""

    KIND: ClassVar[int] = 11
    SHAPE: ClassVar[tuple[Check[object], ...]] = ()


BODIES: Final[Mapping[int, type[Body]]] = MappingProxyType(
    {
        body.KIND: body
        for body in (
            Genesis,
            DeviceAdded,
            DeviceRemoved,
            ConsentGranted,
            ConsentWithdrawn,
            AccountClosed,
        )
    }
)
"""Known kinds of entries."""
