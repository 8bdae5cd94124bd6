"""Rows: the form in which results are written, compared over time, and judged."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.model import OURS, Measure, Result, Scenario
from benchmarks.summary import Summary

if TYPE_CHECKING:
    from benchmarks.wire import JsonObject, JsonValue

NOT_MEASURED: Final = "not measured here"
"""Stands where a figure would have to be quoted instead of measured."""

ROW_FIELDS: Final = (
    "name",
    "value",
    "unit",
    "reference",
    "reference_value",
    "ratio",
    "must_reach",
    "holds",
    "low",
    "high",
    "runs",
    "note",
)
"""Fields of a row in JSON. The first eight are the contract; the rest explain them."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure."""

    name: str
    value: float | None
    """Median of the runs, or None if the scenario failed."""

    unit: str
    reference: str | None
    reference_value: float | None
    """Median of the reference's runs in the same invocation; None if it did not run."""

    ratio: float | None
    """`value / reference_value`."""

    must_reach: str | None
    holds: bool | None
    """Whether `must_reach` is reached; None if there is no goal or nothing to compare with."""

    low: float | None
    high: float | None
    runs: int
    note: str

    def to_json(self) -> JsonObject:
        """Return the row as a JSON object with exactly `ROW_FIELDS`."""
        values: dict[str, JsonValue] = asdict(self)
        return {name: values[name] for name in ROW_FIELDS}


def rows_of(scenario: Scenario, result: Result) -> list[Row]:
    """Return one row for each measure of the scenario."""
    return [_row(scenario, measure, result) for measure in scenario.measures]


def failed_rows(scenario: Scenario, reason: str) -> list[Row]:
    """Return the rows of a scenario that could not be run."""
    return [_without_value(scenario, measure, reason) for measure in scenario.measures]


def _summary(result: Result, system: str | None, key: str) -> Summary | None:
    found = [sample[key] for sample in result.samples.get(system or "", []) if key in sample]
    return Summary.of(found) if found else None


def _row(scenario: Scenario, measure: Measure, result: Result) -> Row:
    ours = _summary(result, OURS, measure.key)
    if ours is None:
        return _without_value(scenario, measure, result.skipped.get(OURS, NOT_MEASURED))
    theirs = _summary(result, measure.reference, measure.reference_key or measure.key)
    ratio = ours.middle / theirs.middle if theirs is not None and theirs.middle > 0 else None
    note = ""
    if measure.reference is not None and theirs is None:
        reason = result.skipped.get(measure.reference)
        note = NOT_MEASURED if reason is None else f"{NOT_MEASURED}: {reason}"
    return Row(
        name=f"{scenario.name}.{measure.name}",
        value=ours.middle,
        unit=measure.unit,
        reference=measure.reference,
        reference_value=None if theirs is None else theirs.middle,
        ratio=ratio,
        must_reach=None if measure.goal is None else str(measure.goal),
        holds=None if measure.goal is None else measure.goal.holds(ours.middle, ratio),
        low=ours.low,
        high=ours.high,
        runs=ours.runs,
        note=note,
    )


def _without_value(scenario: Scenario, measure: Measure, reason: str) -> Row:
    return Row(
        name=f"{scenario.name}.{measure.name}",
        value=None,
        unit=measure.unit,
        reference=measure.reference,
        reference_value=None,
        ratio=None,
        must_reach=None if measure.goal is None else str(measure.goal),
        holds=None if measure.goal is None else False,
        low=None,
        high=None,
        runs=0,
        note=reason,
    )
