"""Measure work inside this process, for floors and the layers above them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

FLOOR: Final = "floor"
"""Name of the primitives alone, in every result."""

US_PER_NS: Final = 1e-3


def cpu_us(work: Callable[[], None], count: int) -> float:
    """Return the CPU time of `work` in microseconds, divided by `count`; all threads counted."""
    before = time.process_time_ns()
    work()
    return (time.process_time_ns() - before) * US_PER_NS / count
