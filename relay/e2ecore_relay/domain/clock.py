"""The time by which blobs expire: a count that no setting of the clock can hurry.

A clock of the day may be set: by an operator, by a time server that errs, by a battery that died.
What it says must not destroy what was promised. So the relay counts by a clock that nobody sets
(the time since the machine's start) and follows the clock of the day only as far as that has stayed
ahead of the count for ``doubt_ms``. Taken back before, it has changed nothing. While it is ahead,
``later_ms`` is what it says: by that nothing is destroyed, but neither is anything handed out.

Spec: protocol/spec/40-blobs.md, [BLB-54]
"""

from typing import NamedTuple


class Reading(NamedTuple):
    """What the clocks of a machine say.

    Attributes:
        day_ms: The clock of the day, milliseconds since the Unix epoch.
        steady_ms: Milliseconds since the machine started, sleep included.
        boot: Names this run of the machine; ``steady_ms`` of two boots cannot be compared.
    """

    day_ms: int
    steady_ms: int
    boot: bytes


class Count(NamedTuple):
    """How far the relay has counted. Stored, so that it goes on after a restart.

    Attributes:
        now_ms: The count, milliseconds since the Unix epoch.
        steady_ms: The steady clock at that moment.
        boot: Of which run of the machine.
        lead_ms: How far the clock of the day has been ahead at least since ``lead_since_ms``.
        lead_since_ms: The count when it was first seen ahead; 0 if it is not.
    """

    now_ms: int
    steady_ms: int
    boot: bytes
    lead_ms: int = 0
    lead_since_ms: int = 0


class BlobTime(NamedTuple):
    """What time it is for blobs.

    Attributes:
        now_ms: The count: what expires by it is destroyed.
        later_ms: The later of the count and the clock of the day: what expires by it is not handed
            out, and what is made now expires so much after it.
    """

    now_ms: int
    later_ms: int


def count(before: Count | None, reading: Reading, doubt_ms: int) -> Count:
    """Return the count at a reading.

    Args:
        before: The count at the last look; None at the very first one, which trusts the day.
        reading: The clocks now.
        doubt_ms: How long the clock of the day must have been ahead to be followed.
    """
    day_ms, steady_ms, boot = reading
    if before is None:
        return Count(day_ms, steady_ms, boot)
    elapsed_ms = max(0, steady_ms - before.steady_ms) if boot == before.boot else 0
    now_ms = before.now_ms + elapsed_ms
    lead_ms = day_ms - now_ms
    if lead_ms <= 0:
        return Count(now_ms, steady_ms, boot)
    if not before.lead_since_ms:
        return Count(now_ms, steady_ms, boot, lead_ms, now_ms)
    lead_ms = min(lead_ms, before.lead_ms)
    if now_ms - before.lead_since_ms < doubt_ms:
        return Count(now_ms, steady_ms, boot, lead_ms, before.lead_since_ms)
    return Count(now_ms + lead_ms, steady_ms, boot)


def blob_time(counted: Count, reading: Reading) -> BlobTime:
    """Return what time it is, once counted."""
    return BlobTime(counted.now_ms, max(counted.now_ms, reading.day_ms))
