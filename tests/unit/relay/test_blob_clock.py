"""The count of time by which blobs expire: no setting of a clock can hurry it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ecore_relay.domain.clock import Count, Reading, blob_time, count

HOUR = 3_600_000
DAY = 24 * HOUR
START = 1_800_000_000_000
BOOT, OTHER_BOOT = b"one", b"two"


def at(day_ms: int, steady_ms: int, boot: bytes = BOOT) -> Reading:
    return Reading(START + day_ms, steady_ms, boot)


def follow(*readings: Reading) -> Count:
    counted: Count | None = None
    for reading in readings:
        counted = count(counted, reading, HOUR)
    assert counted is not None
    return counted


def test_the_first_look_trusts_the_clock_of_the_day() -> None:
    assert follow(at(0, 5)).now_ms == START


def test_it_counts_by_the_steady_clock() -> None:
    assert follow(at(0, 0), at(1_000, 1_000), at(5_000, 5_000)).now_ms == START + 5_000


@pytest.mark.clause("GB42012-8.1.1e")
def test_a_jump_forward_that_is_taken_back_changes_nothing() -> None:
    jumped = follow(at(0, 0), at(365 * DAY, 1_000), at(365 * DAY + 1_000, HOUR // 2))
    assert jumped.now_ms == START + HOUR // 2
    back = count(jumped, at(HOUR, HOUR), HOUR)
    assert back == Count(START + HOUR, HOUR, BOOT)


def test_while_it_is_in_doubt_the_later_clock_says_what_is_handed_out() -> None:
    reading = at(365 * DAY, 1_000)
    time = blob_time(follow(at(0, 0), reading), reading)
    assert (time.now_ms, time.later_ms) == (START + 1_000, START + 365 * DAY)


def test_a_jump_forward_that_stays_for_an_hour_is_followed() -> None:
    jumped = follow(at(0, 0), at(DAY, 0), at(DAY + HOUR, HOUR))
    assert jumped == Count(START + DAY + HOUR, HOUR, BOOT)


def test_it_is_followed_no_further_than_it_stayed_ahead() -> None:
    readings = (at(0, 0), at(10 * DAY, 0), at(DAY + 1_000, 1_000), at(10 * DAY + HOUR, HOUR))
    assert follow(*readings).now_ms == START + DAY + HOUR


def test_a_clock_that_is_behind_changes_nothing() -> None:
    behind = follow(at(0, 0), at(-DAY, 1_000))
    assert behind.now_ms == START + 1_000
    assert blob_time(behind, at(-DAY, 1_000)).later_ms == START + 1_000


def test_after_the_machine_was_off_the_day_is_followed_an_hour_later() -> None:
    """Nobody can tell how long it was off; only the clock of the day says so."""
    started = follow(at(0, 9_000), at(3 * DAY, 0, OTHER_BOOT))
    assert started.now_ms == START
    assert count(started, at(3 * DAY + HOUR, HOUR, OTHER_BOOT), HOUR).now_ms == (
        START + 3 * DAY + HOUR
    )


def test_restarts_of_the_process_do_not_begin_the_hour_again() -> None:
    stored = follow(at(0, 0), at(DAY, 0), at(DAY + HOUR // 2, HOUR // 2))
    assert count(Count(*stored), at(DAY + HOUR, HOUR), HOUR).now_ms == START + DAY + HOUR


@given(
    st.lists(
        st.tuples(st.integers(0, 10 * DAY), st.integers(-(400 * DAY), 400 * DAY)),
        min_size=1,
        max_size=30,
    )
)
def test_it_never_runs_back_and_never_beyond_both_clocks(steps: list[tuple[int, int]]) -> None:
    counted, steady, highest = count(None, at(0, 0), HOUR), 0, START
    for elapsed, wrong in steps:
        steady += elapsed
        reading = at(steady + wrong, steady)
        highest = max(highest + elapsed, reading.day_ms)
        following = count(counted, reading, HOUR)
        assert counted.now_ms + elapsed <= following.now_ms <= highest
        counted = following
