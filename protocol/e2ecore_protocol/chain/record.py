"""The record of a consent: what the person agreed to. It stays with them; the chain commits to it.

Spec: protocol/spec/80-chain-and-consent.md
"""

import hashlib
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple, Self

from e2ecore_protocol.chain.bodies import ConsentGranted, purpose_name
from e2ecore_protocol.codec import pack, unpack
from e2ecore_protocol.declared import Declared
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import (
    ACCOUNT_ID_BYTES,
    CONSENT_ID_BYTES,
    DEVICE_ID_BYTES,
    HASH_BYTES,
    MAX_CONSENT_ITEMS,
    MAX_CONSENT_RECORD_BYTES,
    MAX_CONSENT_TEXT_CHARS,
)
from e2ecore_protocol.shape import Check, exactly, integer, listing, maybe, record, text
from e2ecore_protocol.shape import time_ms as a_time

RECORD_VERSION: Final = 1
"""Version of the layout of a record."""
SALT_BYTES: Final = 32
"""Random bytes before a record when it is committed to: a guess cannot be confirmed."""
_MAX_U16 = 0xFFFF
_MAX_LANGUAGE_CHARS = 35
_sentence = text(MAX_CONSENT_TEXT_CHARS, 1)
_maybe_empty = text(MAX_CONSENT_TEXT_CHARS)


class Controller(NamedTuple):
    """Who answers for what is done with the data."""

    name: str
    contact: str
    """Where a person can turn to: an address of mail, a telephone number, a page."""
    address: str = ""
    """Postal address."""


class Times(NamedTuple):
    """When it was given, and when it ends; milliseconds since the Unix epoch."""

    given_ms: int
    expires_ms: int | None


@dataclass(frozen=True, slots=True)
class ConsentRecord(Declared):
    """What a person agreed to. The fields are those of ISO/IEC TS 27560:2023."""

    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        integer(RECORD_VERSION, RECORD_VERSION),
        exactly(CONSENT_ID_BYTES),
        exactly(ACCOUNT_ID_BYTES),
        exactly(DEVICE_ID_BYTES),
        purpose_name,
        _maybe_empty,
        integer(_MAX_U16, 1),
        text(_MAX_LANGUAGE_CHARS, 2),
        exactly(HASH_BYTES),
        listing(_sentence, MAX_CONSENT_ITEMS, 1),
        listing(record(Controller._make, _sentence, _sentence, _maybe_empty), MAX_CONSENT_ITEMS, 1),
        listing(_sentence, MAX_CONSENT_ITEMS, 1),
        listing(_sentence, MAX_CONSENT_ITEMS),
        maybe(integer()),
        _maybe_empty,
        _sentence,
        record(Times._make, a_time, maybe(a_time)),
    )
    version: int
    consent_id: bytes
    account_id: bytes
    device_id: bytes
    purpose: str
    scope: str
    notice_version: int
    notice_language: str
    notice_hash: bytes
    data: tuple[str, ...]
    controllers: tuple[Controller, ...]
    storage: tuple[str, ...]
    recipients: tuple[str, ...]
    retention_s: int | None
    jurisdiction: str
    withdrawal: str
    times: Times

    def encode(self) -> bytes:
        """Return the canonical encoding, as it is committed to.

        Raises:
            MalformedError: A field is beyond its limit, or all together are.
        """
        encoded = pack(self.to_fields())
        self.decode(encoded)
        return encoded

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Parse exactly one record.

        Raises:
            MalformedError: Not the canonical encoding of a record.
        """
        return cls.from_fields(unpack(data, MAX_CONSENT_RECORD_BYTES))

    def granted(self, salt: bytes) -> ConsentGranted:
        """Return the body of the chain entry by which this consent is given.

        Args:
            salt: 32 random bytes, to be kept with the record.
        """
        return ConsentGranted(
            self.consent_id,
            self.purpose,
            self.notice_hash,
            commitment(salt, self.encode()),
            self.times.expires_ms,
        )


def commitment(salt: bytes, encoded_record: bytes) -> bytes:
    """Return what the chain holds of a record.

    Raises:
        MalformedError: The salt has not 32 bytes.
    """
    if len(salt) != SALT_BYTES:
        raise MalformedError(f"a salt of {len(salt)} bytes")
    return hashlib.sha256(salt + encoded_record).digest()


def hash_of_notice(notice: str) -> bytes:
    """Return the 32 bytes by which a text that was shown is known."""
    return hashlib.sha256(notice.encode()).digest()
