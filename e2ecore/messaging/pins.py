"""Who may pin messages for all members of a conversation.

Spec: protocol/spec/50-content.md
"""

from e2ecore.errors import PeerError
from e2ecore.messaging.roster import Roster
from e2ecore_protocol.content.conversation import InfoKind, Role
from e2ecore_protocol.limits import MAX_CLOCK_DIFFERENCE_MS


class PinNotAllowedError(PeerError):
    """A member of a group pinned a message and is neither admin nor owner. It was ignored."""


class PinAheadError(PeerError):
    """A member pinned a message in the future, so that nobody could change it. It was ignored."""


def may_pin(roster: Roster, account_id: bytes) -> bool:
    """Answer whether an account may pin messages: in a group only admins and owners."""
    if roster.info.kind is InfoKind.DIRECT:
        return account_id in roster.devices
    return roster.role(account_id) >= Role.ADMIN


def check_pin(roster: Roster, account_id: bytes, changed_ms: int, taken_ms: int) -> None:
    """Refuse a pin that does not count.

    Args:
        roster: Who is a member where the relay has put it, and on which terms.
        account_id: Who sent it.
        changed_ms: What its sender's clock said.
        taken_ms: When the relay took it, by its clock.

    Raises:
        PinNotAllowedError: The sender may not pin.
        PinAheadError: It would count more than whatever honest members say for a long time.
    """
    if not may_pin(roster, account_id):
        raise PinNotAllowedError
    if changed_ms > taken_ms + MAX_CLOCK_DIFFERENCE_MS:
        raise PinAheadError
