"""Read receipts: how far somebody has read, sent only by those who want to.

Spec: protocol/spec/50-content.md
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from e2ecore_protocol.content.kind import Content
from e2ecore_protocol.limits import ACCOUNT_ID_BYTES, DEVICE_ID_BYTES, MAX_MEMBER_DEVICES
from e2ecore_protocol.shape import Check, exactly, integer, listing, record


class Read(NamedTuple):
    """How far the messages of one sending device were read.

    ``sender`` is account id and device id, 36 bytes.
    """

    sender: bytes
    upto_counter: int


@dataclass(frozen=True, slots=True)
class ReadReceipt(Content):
    """What the user of the sending account has read. Cumulative, and it implies being stored."""

    KIND: ClassVar[int] = 8
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        listing(
            record(Read._make, exactly(ACCOUNT_ID_BYTES + DEVICE_ID_BYTES), integer(min_value=1)),
            MAX_MEMBER_DEVICES,
            1,
        ),
    )
    read: tuple[Read, ...]
