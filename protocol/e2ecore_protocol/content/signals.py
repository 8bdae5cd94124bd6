"""What is in a signal: said to the members who are there, and to nobody afterwards.

It is not an MLS message: those move a ratchet, which has to be stored. So it is sealed by a key of
the epoch, which all members have, and signed by the device that speaks.

Spec: protocol/spec/50-content.md, [CNT-80]
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Self

from e2ecore_protocol.codec import Wire, pack, unpack
from e2ecore_protocol.content.kind import CONTENT_VERSION
from e2ecore_protocol.declared import Declared
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.limits import SIGNAL_PLAIN_BYTES, SIGNATURE_BYTES
from e2ecore_protocol.shape import Check, exactly, integer, one_of
from e2ecore_protocol.shape import time_ms as a_time

SIGNAL_KEY_LABEL: Final = "e2ecore signal key v1"
"""Label by which members export the key from an epoch."""

IDLE: Final = 0
TYPING: Final = 1

_LABEL: Final = b"e2ecore signal v1"
_LENGTH_BYTES: Final = 2
_version = one_of(CONTENT_VERSION)
_kind = integer()


@dataclass(frozen=True, slots=True)
class Typing(Declared):
    """Somebody is typing, or not any more.

    ``leaf`` is the leaf of the device that speaks. ``stamp_ms`` is the relay's clock as far as the
    sender knows it, raised so that it is later than in everything that the device signalled before.
    On the wire [1, 1, leaf, stamp_ms, state, signature].
    """

    KIND: ClassVar[int] = 1
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        integer((1 << 32) - 1),
        a_time,
        one_of(IDLE, TYPING),
        exactly(SIGNATURE_BYTES),
    )
    leaf: int
    stamp_ms: int
    state: int
    signature: bytes = bytes(SIGNATURE_BYTES)

    def signed(self, conversation: bytes, epoch: int, sign: Callable[[bytes], bytes]) -> Self:
        """Return a copy signed with the device key, for one conversation and epoch."""
        return replace(self, signature=sign(self.signed_message(conversation, epoch)))

    def signed_message(self, conversation: bytes, epoch: int) -> bytes:
        """Return the bytes that the device key signs."""
        return _LABEL + pack((conversation, epoch, *self._wire()[:-1]))

    def encode(self) -> bytes:
        """Return the canonical encoding."""
        return pack(self._wire())

    def _wire(self) -> tuple[Wire, ...]:
        return (CONTENT_VERSION, self.KIND, *self.to_fields())


def decode_signal(data: bytes) -> Typing | None:
    """Parse what a signal says; None for a kind that is not known here.

    The signature is left to the caller, who knows the device's key.

    Raises:
        MalformedError: Not the canonical encoding of a signal.
    """
    wire = unpack(data, SIGNAL_PLAIN_BYTES)
    _version(wire[0] if wire else None)
    kind = _kind(wire[1] if len(wire) > 1 else None)
    return Typing.from_fields(wire[2:]) if kind == Typing.KIND else None


def pad(content: bytes) -> bytes:
    """Return content as it is sealed: its length, itself, zero bytes.

    Raises:
        MalformedError: It is too long.
    """
    room = SIGNAL_PLAIN_BYTES - _LENGTH_BYTES - len(content)
    if room < 0:
        raise MalformedError("too long for a signal")
    return len(content).to_bytes(_LENGTH_BYTES) + content + bytes(room)


def unpad(plain: bytes) -> bytes:
    """Return what was padded.

    Raises:
        MalformedError: It has another size, or the padding holds something.
    """
    end = _LENGTH_BYTES + int.from_bytes(plain[:_LENGTH_BYTES])
    if len(plain) != SIGNAL_PLAIN_BYTES or end > SIGNAL_PLAIN_BYTES or any(plain[end:]):
        raise MalformedError("not padded as a signal is")
    return plain[_LENGTH_BYTES:end]
