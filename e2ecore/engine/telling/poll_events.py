"""The events that tell what happens to polls. See ``events``."""

from dataclasses import dataclass

from e2ecore.engine.telling.events import Event
from e2ecore.ids import AccountId, GroupId, MessageId


@dataclass(frozen=True, slots=True)
class PollVoted(Event):
    """Somebody else has voted on a poll, or voted anew. What they chose is sealed."""

    conversation_id: GroupId
    message_id: MessageId
    """The poll."""
    order: int
    """As in ``Message.order``."""
    account_id: AccountId
    """Who voted."""


@dataclass(frozen=True, slots=True)
class PollClosed(Event):
    """A poll was closed by somebody else. Votes are opened now: see ``Conversation.poll``."""

    conversation_id: GroupId
    message_id: MessageId
    """The poll."""
    order: int
    """As in ``Message.order``."""
    by: AccountId


@dataclass(frozen=True, slots=True)
class VoteOpened(Event):
    """The vote of somebody else on a closed poll is known now, and counts."""

    conversation_id: GroupId
    message_id: MessageId
    """The poll."""
    order: int
    """As in ``Message.order``."""
    account_id: AccountId
    """Whose vote."""
