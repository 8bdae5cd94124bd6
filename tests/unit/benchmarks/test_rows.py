import json

import pytest

from benchmarks.model import (
    OURS,
    Bound,
    Context,
    Goal,
    Measure,
    Result,
    Scale,
    Scenario,
    at_least,
    at_most,
    no_less_than,
    no_more_than,
)
from benchmarks.rows import NOT_MEASURED, ROW_FIELDS, failed_rows, rows_of


def scenario_with(*measures: Measure) -> Scenario:
    def run(_context: Context, _size: int) -> Result:
        return Result()

    sizes = dict.fromkeys(Scale, 1)
    return Scenario("example", "Example", "About.", sizes, "things", measures, run)


RATE = Measure("rate", "rate", "1/s", "how many", "peer", at_least(2))


def test_row_compares_medians_of_the_same_invocation() -> None:
    result = Result({OURS: [{"rate": 10}, {"rate": 30}, {"rate": 20}], "peer": [{"rate": 5}]})
    (row,) = rows_of(scenario_with(RATE), result)
    assert (row.name, row.value, row.low, row.high, row.runs) == ("example.rate", 20, 10, 30, 3)
    assert (row.reference, row.reference_value, row.ratio) == ("peer", 5, 4)
    assert (row.must_reach, row.holds, row.note) == ("ratio >= 2", True, "")


def test_row_of_a_peer_that_did_not_run_quotes_nothing() -> None:
    result = Result({OURS: [{"rate": 10}]}, skipped={"peer": "no apt-get"})
    (row,) = rows_of(scenario_with(RATE), result)
    assert (row.reference_value, row.ratio, row.holds) == (None, None, None)
    assert row.note == f"{NOT_MEASURED}: no apt-get"


def test_row_of_a_failed_scenario_does_not_hold() -> None:
    (row,) = failed_rows(scenario_with(RATE), "WorkerError: it ended")
    assert (row.value, row.holds, row.note) == (None, False, "WorkerError: it ended")


def test_reference_may_have_another_name_for_the_same_figure() -> None:
    measure = Measure("cpu", "cpu", "us", "CPU", "floor", reference_key="raw")
    (row,) = rows_of(scenario_with(measure), Result({OURS: [{"cpu": 6}], "floor": [{"raw": 3}]}))
    assert (row.ratio, row.must_reach, row.holds) == (2, None, None)


def test_row_has_no_ratio_to_zero() -> None:
    (row,) = rows_of(scenario_with(RATE), Result({OURS: [{"rate": 1}], "peer": [{"rate": 0}]}))
    assert (row.ratio, row.holds) == (None, None)


def test_rows_have_exactly_the_documented_fields_in_json() -> None:
    rows = rows_of(scenario_with(RATE), Result({OURS: [{"rate": 10}], "peer": [{"rate": 5}]}))
    decoded = json.loads(json.dumps([row.to_json() for row in rows]))
    assert [list(row) for row in decoded] == [list(ROW_FIELDS)]
    assert ROW_FIELDS[:8] == (
        "name",
        "value",
        "unit",
        "reference",
        "reference_value",
        "ratio",
        "must_reach",
        "holds",
    )


@pytest.mark.parametrize(
    ("goal", "reached", "missed"),
    [
        pytest.param(at_least(2), (0, 2.0), (9, 1.9), id="ratio at least"),
        pytest.param(at_most(0.6), (9, 0.6), (0, 0.61), id="ratio at most"),
        pytest.param(no_more_than(70), (70, 9.0), (71, 0.0), id="value at most"),
        pytest.param(no_less_than(70), (70, 0.0), (69, 9.0), id="value at least"),
    ],
)
def test_goal_holds_on_its_side_of_the_limit(
    goal: Goal, reached: tuple[float, float], missed: tuple[float, float]
) -> None:
    assert goal.holds(*reached) is True
    assert goal.holds(*missed) is False


def test_goal_about_a_value_needs_no_reference() -> None:
    assert no_more_than(1).holds(1, None) is True
    assert at_least(1).holds(1, None) is None


def test_goal_prints_as_must_reach() -> None:
    assert str(Goal(Bound.VALUE_AT_MOST, 0.35)) == "value <= 0.35"
