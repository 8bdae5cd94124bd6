import pytest

from benchmarks.summary import Summary, percentile


def test_summary_of_runs_is_their_median_with_the_extremes() -> None:
    assert Summary.of([5.0, 1.0, 3.0]) == Summary(middle=3.0, low=1.0, high=5.0, runs=3)


def test_median_of_an_even_number_of_runs_lies_between_the_two_in_the_middle() -> None:
    assert Summary.of([1, 2, 4, 8]).middle == 3.0


@pytest.mark.parametrize(
    ("percent", "value"), [(0, 1), (1, 1), (50, 50), (99, 99), (99.5, 100), (100, 100)]
)
def test_percentile_is_the_smallest_value_with_so_many_at_or_below_it(
    percent: float, value: float
) -> None:
    assert percentile([float(n) for n in range(100, 0, -1)], percent) == value


def test_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)
