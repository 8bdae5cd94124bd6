"""The relay's proof that it keeps nothing for a device that was removed.

Spec: protocol/spec/80-chain-and-consent.md, [CHN-50]
"""

from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

from e2ecore_protocol.chain.bodies import RemovalReason
from e2ecore_protocol.codec import pack
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.limits import (
    DEVICE_ID_BYTES,
    KEY_BYTES,
    MAX_DEVICES,
    SIGNATURE_BYTES,
)
from e2ecore_protocol.shape import Check, exactly, listing, number, one_of, record
from e2ecore_protocol.shape import time_ms as a_time

_LABEL: Final = b"e2ecore device receipt v1"


class Erased(NamedTuple):
    """What the relay has deleted of one device."""

    envelopes: int
    """Places of the logs that it had not acknowledged, its inbox among them."""

    conversations: int
    """Conversations that it was in the route of."""

    key_packages: int
    """One-time key packages that waited for somebody to add it."""

    blobs: int
    """Blobs that were waiting for it alone, and are deleted with it. Each has its own receipt."""


class DeviceReceipt(NamedTuple):
    """The relay's signed word that what it kept for a device is deleted."""

    device_id: bytes
    reason: int
    erased: Erased
    time_ms: int
    signature: bytes


_RECEIPT = record(
    DeviceReceipt._make,
    exactly(DEVICE_ID_BYTES),
    one_of(*map(int, RemovalReason)),
    record(Erased._make, number, number, number, number),
    a_time,
    exactly(SIGNATURE_BYTES),
)


@dataclass(frozen=True, slots=True)
class DevicesErased(Frame):
    """Notice to the devices that stay: what was kept for these is deleted, and here is the proof.

    ``receipt_key`` is the key by which the relay signs receipts of blobs, too.
    """

    TYPE: ClassVar[int] = 3
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        exactly(KEY_BYTES),
        listing(_RECEIPT, MAX_DEVICES, 1),
    )
    receipt_key: bytes
    receipts: tuple[DeviceReceipt, ...]


def device_receipt_message(
    server_name: str,
    account_id: bytes,
    device_id: bytes,
    *,
    reason: int,
    erased: Erased,
    time_ms: int,
) -> bytes:
    """Return what a relay signs when it has deleted what it kept for a device.

    Args:
        server_name: The relay's name, as in its Challenge.
        account_id: Whose device it was.
        device_id: Which device.
        reason: The RemovalReason of the entry.
        erased: How much there was.
        time_ms: The relay's clock when it was deleted.
    """
    return _LABEL + pack((server_name, account_id, device_id, reason, tuple(erased), time_ms))
