"""What a person can agree to. All of it is off until they do."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from e2ecore_protocol.limits import MAX_ATTACHMENT_TTL_DIRECT_S


class Purpose(StrEnum):
    """What a person can agree to. An app may use names of its own besides, with its own notices."""

    MULTI_DEVICE_SYNC = "multi_device_sync"
    """Several devices with one account. Relay and other clients refuse a second device without."""
    HISTORY_TRANSFER = "history_transfer"
    """A copy of the history for another device of the same person."""
    CLOUD_BACKUP = "cloud_backup"
    """A copy of the history on a server."""
    READ_RECEIPTS = "read_receipts"
    """Others learn what was read."""
    TYPING = "typing"
    """Others learn who is typing."""
    PRESENCE = "presence"
    """Others learn who is online."""
    CONTACT_DISCOVERY = "contact_discovery"
    """An address book is compared with accounts."""
    THIRD_PARTY_SHARING = "third_party_sharing"
    """Data go to another service."""
    LOCATION_MATCHING = "location_matching"
    """A location is used to find people."""
    PROFILING = "profiling"
    """Behaviour is evaluated for suggestions."""


class Terms(NamedTuple):
    """What the record of a consent says of its purpose, besides the notice."""

    data: tuple[str, ...]
    """Kinds of personal data."""
    storage: tuple[str, ...]
    """Where they lie."""
    recipients: tuple[str, ...] = ()
    """Who else gets them."""
    retention_s: int | None = None
    """Seconds for which they are kept; None: until the consent is withdrawn."""


_DEVICES: Final = "devices of the person"
_MEMBERS: Final = "members of the conversations"
TERMS: Final[Mapping[str, Terms]] = MappingProxyType(
    {
        Purpose.MULTI_DEVICE_SYNC: Terms(
            ("messages from now on", "settings", "keys and dates of devices"),
            (_DEVICES, "relay: encrypted, until delivered"),
            (_MEMBERS,),
        ),
        Purpose.HISTORY_TRANSFER: Terms(
            ("messages until now",),
            (_DEVICES, "relay: encrypted, until fetched"),
            retention_s=MAX_ATTACHMENT_TTL_DIRECT_S,
        ),
        Purpose.CLOUD_BACKUP: Terms(("messages until now",), ("server: encrypted",)),
        Purpose.READ_RECEIPTS: Terms(
            ("when messages were read",), ("devices of the members",), (_MEMBERS,)
        ),
        Purpose.TYPING: Terms(
            ("when the person is typing",),
            ("devices of the members: while shown", "relay: that there is a signal, not stored"),
            (_MEMBERS,),
            0,
        ),
        Purpose.PRESENCE: Terms(("when the person was online",), ("relay",), ("contacts",)),
        Purpose.CONTACT_DISCOVERY: Terms(("address book",), (_DEVICES,), retention_s=0),
        Purpose.THIRD_PARTY_SHARING: Terms(
            ("as named in the scope",), ("the other service",), ("the other service",)
        ),
        Purpose.LOCATION_MATCHING: Terms(
            ("approximate location",), ("server: while matching",), ("people nearby",), 0
        ),
        Purpose.PROFILING: Terms(("use of the app",), (_DEVICES,)),
    }
)
"""Terms of the purposes known here."""
