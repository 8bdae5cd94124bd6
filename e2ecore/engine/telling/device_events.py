"""What happens to the devices of this account: events of ``Engine.events``."""

from dataclasses import dataclass

from e2ecore.engine.own_devices.device_values import DeviceErasure
from e2ecore.engine.telling.events import Event
from e2ecore.ids import AccountId, DeviceId
from e2ecore_protocol.chain.bodies import RemovalReason


@dataclass(frozen=True, slots=True)
class ThisDeviceRemoved(Event):
    """The owner has removed this very device, and what it holds is about to be erased.

    The account's own signature says so, not the relay. Nothing can be done here any more: tell the
    user. Every call says ``DeviceErasedError`` from now on.
    """

    account_id: AccountId
    reason: RemovalReason


@dataclass(frozen=True, slots=True)
class DeviceErased(Event):
    """The relay has signed that it keeps nothing for a removed device any more."""

    device_id: DeviceId
    erasure: DeviceErasure


@dataclass(frozen=True, slots=True)
class DeviceReceiptLate(Event):
    """The relay has not signed that it keeps nothing for a device that was removed.

    It comes with the removal; ten minutes are allowed while the relay can be reached. One that
    comes later is kept all the same.
    """

    device_id: DeviceId
    since_ms: int
    """When this device learned of the removal."""


@dataclass(frozen=True, slots=True)
class DeviceConfirmed(Event):
    """A linked device has got the account's own key: it can change the account from now on.

    Always tell the user. If they did not confirm it themselves: remove the device at once.
    """

    device_id: DeviceId
    by: DeviceId
    """The device on which it was confirmed."""
    early: bool
    """The person did not wait for the end of the quarantine."""


@dataclass(frozen=True, slots=True)
class AccountMoved(Event):
    """The account has moved from this device to another one. Always tell the user.

    The history stays and can be exported; nothing can be sent or received here any more. If they
    did not do it themselves: somebody had this device unlocked in hand, and its passphrase.
    """

    device_id: DeviceId
    """The device that has the account now."""
