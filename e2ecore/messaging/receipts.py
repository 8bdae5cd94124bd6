"""Receipts: what a device says it has stored, and what that means for our own messages.

A receipt is cumulative: per sender device, the highest counter stored and the few below it that are
missing. Its size does not depend on how many messages it covers, a lost one is repaired by the
next, and a repeated one is harmless.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from e2ecore.messaging.counters import ReceiveCounter


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one member device has confirmed of our own messages in one conversation."""

    upto: int = 0
    """Highest of our counters that the device has stored."""
    missing: tuple[int, ...] = ()
    """Counters up to ``upto`` that the device has not."""

    def has(self, counter: int) -> bool:
        """Answer whether our message with this counter was confirmed."""
        return 0 < counter <= self.upto and counter not in self.missing


def advance(known: Delivery, reported: Delivery) -> Delivery | None:
    """Merge a receipt into what is known.

    Returns:
        The new state; None when the receipt says nothing new. A receipt never takes a confirmation
            back.
    """
    if reported.upto < known.upto:
        return None
    missing = tuple(
        number for number in reported.missing if number > known.upto or number in known.missing
    )
    merged = Delivery(reported.upto, missing)
    return None if merged == known else merged


def clip(reported: Delivery, own_counter: int) -> Delivery:
    """Cut a claim about messages that we have never sent down to what we have."""
    if reported.upto <= own_counter:
        return reported
    return Delivery(own_counter, tuple(n for n in reported.missing if n <= own_counter))


def entries(heard: Mapping[bytes, ReceiveCounter]) -> list[tuple[bytes, int, tuple[int, ...]]]:
    """Build the body of a receipt.

    Args:
        heard: Receive state per sender, keyed by account id and device id (36 bytes).
    """
    return [(who, state.upto, state.missing) for who, state in sorted(heard.items()) if state.upto]
