"""Draw results: bars of all systems for each figure, and curves where a scenario has them. PNG and
SVG.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import matplotlib as mpl

from benchmarks.model import OURS
from benchmarks.summary import Summary

mpl.use("Agg")
from matplotlib import pyplot as plt

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from benchmarks.model import Result, Scenario

FORMATS: Final = ("png", "svg")
OUR_COLOUR: Final = "#2266aa"
PEER_COLOURS: Final = ("#999999", "#cc9944", "#66aa77", "#aa6677")
BAR_INCHES: Final = 0.45
DOTS_PER_INCH: Final = 150


def draw(scenario: Scenario, result: Result, directory: Path) -> list[Path]:
    """Write the pictures of one scenario and return their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    if result.samples:
        paths += _write(_bars(scenario, result), directory, scenario.name)
    if result.series:
        paths += _write(_curves(scenario, result), directory, f"{scenario.name}-curve")
    return paths


def _write(figure: Figure, directory: Path, name: str) -> list[Path]:
    paths = [directory / f"{name}.{kind}" for kind in FORMATS]
    for path in paths:
        figure.savefig(path, dpi=DOTS_PER_INCH, bbox_inches="tight")
    plt.close(figure)
    return paths


def _bars(scenario: Scenario, result: Result) -> Figure:
    measures = list(
        {(measure.key, measure.unit): measure for measure in scenario.measures}.values()
    )
    height = 1.0 + len(measures) * (0.6 + BAR_INCHES * len(result.samples))
    figure, grid = plt.subplots(len(measures), 1, figsize=(8, height), squeeze=False)
    for axes, measure in zip(grid[:, 0], measures, strict=True):
        _bar(axes, result, measure.key, f"{measure.name} ({measure.unit})")
    figure.suptitle(scenario.title)
    figure.tight_layout()
    return figure


def _bar(axes: Axes, result: Result, key: str, title: str) -> None:
    systems = [
        system
        for system, samples in result.samples.items()
        if any(key in sample for sample in samples)
    ]
    for place, system in enumerate(reversed(systems)):
        summary = Summary.of([sample[key] for sample in result.samples[system] if key in sample])
        spread = [[summary.middle - summary.low], [summary.high - summary.middle]]
        colour = OUR_COLOUR if system == OURS else PEER_COLOURS[place % len(PEER_COLOURS)]
        axes.barh([place], [summary.middle], xerr=spread, color=colour, capsize=3)
        axes.text(summary.high, place, f"  {summary.middle:.4g}", va="center", fontsize=8)
    axes.set_yticks(range(len(systems)), list(reversed(systems)), fontsize=8)
    axes.set_title(title, fontsize=9, loc="left")
    axes.margins(x=0.15)
    axes.set_xlim(left=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _curves(scenario: Scenario, result: Result) -> Figure:
    figure, axes = plt.subplots(figsize=(8, 4))
    for label, points in result.series.items():
        axes.plot([x for x, _ in points], [y for _, y in points], label=label)
    axes.set_xlabel(scenario.axis[0])
    axes.set_ylabel(scenario.axis[1])
    axes.set_ylim(bottom=0)
    axes.set_title(scenario.title)
    axes.legend()
    return figure
