"""Counters show what is missing, late or repeated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ecore.messaging.counters import (
    MAX_COUNTER,
    MAX_MISSING,
    ReceiveCounter,
    RepeatedCounterError,
    accept,
    decode_missing,
    dropped,
    encode_missing,
)


def test_the_first_counter_heard_is_taken_as_it_is() -> None:
    assert accept(ReceiveCounter(), 57).state == ReceiveCounter(57)
    assert accept(ReceiveCounter(), 57).skipped == 0


def test_a_gap_is_counted_and_filled_by_late_messages() -> None:
    step = accept(ReceiveCounter(5), 8)
    assert (step.skipped, step.state) == (2, ReceiveCounter(8, (6, 7)))
    late = accept(step.state, 6)
    assert late.late
    assert late.state == ReceiveCounter(8, (7,))


@pytest.mark.rule("H7")
@pytest.mark.parametrize("counter", [0, -1, 3, 5, MAX_COUNTER + 1])
def test_repeats_and_impossible_counters_are_refused(counter: int) -> None:
    with pytest.raises(RepeatedCounterError):
        accept(ReceiveCounter(5, (4,)), counter)


def test_a_huge_gap_is_remembered_in_part_only() -> None:
    step = accept(ReceiveCounter(1), 10_000)
    assert step.skipped == 9_998
    assert len(step.state.missing) == MAX_MISSING
    assert step.state.missing[-1] == 9_999


def test_a_message_that_is_dropped_counts_as_missing() -> None:
    state = accept(ReceiveCounter(4, (2,)), 5).state
    assert dropped(state, 5) == ReceiveCounter(5, (2, 5))
    assert accept(dropped(state, 5), 6).skipped == 0
    for counter in range(6, 200):
        state = dropped(accept(state, counter).state, counter)
    assert state.missing == tuple(range(200 - MAX_MISSING, 200))


@given(st.lists(st.integers(1, 40), max_size=60))
def test_no_counter_is_ever_taken_twice(counters: list[int]) -> None:
    state, taken = ReceiveCounter(), set[int]()
    for counter in counters:
        try:
            step = accept(state, counter)
        except RepeatedCounterError:
            continue
        assert counter not in taken
        taken.add(counter)
        state = step.state
        assert set(state.missing).isdisjoint(taken)
        assert decode_missing(encode_missing(state.missing)) == state.missing
