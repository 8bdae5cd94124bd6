"""Measure work inside this process, for floors and the layers above them."""

from __future__ import annotations

import gc
import time
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

FLOOR: Final = "floor"
"""Name of the primitives alone, in every result."""

US_PER_NS: Final = 1e-3


def cpu_us(work: Callable[[], None], count: int) -> float:
    """Return the CPU time of `work` in microseconds, divided by `count`; all threads counted."""
    before = time.process_time_ns()
    work()
    return (time.process_time_ns() - before) * US_PER_NS / count


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the collector of reference cycles out of one measured call, as `timeit` does.

    This process holds whole groups of a thousand members several times over; when their turn to be
    walked through comes is chance, and costs more than the call. It does not run just before the
    call either: it would leave the processor's caches full of what the call does not use.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def aged() -> Iterator[None]:
    """Treat what exists now as an old process does: the collector does not walk through it."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Return the CPU time that this thread needs for one call, in microseconds, and its result."""
    with _no_collection():
        before = time.thread_time_ns()
        value = work()
        return (time.thread_time_ns() - before) * US_PER_NS, value


def on_the_clock(work: Callable[[], T]) -> tuple[float, T]:
    """Return how long one call takes by the clock, in microseconds, and its result."""
    with _no_collection():
        before = time.perf_counter_ns()
        value = work()
        return (time.perf_counter_ns() - before) * US_PER_NS, value


class Timings:
    """Figures of many rounds, by name. A round that a neighbour disturbed does not move a median.

    Work and its floor take turns within each round, for the same reason.
    """

    def __init__(self) -> None:
        self._figures: dict[str, list[float]] = {}

    def add(self, name: str, figure: float) -> None:
        """Keep one figure."""
        self._figures.setdefault(name, []).append(figure)

    def medians(self) -> dict[str, float]:
        """Return the median of each name's figures."""
        return {name: median(figures) for name, figures in self._figures.items()}
