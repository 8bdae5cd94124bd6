"""Payloads of NOTICE envelopes: what the relay has to tell one device, in its inbox."""

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from e2ecore_protocol.codec import unpack_fields
from e2ecore_protocol.errors import MalformedError
from e2ecore_protocol.frames.blobs import BlobsDeleted
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.frames.removals import DevicesErased
from e2ecore_protocol.limits import MAX_FRAME_BYTES, MAX_KEY_PACKAGES_PER_FRAME
from e2ecore_protocol.shape import Check, integer


@dataclass(frozen=True, slots=True)
class KeyPackagesLow(Frame):
    """One-time key packages are running out: publish new ones.

    Sent when the count falls to KEY_PACKAGES_LOW or below it, and when it falls to 0.
    """

    TYPE: ClassVar[int] = 1
    SHAPE: ClassVar[tuple[Check[object], ...]] = (integer(MAX_KEY_PACKAGES_PER_FRAME),)
    left: int


@dataclass(frozen=True, slots=True)
class GuardianshipChanged(Frame):
    """Something has changed that FetchGuardianship tells."""

    TYPE: ClassVar[int] = 4
    SHAPE: ClassVar[tuple[Check[object], ...]] = ()


Notice: TypeAlias = KeyPackagesLow | BlobsDeleted | DevicesErased | GuardianshipChanged


def decode_notice(data: bytes) -> Notice:
    """Parse a notice.

    Raises:
        MalformedError: It is none that is known.
    """
    wire = unpack_fields(data, MAX_FRAME_BYTES)
    match wire[:1]:
        case (bool(),):  # which equals a type, and is none
            raise MalformedError("not a notice")
        case (KeyPackagesLow.TYPE,):
            return KeyPackagesLow.from_wire(wire)
        case (BlobsDeleted.TYPE,):
            return BlobsDeleted.from_wire(wire)
        case (DevicesErased.TYPE,):
            return DevicesErased.from_wire(wire)
        case (GuardianshipChanged.TYPE,):
            return GuardianshipChanged.from_wire(wire)
        case _:
            raise MalformedError("not a notice")
