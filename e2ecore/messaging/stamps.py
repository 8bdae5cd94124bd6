"""Which of two changes counts, for everybody alike and in whatever order they come.

Spec: protocol/spec/50-content.md, [CNT-31]
"""

from typing import NamedTuple


class Stamp(NamedTuple):
    """When something was said, by the sender's clock, and on which device; the greater counts."""

    changed_ms: int
    device_id: bytes


def next_ms(now_ms: int, known: Stamp | None) -> int:
    """Return the time to put on a change so that it counts more than what is known."""
    return now_ms if known is None else max(now_ms, known.changed_ms + 1)
