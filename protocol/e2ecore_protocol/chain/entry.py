"""One entry of an account chain: its encoding, its hash, and what is signed."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Self

from e2ecore_protocol.chain.bodies import BODIES, Body
from e2ecore_protocol.codec import Wire, pack, unpack
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import (
    ACCOUNT_ID_BYTES,
    DEVICE_ID_BYTES,
    HASH_BYTES,
    MAX_CHAIN_ENTRIES,
    MAX_ENTRY_BYTES,
    SIGNATURE_BYTES,
)
from e2ecore_protocol.shape import exactly, integer
from e2ecore_protocol.shape import time_ms as a_time

ENTRY_VERSION: Final = 1
"""Version of the layout of an entry."""

Sign = Callable[[bytes], bytes]
"""Signs a message with an Ed25519 private key; returns 64 bytes."""

_ENTRY_LABEL = b"e2ecore account entry v1"
_POSSESSION_LABEL = b"e2ecore device possession v1"
_MAX_U16 = 0xFFFF


def _array(value: Wire) -> tuple[Wire, ...]:
    if not isinstance(value, tuple):
        raise MalformedError("expected an array")
    return value


_FIELDS: Final = 8
_version = integer(ENTRY_VERSION, ENTRY_VERSION)
_empty = exactly(0)
_account_id = exactly(ACCOUNT_ID_BYTES)
_hash = exactly(HASH_BYTES)
_seq = integer(MAX_CHAIN_ENTRIES - 1)
_kind = integer(_MAX_U16, 1)
_signature = exactly(SIGNATURE_BYTES)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. In the first, ``account_id`` and ``prev_hash`` are empty: it defines both.

    ``body`` holds the fields of the kind; ``parse_body`` gives them names. ``created_ms`` is the
    author's clock. ``signature`` is by the identity key over ``signed_message``.
    """

    version: int
    account_id: bytes
    seq: int
    prev_hash: bytes
    kind: int
    body: tuple[Wire, ...]
    created_ms: int
    signature: bytes

    def encode(self) -> bytes:
        """Return the canonical encoding, as stored, hashed and sent."""
        return pack((*self._unsigned(), self.signature))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Parse exactly one entry. Its body's fields are checked too if the kind is known.

        Raises:
            MalformedError: Not the canonical encoding of an entry.
        """
        wire = unpack(data, MAX_ENTRY_BYTES)
        if len(wire) != _FIELDS:
            raise MalformedError(f"expected an array of {_FIELDS} fields")
        is_first = wire[2] == 0
        entry = cls(
            version=_version(wire[0]),
            account_id=(_empty if is_first else _account_id)(wire[1]),
            seq=_seq(wire[2]),
            prev_hash=(_empty if is_first else _hash)(wire[3]),
            kind=_kind(wire[4]),
            body=_array(wire[5]),
            created_ms=a_time(wire[6]),
            signature=_signature(wire[7]),
        )
        entry.parse_body()
        return entry

    def parse_body(self) -> Body | None:
        """Return the typed body, or None if the kind is unknown.

        Raises:
            MalformedError: The kind is known and the fields do not fit it.
        """
        kind = BODIES.get(self.kind)
        return kind.from_fields(self.body) if kind else None

    def signed_message(self) -> bytes:
        """Return the bytes that the identity key signs."""
        return _ENTRY_LABEL + pack(self._unsigned())

    def hash(self) -> bytes:
        """Return the 32-byte hash that the next entry names, and that a head is known by."""
        return hashlib.sha256(self.encode()).digest()

    def _unsigned(self) -> tuple[Wire, ...]:
        return (
            self.version,
            self.account_id,
            self.seq,
            self.prev_hash,
            self.kind,
            self.body,
            self.created_ms,
        )


def sign_entry(
    account_id: bytes,
    seq: int,
    prev_hash: bytes,
    body: Body,
    *,
    created_ms: int,
    sign: Sign,
) -> Entry:
    """Make a signed entry. ``state.next_entry`` fills in the first three.

    Args:
        account_id: Empty for the genesis entry.
        seq: Place in the chain, 0 for the genesis entry.
        prev_hash: Hash of the entry before; empty for the genesis entry.
        body: What to say.
        created_ms: Milliseconds since the Unix epoch; not before the entry before.
        sign: The identity key.
    """
    entry = Entry(
        ENTRY_VERSION,
        account_id,
        seq,
        prev_hash,
        body.KIND,
        body.to_fields(),
        created_ms,
        bytes(SIGNATURE_BYTES),
    )
    return replace(entry, signature=sign(entry.signed_message()))


def possession_message(account_id: bytes, seq: int, prev_hash: bytes, device_key: bytes) -> bytes:
    """Return what a new device signs to show that it has its private key.

    Bound to the account and to the place in its chain: nobody can add a stranger's device.
    """
    return _POSSESSION_LABEL + pack((account_id, seq, prev_hash, device_key))


def account_id_of(genesis: Entry) -> bytes:
    """Return the 20-byte id of the account that begins with this entry."""
    return genesis.hash()[:ACCOUNT_ID_BYTES]


def device_id_of(device_key: bytes) -> bytes:
    """Return the 16-byte id of the device that has this Ed25519 public key."""
    return hashlib.sha256(device_key).digest()[:DEVICE_ID_BYTES]
