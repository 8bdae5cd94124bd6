"""The life of one connection, as a table.

A connection may register an account before it authenticates, never after; it authenticates once, or
it comes to a rendezvous and never authenticates; it asks and is answered while ready; it drains
when the relay stops or a newer connection of the same device takes over. Whatever the table does
not list is refused by ``UnexpectedFrameError``.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final


class SessionState(Enum):
    """Where a connection stands."""

    GREETED = "greeted"
    """The challenge was sent; nobody is known yet."""
    PROVING = "proving"
    """An Authenticate frame is being checked."""
    VISITING = "visiting"
    """It has come to a rendezvous; it will never be ready."""
    READY = "ready"
    """A device is known; deliveries flow."""
    CLOSED = "closed"
    """Over. Nothing leaves it."""


class SessionEvent(Enum):
    """What can happen to a connection."""

    REGISTER = "register"
    AUTHENTICATE = "authenticate"
    PROVED = "proved"
    JOIN = "join"
    REFUSED = "refused"
    REQUEST = "request"
    CLOSE = "close"


class UnexpectedFrameError(Exception):
    """The client sent a frame that its state does not allow. The connection is closed."""


NEXT: Final[Mapping[tuple[SessionState, SessionEvent], SessionState]] = MappingProxyType(
    {
        (SessionState.GREETED, SessionEvent.REGISTER): SessionState.GREETED,
        (SessionState.GREETED, SessionEvent.AUTHENTICATE): SessionState.PROVING,
        (SessionState.GREETED, SessionEvent.JOIN): SessionState.VISITING,
        (SessionState.PROVING, SessionEvent.PROVED): SessionState.READY,
        (SessionState.PROVING, SessionEvent.REFUSED): SessionState.CLOSED,
        (SessionState.READY, SessionEvent.REQUEST): SessionState.READY,
        (SessionState.GREETED, SessionEvent.CLOSE): SessionState.CLOSED,
        (SessionState.PROVING, SessionEvent.CLOSE): SessionState.CLOSED,
        (SessionState.VISITING, SessionEvent.CLOSE): SessionState.CLOSED,
        (SessionState.READY, SessionEvent.CLOSE): SessionState.CLOSED,
        (SessionState.CLOSED, SessionEvent.CLOSE): SessionState.CLOSED,
    }
)
"""All steps. A test walks the full product."""


def next_state(state: SessionState, event: SessionEvent) -> SessionState:
    """Return the state after an event.

    Raises:
        UnexpectedFrameError: The table does not list the pair.
    """
    try:
        return NEXT[state, event]
    except KeyError:
        raise UnexpectedFrameError(f"{event.value} while {state.value}") from None
