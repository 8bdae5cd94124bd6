"""The events that tell what the members of a conversation have agreed on. See ``events``."""

from dataclasses import dataclass

from e2ecore.engine.telling.events import Event
from e2ecore.ids import AccountId, GroupId, MessageId


@dataclass(frozen=True, slots=True)
class PolicyChanged(Event):
    """A conversation has other rules."""

    conversation_id: GroupId
    lifetime_s: int | None
    """Seconds after which messages erase themselves from now on; None: they stay."""
    attachment_ttl_s: int
    """Seconds for which attachments can be fetched at most."""
    by: AccountId


@dataclass(frozen=True, slots=True)
class PinChanged(Event):
    """Somebody else has pinned a message for all, or it is not pinned any more."""

    conversation_id: GroupId
    message_id: MessageId
    order: int
    """As in ``Message.order``."""
    account_id: AccountId
    """Who did it."""
    is_pinned: bool
