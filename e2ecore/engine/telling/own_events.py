"""The events that tell of this account's own devices. See ``events``."""

from dataclasses import dataclass

from e2ecore.engine.telling.events import Event
from e2ecore.ids import DeviceId


@dataclass(frozen=True, slots=True)
class OwnDeviceForked(Event):
    """One of this account's devices has told two different things in one place. Tell the user.

    Its database was set back to an older copy, or somebody else has its key. If the user did not
    restore it, remove it: see ``Engine.devices``. What it said still counts.
    """

    device_id: DeviceId
