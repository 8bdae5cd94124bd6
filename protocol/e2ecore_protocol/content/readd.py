"""A member's request to be added again, after it lost or could not follow its MLS state.

It cannot be encrypted, since the keys are what is lost; so it is signed by the device key.
Spec: protocol/spec/50-content.md
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import ClassVar, Final, NamedTuple, Self

from e2ecore_protocol.codec import Wire, pack, unpack
from e2ecore_protocol.declared import Declared
from e2ecore_protocol.limits import (
    ACCOUNT_ID_BYTES,
    CONVERSATION_ID_BYTES,
    DEVICE_ID_BYTES,
    HASH_BYTES,
    SIGNATURE_BYTES,
)
from e2ecore_protocol.shape import Check, exactly, maybe, number, one_of, record
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

    OUTVOTED = 4
    """The others refused a commit that this device had followed."""

    NOT_IN_ROUTE = 5
    """The relay does not deliver to this device any more, though it is a member."""


class FailedCommit(NamedTuple):
    """Names a commit in a log: the log's epoch that it ended, and SHA-256 of its payload."""

    number: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class ReaddRequest(Declared):
    """Please remove this device's leaf and add it again, with a fresh key package.

    ``epoch`` is the last MLS epoch that the device could follow. ``failed`` names the commit that
    it could not open; requests that name the same one are counted, and refuse it together. On the
    wire [1, conversation, account_id, device_id, epoch, reason, failed, created_ms, signature].
    """

    conversation: bytes
    account_id: bytes
    device_id: bytes
    epoch: int
    reason: int
    failed: FailedCommit | None
    created_ms: int
    signature: bytes = bytes(SIGNATURE_BYTES)

    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        exactly(CONVERSATION_ID_BYTES),
        exactly(ACCOUNT_ID_BYTES),
        exactly(DEVICE_ID_BYTES),
        number,
        one_of(*ReaddReason),
        maybe(record(FailedCommit._make, number, exactly(HASH_BYTES))),
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
