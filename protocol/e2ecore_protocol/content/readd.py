"""A member's request to be added again, after it lost or could not follow its MLS state.

It cannot be encrypted, since the keys are what is lost; so it is signed by the device key.
Spec: protocol/spec/50-content.md
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import ClassVar, Final, Self

from e2ecore_protocol.codec import Wire, pack, unpack
from e2ecore_protocol.declared import Declared
from e2ecore_protocol.limits import (
    ACCOUNT_ID_BYTES,
    CONVERSATION_ID_BYTES,
    DEVICE_ID_BYTES,
    SIGNATURE_BYTES,
)
from e2ecore_protocol.shape import Check, exactly, number, one_of
from e2ecore_protocol.shape import time_ms as a_time

_LABEL = b"e2ecore re-add request v1"
_VERSION: Final = 1
_MAX_BYTES: Final = 256
_version = one_of(_VERSION)


class ReaddReason(IntEnum):
    """Why a member cannot go on."""

    COMMIT_FAILED = 1
    """A commit could not be processed."""

    COMMIT_MISSED = 2
    """A commit expired before it was read."""

    STATE_LOST = 3
    """The local state is gone or damaged."""


@dataclass(frozen=True, slots=True)
class ReaddRequest(Declared):
    """Please remove this device's leaf and add it again, with a fresh key package.

    ``epoch`` is the last epoch that the device could follow: a request is void as soon as the
    device was added in a later one. On the wire [1, conversation, account_id, device_id, epoch,
    reason, created_ms, signature].
    """

    conversation: bytes
    account_id: bytes
    device_id: bytes
    epoch: int
    reason: int
    created_ms: int
    signature: bytes = bytes(SIGNATURE_BYTES)

    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        exactly(CONVERSATION_ID_BYTES),
        exactly(ACCOUNT_ID_BYTES),
        exactly(DEVICE_ID_BYTES),
        number,
        one_of(*ReaddReason),
        a_time,
        exactly(SIGNATURE_BYTES),
    )

    def signed(self, sign: Callable[[bytes], bytes]) -> Self:
        """Return a copy signed with the device key."""
        return replace(self, signature=sign(self.signed_message()))

    def signed_message(self) -> bytes:
        """Return the bytes that the device key signs."""
        return _LABEL + pack(self._unsigned())

    def encode(self) -> bytes:
        """Return the canonical encoding."""
        return pack((*self._unsigned(), self.signature))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Parse a request. Its signature is left to the caller, who knows the device's key.

        Raises:
            MalformedError: Not the canonical encoding of a request.
        """
        wire = unpack(data, _MAX_BYTES)
        _version(wire[0] if wire else None)
        return cls.from_fields(wire[1:])

    def _unsigned(self) -> tuple[Wire, ...]:
        return (_VERSION, *self.to_fields()[:-1])
