"""Counters: what each sender's signed counter says about missing and repeated messages.

Every application message carries, in signed authenticated data, a counter that its sender device
raises by one per conversation and never uses twice. A receiver keeps the highest counter and the
short list of those it still misses. The relay can therefore withhold or reorder messages, and an
insider can reorder its own, but never unseen.
"""

from dataclasses import dataclass
from typing import Final

from e2ecore.errors import PeerError

MAX_MISSING: Final = 64
"""Counters remembered as missing per sender.

Older ones are given up. A receipt carries at most as many.
"""
MAX_COUNTER: Final = (1 << 63) - 1
"""Largest counter: what a database integer holds."""


class RepeatedCounterError(PeerError):
    """A member's device sent a second message under a counter it had used before.

    It was dropped.
    """


@dataclass(frozen=True, slots=True)
class ReceiveCounter:
    """How far one sender device was heard in one conversation."""

    upto: int = 0
    """Highest counter accepted; 0 before the first message."""
    missing: tuple[int, ...] = ()
    """Counters below ``upto`` that were skipped and may still come, ascending, at most
    ``MAX_MISSING``."""


@dataclass(frozen=True, slots=True)
class Step:
    """What accepting one counter meant."""

    state: ReceiveCounter
    skipped: int = 0
    """How many messages of this sender are newly known to be missing."""
    late: bool = False
    """The message had been reported missing before."""


def accept(state: ReceiveCounter, counter: int) -> Step:
    """Take the next counter of a sender.

    The first counter heard from a sender is taken as it is: a member who joins late cannot know
    what went before.

    Raises:
        RepeatedCounterError: The counter was used before, or is out of range.
    """
    if counter == state.upto + 1 or (state.upto == 0 and 0 < counter <= MAX_COUNTER):
        return Step(ReceiveCounter(counter, state.missing))
    if counter in state.missing:
        left = tuple(number for number in state.missing if number != counter)
        return Step(ReceiveCounter(state.upto, left), late=True)
    if not state.upto < counter <= MAX_COUNTER:
        raise RepeatedCounterError(f"counter {counter} after {state.upto}")
    newly = counter - state.upto - 1
    fresh = range(max(state.upto + 1, counter - MAX_MISSING), counter)
    missing = (*state.missing, *fresh)[-MAX_MISSING:]
    return Step(ReceiveCounter(counter, missing), skipped=newly)


def dropped(state: ReceiveCounter, counter: int) -> ReceiveCounter:
    """Note that a message which was accepted is not kept, so that no receipt confirms it.

    Of more than ``MAX_MISSING`` the oldest are given up, as with messages that never came.
    """
    missing = tuple(sorted({*state.missing, counter}))[-MAX_MISSING:]
    return ReceiveCounter(state.upto, missing)


def encode_missing(missing: tuple[int, ...]) -> bytes:
    """Encode for one database column: 8 bytes, big-endian, each."""
    return b"".join(number.to_bytes(8, "big") for number in missing)


def decode_missing(data: bytes) -> tuple[int, ...]:
    """Decode what ``encode_missing`` wrote."""
    return tuple(int.from_bytes(data[at : at + 8], "big") for at in range(0, len(data), 8))
