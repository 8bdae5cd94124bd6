"""The events that tell what other devices of this account have said. See ``events``."""

from dataclasses import dataclass

from e2ecore.engine.telling.events import Event
from e2ecore.ids import AccountId, DeviceId


@dataclass(frozen=True, slots=True)
class OwnDeviceForked(Event):
    """One of this account's devices has told two different things in one place. Tell the user.

    Its database was set back to an older copy, or somebody else has its key. If the user did not
    restore it, remove it: see ``Engine.devices``. What it said still counts.
    """

    device_id: DeviceId


@dataclass(frozen=True, slots=True)
class ContactEdited(Event):
    """On another device the user has named, added, forgotten, blocked or verified somebody.

    Or has taken that back. ``Contacts.get`` says what is so now.
    """

    account_id: AccountId


@dataclass(frozen=True, slots=True)
class SettingChanged(Event):
    """On another device the app has set something, or set it no longer. See ``Settings.get``."""

    name: str
