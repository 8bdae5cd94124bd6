"""The life of the link to the relay as a table: which state follows which event.

Whoever drives the link feeds it what happened; an unlisted pair is a defect and raises. The engine
shows the state to its user.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from e2ecore.errors import UsageError


class LinkState(Enum):
    """What the link to the relay is doing."""

    OFFLINE = "offline"
    """Nothing, until it is told to start, or because it was told to stop."""

    CONNECTING = "connecting"
    """Name, TCP, TLS, the relay's Challenge, authentication."""

    CATCHING_UP = "catching up"
    """Authenticated; what waited at the relay is coming in."""

    LIVE = "live"
    """Everything that waited is here; new envelopes come as they are sent."""

    WAITING = "waiting"
    """The last attempt failed, or the connection broke; the next attempt comes by itself."""

    REFUSED = "refused"
    """The relay said no in a way that trying again does not change; the user must act."""


class LinkEvent(Enum):
    """What can happen to the link."""

    STARTED = "started"
    AUTHENTICATED = "authenticated"
    CAUGHT_UP = "caught up"
    BROKEN = "broken"
    REFUSED = "refused"
    PAUSE_OVER = "pause over"
    STOPPED = "stopped"


_S, _E = LinkState, LinkEvent
NEXT: Final[Mapping[tuple[LinkState, LinkEvent], LinkState]] = MappingProxyType(
    {
        (_S.OFFLINE, _E.STARTED): _S.CONNECTING,
        (_S.CONNECTING, _E.AUTHENTICATED): _S.CATCHING_UP,
        (_S.CONNECTING, _E.BROKEN): _S.WAITING,
        (_S.CONNECTING, _E.REFUSED): _S.REFUSED,
        (_S.CATCHING_UP, _E.CAUGHT_UP): _S.LIVE,
        (_S.CATCHING_UP, _E.BROKEN): _S.WAITING,
        (_S.CATCHING_UP, _E.REFUSED): _S.REFUSED,
        (_S.LIVE, _E.BROKEN): _S.WAITING,
        (_S.LIVE, _E.REFUSED): _S.REFUSED,
        (_S.WAITING, _E.PAUSE_OVER): _S.CONNECTING,
        (_S.REFUSED, _E.STARTED): _S.CONNECTING,
        **{(state, _E.STOPPED): _S.OFFLINE for state in _S},
    }
)
"""All transitions there are."""


def next_state(state: LinkState, event: LinkEvent) -> LinkState:
    """Return the state that follows.

    Raises:
        UsageError: This cannot happen in this state: a defect of the caller.
    """
    try:
        return NEXT[state, event]
    except KeyError:
        raise UsageError(f"{event.value} cannot happen while {state.value}") from None
