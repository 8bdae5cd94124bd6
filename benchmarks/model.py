"""The words of the harness: scenario, measure, goal, sample.

A *scenario* runs a workload on several *systems* in turn (A, B, A, B ...). Each run of one system
gives one *sample*:
figures by name. A *measure* says which figure of ours becomes a row, which system's figure it is
compared with, and
which *goal* it must reach.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from pathlib import Path

OURS: Final = "e2ecore"
"""Name of our own system in every result."""

Sample: TypeAlias = Mapping[str, float]
"""One run of one system: figures by name."""


class Scale(StrEnum):
    """How much is measured."""

    QUICK = "quick"
    """Seconds: shows that the scenario works. Its figures mean nothing."""

    SHORT = "short"
    """The counts of the goals, three runs."""

    LONG = "long"
    """The counts of the goals or more, five runs."""


RUNS: Final[Mapping[Scale, int]] = {Scale.QUICK: 1, Scale.SHORT: 3, Scale.LONG: 5}
"""How often each system runs, interleaved."""


class Bound(Enum):
    """What a goal limits, and on which side."""

    RATIO_AT_LEAST = "ratio >="
    RATIO_AT_MOST = "ratio <="
    VALUE_AT_LEAST = "value >="
    VALUE_AT_MOST = "value <="


@dataclass(frozen=True, slots=True)
class Goal:
    """What a row must reach. Prints as the row's `must_reach`, for example `ratio >= 2`."""

    bound: Bound
    limit: float

    def __str__(self) -> str:
        return f"{self.bound.value} {self.limit:g}"

    def holds(self, value: float, ratio: float | None) -> bool | None:
        """Return whether the goal is reached; None if it is about a ratio and there is none."""
        match self.bound:
            case Bound.VALUE_AT_LEAST:
                return value >= self.limit
            case Bound.VALUE_AT_MOST:
                return value <= self.limit
            case Bound.RATIO_AT_LEAST:
                return None if ratio is None else ratio >= self.limit
            case Bound.RATIO_AT_MOST:
                return None if ratio is None else ratio <= self.limit


@dataclass(frozen=True, slots=True)
class Measure:
    """One row to be."""

    name: str
    """Name of the row, after the scenario's name and a dot."""

    key: str
    """Which figure of the sample."""

    unit: str
    meaning: str
    """One line for the documentation."""

    reference: str | None = None
    """Name of the system that it is compared with."""

    goal: Goal | None = None
    reference_key: str | None = None
    """Which figure of the reference's sample, if it is not called `key`."""


@dataclass(slots=True)
class Result:
    """What a scenario measured."""

    samples: dict[str, list[Sample]] = field(default_factory=dict)
    """Runs of each system."""

    skipped: dict[str, str] = field(default_factory=dict)
    """Why a system did not run."""

    series: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """Curves for the plot, by label: x and y."""

    versions: dict[str, str] = field(default_factory=dict)
    """What exactly ran."""

    def add(self, system: str, sample: Sample) -> None:
        """Keep one run."""
        self.samples.setdefault(system, []).append(sample)


@dataclass(frozen=True, slots=True)
class Context:
    """One invocation of the benchmark."""

    scale: Scale
    peers: bool
    home: Path
    """A directory for databases, logs and certificates. Deleted afterwards unless it was asked for.
    """

    say: Callable[[str], None]
    """Tells the person in front of the screen what is going on."""

    @property
    def runs(self) -> int:
        """How often each system runs."""
        return RUNS[self.scale]

    def inside(self, name: str) -> Context:
        """Return the context of one scenario, with a directory of its own."""
        return replace(self, home=self.directory(name))

    def directory(self, name: str) -> Path:
        """Make and return a directory inside `home`."""
        path = self.home / name
        path.mkdir(parents=True, exist_ok=True)
        return path


@dataclass(frozen=True, slots=True)
class Scenario:
    """One thing that is measured."""

    name: str
    title: str
    about: str
    """What is done, for the documentation."""

    sizes: Mapping[Scale, int]
    size_unit: str
    measures: tuple[Measure, ...]
    run: Callable[[Context, int], Result]
    """Given the size for the scale."""

    axis: tuple[str, str] = ("", "")
    """Labels of the curves' axes."""


def at_least(times: float) -> Goal:
    """Return the goal "at least so many times the reference"."""
    return Goal(Bound.RATIO_AT_LEAST, times)


def at_most(times: float) -> Goal:
    """Return the goal "at most so many times the reference"."""
    return Goal(Bound.RATIO_AT_MOST, times)


def no_more_than(value: float) -> Goal:
    """Return the goal "no more than this", in the measure's unit."""
    return Goal(Bound.VALUE_AT_MOST, value)


def no_less_than(value: float) -> Goal:
    """Return the goal "no less than this", in the measure's unit."""
    return Goal(Bound.VALUE_AT_LEAST, value)
