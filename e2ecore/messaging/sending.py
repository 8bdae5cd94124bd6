"""The life of one outgoing envelope, as a table.

``OVERTAKEN`` means that the epoch it was encrypted in is over at the relay: the same content, with
the same counter and message id, is encrypted again in the current epoch and goes back to
``QUEUED``.
"""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from e2ecore.errors import UsageError


class SendState(IntEnum):
    """Where an outgoing envelope is. The numbers are stored: never change one."""

    WAITING = 0
    """Stored in clear inside the encrypted database until the conversation exists at the relay."""
    QUEUED = 1
    """Encrypted, not yet given to the relay on this connection."""
    IN_FLIGHT = 2
    """Given to the relay, which has not answered."""
    ACCEPTED = 3
    """The relay has given it its place in the conversation."""
    FAILED = 4
    """The relay refused it for good."""
    OVERTAKEN = 5
    """Its epoch is over; to be encrypted again."""


class SendEvent(IntEnum):
    """What can happen to an outgoing envelope."""

    ENCRYPTED = 1
    SUBMITTED = 2
    ACCEPTED = 3
    REFUSED = 4
    STALE = 5
    DISCONNECTED = 6
    POSTPONED = 7
    EPOCH_ENDED = 8


class ImpossibleStepError(UsageError):
    """An envelope was asked to take a step that its state does not allow.

    This is a defect of the engine.
    """


TRANSITIONS: Final[Mapping[tuple[SendState, SendEvent], SendState]] = MappingProxyType(
    {
        (SendState.WAITING, SendEvent.ENCRYPTED): SendState.QUEUED,
        (SendState.WAITING, SendEvent.REFUSED): SendState.FAILED,
        (SendState.QUEUED, SendEvent.SUBMITTED): SendState.IN_FLIGHT,
        (SendState.QUEUED, SendEvent.EPOCH_ENDED): SendState.OVERTAKEN,
        (SendState.QUEUED, SendEvent.REFUSED): SendState.FAILED,
        (SendState.IN_FLIGHT, SendEvent.ACCEPTED): SendState.ACCEPTED,
        (SendState.IN_FLIGHT, SendEvent.REFUSED): SendState.FAILED,
        (SendState.IN_FLIGHT, SendEvent.STALE): SendState.OVERTAKEN,
        (SendState.IN_FLIGHT, SendEvent.DISCONNECTED): SendState.QUEUED,
        (SendState.IN_FLIGHT, SendEvent.POSTPONED): SendState.QUEUED,
        (SendState.OVERTAKEN, SendEvent.ENCRYPTED): SendState.QUEUED,
        (SendState.OVERTAKEN, SendEvent.REFUSED): SendState.FAILED,
    }
)
"""Every step there is. A pair that is not here is impossible and raises."""


def step(state: SendState, event: SendEvent) -> SendState:
    """Return the next state.

    Raises:
        ImpossibleStepError: The table has no such step.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise ImpossibleStepError(f"{event.name} while {state.name}") from None


class Verdict(IntEnum):
    """What an answer of the relay means for an envelope."""

    ACCEPTED = 1
    ENCRYPT_AGAIN = 2
    LATER = 3
    FAILED = 4


_AGAIN: Final = frozenset({"stale_epoch", "future_epoch"})
_LATER: Final = frozenset({"rate_limited", "quota_exceeded", "shutting_down", "internal"})


def verdict(code: str) -> Verdict:
    """Judge a refusal by the relay's error code."""
    if code in _AGAIN:
        return Verdict.ENCRYPT_AGAIN
    return Verdict.LATER if code in _LATER else Verdict.FAILED
