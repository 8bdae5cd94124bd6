"""Hybrid times: by the clock where clocks are right, and in order of cause where they are close.

A time is one integer: milliseconds, then 16 bits that count. So the next time is one more, and an
overflow of the count becomes a millisecond by itself.

Spec: protocol/spec/75-own-devices.md, [OPL-10] to [OPL-13]
"""

from typing import Final, NewType

from e2ecore_protocol.limits import MAX_OP_AHEAD_MS

Hlc = NewType("Hlc", int)
"""A hybrid time."""

NEVER: Final = Hlc(0)
"""Before everything."""

_COUNT_BITS: Final = 16


def at(ms: int) -> Hlc:
    """Return the first hybrid time of a millisecond."""
    return Hlc(ms << _COUNT_BITS)


def ms_of(time: int) -> int:
    """Return the milliseconds of a hybrid time."""
    return time >> _COUNT_BITS


def is_ahead(time: int, now_ms: int) -> bool:
    """Tell whether a time is further in the future than two good clocks can differ.

    Args:
        time: A hybrid time.
        now_ms: The relay's clock as far as it is known, else this device's.
    """
    return ms_of(time) > now_ms + MAX_OP_AHEAD_MS


def tick(last: Hlc, now_ms: int) -> Hlc:
    """Return the time for a new op.

    It is later than ``last``, unless that lies in the future: then the clock was set back since,
    and to go on from there would carry the error on.
    """
    new = Hlc(max(at(now_ms), last + 1))
    return at(now_ms) if is_ahead(new, now_ms) else new


def heard(last: Hlc, time: int, now_ms: int) -> Hlc:
    """Return what ``last`` is after an op was received; one from the future moves no clock."""
    return last if is_ahead(time, now_ms) else Hlc(max(last, time))
