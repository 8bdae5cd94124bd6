"""The kinds of entries and what each says. Odd kinds are critical: a reader must know them.

Spec: protocol/spec/80-chain-and-consent.md
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import ClassVar, Final, Self

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
from e2ecore_protocol.shape import Check, exactly, maybe, one_of, text
from e2ecore_protocol.shape import time_ms as a_time

HISTORY_TRANSFER: Final = "history_transfer"
MULTI_DEVICE_SYNC: Final = "multi_device_sync"
"""The consent purpose without which an account has one live device."""

_PURPOSE: Final = re.compile("[a-z][a-z0-9_]*")
_purpose_text = text(MAX_PURPOSE_CHARS, 1)
_key = exactly(KEY_BYTES)
_device_id = exactly(DEVICE_ID_BYTES)
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


class RemovalReason(IntEnum):
    """Why a device left its account: what it is to do with its copies, [CHN-19]."""

    REMOVED = 1
    """Its owner took it out: it was sold, lost or stolen. It erases itself."""

    CONSENT_WITHDRAWN = 2
    """The consent to several devices was taken back. It erases itself."""

    CONSENT_EXPIRED = 3
    """The consent to several devices was over. It erases itself."""

    MOVED = 4
    """The account goes on at another device. History stays where it was."""

    @property
    def erases(self) -> bool:
        """Is the device to erase what it holds?"""
        return self is not RemovalReason.MOVED


_written_reason = one_of(*[int(one) for one in RemovalReason if one is not RemovalReason.REMOVED])


@dataclass(frozen=True, slots=True)
class DeviceRemoved(Body):
    """A device leaves for good; its key never comes back.

    A reason that is ``REMOVED`` is not written down.
    """

    KIND: ClassVar[int] = 5
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        _device_id,
        _written_reason,
    )
    device_id: bytes
    reason: RemovalReason = RemovalReason.REMOVED

    def to_fields(self) -> tuple[Wire, ...]:
        """Return the fields as they are encoded."""
        if self.reason is RemovalReason.REMOVED:
            return (self.device_id,)
        return (self.device_id, int(self.reason))

    @classmethod
    def from_fields(cls, wire: tuple[Wire, ...]) -> Self:
        """Check decoded fields and make an object of them.

        Raises:
            MalformedError: A field is missing, too much, of a wrong type or beyond its limit.
        """
        if len(wire) == 1:
            return cls(_device_id(wire[0]))
        device_id, reason = wire if len(wire) == len(cls.SHAPE) else (None, None)
        return cls(_device_id(device_id), RemovalReason(_written_reason(reason)))


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
