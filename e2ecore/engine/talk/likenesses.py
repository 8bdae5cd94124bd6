"""Cards and polls made of what is here already, to be sent as messages of their own."""

from collections.abc import Callable

from e2ecore.engine.values import ContactCard, Poll
from e2ecore_protocol.content import cards, polls


def card_like(card: ContactCard) -> Callable[[bytes, int], cards.ContactCard]:
    """Return what makes a card that shows the same account under the same names."""
    name = card.display_name or ""
    return lambda uid, sent_ms: cards.ContactCard(uid, sent_ms, card.account_id, card.handle, name)


def poll_like(poll: Poll) -> Callable[[bytes, int], polls.Poll]:
    """Return what makes a poll that asks the same; it ends when somebody closes it."""
    return lambda uid, sent_ms: polls.Poll(
        uid, sent_ms, poll.question, poll.options, poll.max_choices, None
    )
