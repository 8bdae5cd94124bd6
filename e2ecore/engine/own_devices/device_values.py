"""What is known of the devices of this account."""

from dataclasses import dataclass

from e2ecore.ids import DeviceId, GroupId
from e2ecore_protocol.chain.bodies import RemovalReason


@dataclass(frozen=True, slots=True)
class DeviceErasure:
    """The relay's signed word that it keeps nothing for a device any more, and how much it was.

    It proves what the relay said, not what it did. The counts are of what waited for this device
    alone; what waits for others as well waits on.
    """

    deleted_ms: int
    """When it was deleted, by the relay's clock."""
    envelopes: int
    """Messages and the like that the device had not fetched."""
    conversations: int
    """Conversations of which it was sent everything."""
    key_packages: int
    """Keys by which others could have added it."""
    blobs: int
    """Files that waited for nobody else; each has a receipt of its own."""
    server_name: str
    """The relay that signed it."""
    signature: bytes
    """Over what protocol/spec/80-chain-and-consent.md, [CHN-50], says."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device that this account has or had."""

    device_id: DeviceId
    added_ms: int
    """When it was linked, by the clock of the device that did it."""
    removed_ms: int | None
    """When it was removed; None: it is in use."""
    is_this: bool
    """Is it the one in your hands?"""
    counts: bool
    """May it talk now? Not without a consent to several devices, but for the oldest."""
    waiting: tuple[GroupId, ...]
    """Conversations that it is still to come into; of a removed device, those it is still to be
    taken out of, which do not have new keys yet."""
    removed_for: RemovalReason | None = None
    """Why it was removed; None: it is in use."""
    erasure: DeviceErasure | None = None
    """The relay's proof that it keeps nothing for a removed device; None: it has not come (yet)."""
    confirmed_ms: int | None = None
    """When it was confirmed, and got the account's own key; None: never, like the first one."""
    confirmed_early: bool = False
    """The person did not wait for the end of its quarantine."""


@dataclass(frozen=True, slots=True)
class DeviceNews:
    """What has changed since the user last saw the list of devices."""

    added: tuple[Device, ...]
    removed: tuple[Device, ...]
    confirmed: tuple[Device, ...] = ()
    """Devices that can change the account now."""
