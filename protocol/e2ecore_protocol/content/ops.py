"""One op: what a device says of the state that all devices of an account share.

Spec: protocol/spec/75-own-devices.md
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Final, NamedTuple, Self, TypeAlias

from e2ecore_protocol.codec import Wire, pack, unpack
from e2ecore_protocol.content.op_bodies import OP_BODIES, OpBody, Rule, rule_of
from e2ecore_protocol.declared import Declared
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import (
    DEVICE_ID_BYTES,
    HASH_BYTES,
    MAX_OP_BYTES,
    MAX_OP_SEEN,
    MAX_OP_SUBJECT_BYTES,
    SIGNATURE_BYTES,
)
from e2ecore_protocol.shape import Check, blob, exactly, integer, listing, number, record

OP_VERSION: Final = 1
"""First element of an op."""

NO_OP: Final = bytes(HASH_BYTES)
"""What the first op of a device names as the one before."""

Slot: TypeAlias = tuple[int, bytes]
"""Kind and subject. Ops of different slots do not touch each other."""

_LABEL: Final = b"e2ecore op v1"
_version = integer(OP_VERSION, OP_VERSION)
_count = integer(min_value=1)


class Seen(NamedTuple):
    """What an op's author had of a device about the same: all up to and including a number."""

    device_id: bytes
    number: int


def _array(value: Wire) -> tuple[Wire, ...]:
    if not isinstance(value, tuple):
        raise MalformedError("expected an array")
    return value


@dataclass(frozen=True, slots=True)
class Op(Declared):
    """One op.

    ``number`` counts the device's ops from 1 on, ``prev_hash`` is the hash of the one before.
    ``time`` is a hybrid time: milliseconds in all but the last 16 bits, which count. ``seen`` names
    the devices whose ops on the same kind and subject this one overwrites, ascending. ``value`` has
    the fields of the kind; ``body`` gives them names. On the wire [1, device_id, number, ...].
    """

    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        exactly(DEVICE_ID_BYTES),
        _count,
        exactly(HASH_BYTES),
        number,
        integer(0xFFFF, 1),
        blob(MAX_OP_SUBJECT_BYTES),
        listing(record(Seen._make, exactly(DEVICE_ID_BYTES), _count), MAX_OP_SEEN),
        _array,
        exactly(SIGNATURE_BYTES),
    )
    device_id: bytes
    number: int
    prev_hash: bytes
    time: int
    kind: int
    subject: bytes
    seen: tuple[Seen, ...]
    value: tuple[Wire, ...]
    signature: bytes = bytes(SIGNATURE_BYTES)

    def signed(self, account_id: bytes, sign: Callable[[bytes], bytes]) -> Self:
        """Return a copy signed with the device key, as one of an account."""
        return replace(self, signature=sign(self.signed_message(account_id)))

    def signed_message(self, account_id: bytes) -> bytes:
        """Return the bytes that the device key signs."""
        return _LABEL + pack((account_id, self.hash()))

    def hash(self) -> bytes:
        """Return the 32 bytes by which an op is known: over all but its signature."""
        return hashlib.sha256(pack(self._unsigned())).digest()

    def slot(self) -> Slot:
        """Return what this is about."""
        return self.kind, self.subject

    def body(self) -> OpBody | None:
        """Return what it says; None for a kind that is not known here.

        Raises:
            MalformedError: The value does not fit the kind.
        """
        kind = OP_BODIES.get(self.kind)
        return kind.from_fields(self.value) if kind else None

    def encode(self) -> bytes:
        """Return the canonical encoding."""
        return pack((*self._unsigned(), self.signature))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Parse one op. Its signature is left to the caller, who knows the device's key.

        Raises:
            MalformedError: Not the canonical encoding of an op, or its fields do not fit.
        """
        wire = unpack(data, MAX_OP_BYTES)
        _version(wire[0] if wire else None)
        op = cls.from_fields(wire[1:])
        op.check()
        return op

    def check(self) -> None:
        """Refuse fields that do not fit each other.

        Raises:
            MalformedError: They do not.
        """
        if (self.number == 1) != (self.prev_hash == NO_OP):
            raise MalformedError("the first op of a device, and no other, follows nothing")
        self._check_seen()
        if rule_of(self.kind) is Rule.GREATEST:
            number(self.value[0] if self.value else None)
        if kind := OP_BODIES.get(self.kind):
            kind.SUBJECT(self.subject)
            kind.from_fields(self.value)

    def _check_seen(self) -> None:
        devices = [seen.device_id for seen in self.seen]
        if devices != sorted({*devices} - {self.device_id}):
            raise MalformedError("other devices, ascending, each once")
        if devices and rule_of(self.kind) in (Rule.GREATEST, Rule.FOREVER):
            raise MalformedError("ops of this rule overwrite nothing")

    def _unsigned(self) -> tuple[Wire, ...]:
        return (OP_VERSION, *self.to_fields()[:-1])
