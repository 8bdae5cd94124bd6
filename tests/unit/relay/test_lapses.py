"""Whose time is over: found at once, and forgotten when it has changed."""

from hypothesis import given
from hypothesis import strategies as st

from e2ecore_relay.domain.coverage import Lapses

DEVICES = st.integers(1, 6)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("note"), DEVICES, st.none() | st.integers(0, 50)),
        st.tuples(st.just("take"), st.integers(0, 60), st.none()),
    ),
    max_size=200,
)


@given(STEPS)
def test_each_is_taken_once_when_its_time_has_come(
    steps: list[tuple[str, int, int | None]],
) -> None:
    lapses, expected = Lapses(), dict[int, int]()
    for step, number, until_ms in steps:
        if step == "note":
            lapses.note(number, until_ms)
            expected.pop(number, None)
            if until_ms is not None:
                expected[number] = until_ms
        else:
            over = lapses.take(number)
            assert sorted(over) == sorted(one for one, end in expected.items() if end <= number)
            expected = {one: end for one, end in expected.items() if end > number}
        assert len(lapses) == len(expected)
        assert lapses.next_ms() == min(expected.values(), default=None)


def test_who_comes_and_goes_all_day_leaves_nothing_behind() -> None:
    lapses = Lapses()
    for connected in range(10_000):
        lapses.note(1, 1_000_000 + connected)
        lapses.note(1, None)
    lapses.note(2, 5)
    assert len(lapses._heap) < 100
    assert lapses.take(5) == [2]
    assert lapses.next_ms() is None
