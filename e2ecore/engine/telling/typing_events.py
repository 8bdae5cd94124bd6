"""The events that tell what people do right now. See ``events``; nothing of it is stored."""

from dataclasses import dataclass

from e2ecore.engine.telling.events import Event
from e2ecore.ids import AccountId, GroupId


@dataclass(frozen=True, slots=True)
class TypingChanged(Event):
    """Somebody has begun to type, or stopped. It ends by itself, seconds after the last sign of it.

    In no database: ``Conversation.typists`` says who is typing now.
    """

    conversation_id: GroupId
    account_id: AccountId
    is_typing: bool
