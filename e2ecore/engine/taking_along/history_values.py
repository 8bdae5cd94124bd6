"""History on its way between two devices of one person, as the app sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from e2ecore.engine.telling.events import Event
from e2ecore.ids import DeviceId, GroupId


class TransferState(Enum):
    """How far a transfer of history is."""

    UNDER_WAY = "under way"
    """More is to come; it goes on by itself whenever both devices are online."""
    GIVEN = "given"
    """All of it is at the relay, until the other device has fetched it; for seven days at most."""
    TAKEN = "taken"
    """All of it is here."""
    ENDED = "ended"
    """It was given up: by the person, or with the consent."""
    INCOMPLETE = "incomplete"
    """Something of it was gone before this device could fetch it. Ask for it again."""


@dataclass(frozen=True, slots=True)
class HistoryTransfer:
    """History that this device gives to another one of the same person, or takes from it."""

    transfer_id: bytes
    """16 bytes."""
    device_id: DeviceId
    """The other device."""
    is_given: bool
    """Does this device give it?"""
    state: TransferState
    messages: int
    """Given so far; taken: how many of them were new here."""
    total: int | None
    """How many there are in all, when it began; None where this device takes them."""
    withheld: Mapping[GroupId, int]
    """Messages that are not given, by conversation: they disappear, and whoever sent them does not
    want copies that stay."""
    began_ms: int


@dataclass(frozen=True, slots=True)
class HistoryArrived(Event):
    """Older messages from another device of the same person are here."""

    transfer_id: bytes
    conversation_id: GroupId
    messages: int
    """How many were new here."""


@dataclass(frozen=True, slots=True)
class HistoryTransferChanged(Event):
    """A transfer of history has begun, or is over."""

    transfer: HistoryTransfer
