"""The second confirmation of a device: the account's own key, sealed to that device alone.

Spec: protocol/spec/70-linking.md, [LNK-60] to [LNK-67]
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Self

from e2ecore_protocol.codec import pack, unpack
from e2ecore_protocol.declared import Declared
from e2ecore_protocol.limits import DEVICE_ID_BYTES, KIB, SIGNATURE_BYTES
from e2ecore_protocol.shape import Check, blob, exactly, integer
from e2ecore_protocol.shape import time_ms as a_time

KEY_HANDOVER_VERSION: Final = 1
MAX_KEY_HANDOVER_BYTES: Final = 8 * KIB
"""An encapsulated key of X-Wing has 1,120 bytes; larger ones may come."""
KEY_HANDOVER_INFO: Final = b"e2ecore identity key v1"
"""What the sealing is for: ``info`` of HPKE."""
_LABEL: Final = b"e2ecore key handover v1"
_MAX_REF_BYTES: Final = 64
_MAX_ENC_BYTES: Final = 4 * KIB
_MAX_SEALED_BYTES: Final = 256
_TAG_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class KeyHandover(Declared):
    """What a device that has the account's key tells all others when it gives it to one of them.

    ``by`` is the device that confirms ``device_id``. ``early`` is 1 if the person did not wait for
    the end of the quarantine. ``key_package`` is the reference of the key package whose init key it
    is sealed to; ``enc`` and ``sealed`` are HPKE's. ``signature`` is by the identity key over
    ``signed_message``.
    """

    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        integer(KEY_HANDOVER_VERSION, KEY_HANDOVER_VERSION),
        exactly(DEVICE_ID_BYTES),
        exactly(DEVICE_ID_BYTES),
        integer(1),
        a_time,
        blob(_MAX_REF_BYTES, 1),
        blob(_MAX_ENC_BYTES, 1),
        blob(_MAX_SEALED_BYTES, _TAG_BYTES + 1),
        exactly(SIGNATURE_BYTES),
    )
    version: int
    device_id: bytes
    by: bytes
    early: int
    time_ms: int
    key_package: bytes
    enc: bytes
    sealed: bytes
    signature: bytes = bytes(SIGNATURE_BYTES)

    def signed(self, account_id: bytes, sign: Callable[[bytes], bytes]) -> Self:
        """Return a copy signed with the identity key of an account."""
        return replace(self, signature=sign(self.signed_message(account_id)))

    def signed_message(self, account_id: bytes) -> bytes:
        """Return the bytes that the identity key signs."""
        _version, *said, _signature = self.to_fields()
        return _LABEL + pack((account_id, *said))

    def encode(self) -> bytes:
        """Return the canonical encoding."""
        return pack(self.to_fields())

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Parse what ``encode`` gave.

        Raises:
            MalformedError: It is something else.
        """
        return cls.from_fields(unpack(data, MAX_KEY_HANDOVER_BYTES))


def handover_context(account_id: bytes, device_id: bytes, key_package: bytes) -> bytes:
    """Return what the sealing is bound to: associated data of HPKE."""
    return pack((account_id, device_id, key_package))
