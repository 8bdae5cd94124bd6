"""Frames of key packages: what others need to add a device to a group."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.limits import (
    ACCOUNT_ID_BYTES,
    DEVICE_ID_BYTES,
    MAX_CLAIMED_ACCOUNTS,
    MAX_DEVICES,
    MAX_KEY_PACKAGE_BYTES,
    MAX_KEY_PACKAGES_PER_FRAME,
)
from e2ecore_protocol.shape import Check, blob, exactly, integer, listing, maybe, record, request

_ACCOUNT_ID = exactly(ACCOUNT_ID_BYTES)
_KEY_PACKAGE = blob(MAX_KEY_PACKAGE_BYTES, 1)


class DeviceKeyPackage(NamedTuple):
    """A key package of one device: one-time if one was left, else its last resort."""

    account_id: bytes
    device_id: bytes
    key_package: bytes


@dataclass(frozen=True, slots=True)
class PublishKeyPackages(Frame):
    """Client: keep these for whoever wants to add this device. Answered by Ok.

    One-time packages are added to those waiting; beyond MAX_KEY_PACKAGES_PER_FRAME waiting ones the
    oldest are dropped. ``last_resort``, if given, replaces the one before.
    """

    TYPE: ClassVar[int] = 7
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        request,
        listing(_KEY_PACKAGE, MAX_KEY_PACKAGES_PER_FRAME),
        maybe(_KEY_PACKAGE),
    )
    request: int
    key_packages: tuple[bytes, ...]
    last_resort: bytes | None


@dataclass(frozen=True, slots=True)
class ClaimKeyPackages(Frame):
    """Client: one key package for each live device of these accounts. Answered by KeyPackages.

    An account named twice is answered once. The asking device itself is left out.
    """

    TYPE: ClassVar[int] = 8
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        request,
        listing(_ACCOUNT_ID, MAX_CLAIMED_ACCOUNTS, 1),
    )
    request: int
    accounts: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ClaimDeviceKeyPackages(Frame):
    """Client: key packages of one device, and of no other of its account. Answered by KeyPackages.

    ``count`` one-time packages, or as many as there are; the last resort if there is none. A device
    of another account gives one at most.
    """

    TYPE: ClassVar[int] = 13
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        request,
        _ACCOUNT_ID,
        exactly(DEVICE_ID_BYTES),
        integer(MAX_KEY_PACKAGES_PER_FRAME, 1),
    )
    request: int
    account_id: bytes
    device_id: bytes
    count: int


@dataclass(frozen=True, slots=True)
class KeyPackages(Frame):
    """Relay: the claimed key packages. Each one-time package is handed out once, to one claim."""

    TYPE: ClassVar[int] = 73
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        request,
        listing(
            record(DeviceKeyPackage._make, _ACCOUNT_ID, exactly(DEVICE_ID_BYTES), _KEY_PACKAGE),
            MAX_CLAIMED_ACCOUNTS * MAX_DEVICES,
        ),
    )
    request: int
    packages: tuple[DeviceKeyPackage, ...]
