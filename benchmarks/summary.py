"""Arithmetic of repeated measurements: median, spread, percentiles, ratios."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Summary:
    """Several runs of the same measurement."""

    middle: float
    low: float
    high: float
    runs: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Summary:
        """Return median, least and greatest of at least one value."""
        return cls(float(median(values)), float(min(values)), float(max(values)), len(values))


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that is not below `percent` of all values (the nearest-rank
    definition).
    """
    if not values:
        raise ValueError("no values")
    rank = max(1, math.ceil(len(values) * percent / 100))
    return sorted(values)[rank - 1]
