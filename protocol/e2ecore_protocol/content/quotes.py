"""What of a message an answer binds, by its kind.

Spec: protocol/spec/50-content.md, [CNT-29]
"""

from collections.abc import Iterable

from e2ecore_protocol.codec import Wire
from e2ecore_protocol.content.cards import ContactCard
from e2ecore_protocol.content.polls import Poll


def card_said(card: ContactCard) -> Wire:
    """Return what an answer to a card binds: whom it shows, and under which names."""
    return card.account_id, card.handle, card.display_name


def poll_said(poll: Poll) -> Wire:
    """Return what an answer to a poll binds: all that was asked."""
    return poll.question, poll.options, poll.max_choices, poll.closes_ms


def files_said(text: str, digests: Iterable[bytes]) -> Wire:
    """Return what an answer to files binds: what was said of them, and their own digests."""
    return text, tuple(digests)
