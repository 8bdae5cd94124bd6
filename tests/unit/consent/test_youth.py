"""How often a passcode may be tried, and which ones there are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ecore.consent.youth import FIRST_PAUSE_MS, FREE_TRIES, LAST_PAUSE_MS, YouthLock, is_usable

LOCK = YouthLock(bytes(16), bytes(32), 1_000, 0, 0)
DAY_MS = 86_400_000


def test_pauses_double_up_to_a_day() -> None:
    lock, now_ms, pauses = LOCK, 1_000_000, []
    for _ in range(FREE_TRIES + 13):
        lock = lock.tried(now_ms)
        pauses.append(lock.pause_ms(now_ms))
        now_ms += pauses[-1]
        assert lock.pause_ms(now_ms) == 0
    assert pauses[: FREE_TRIES - 1] == [0] * (FREE_TRIES - 1)
    doubled = [min(FIRST_PAUSE_MS << over, LAST_PAUSE_MS) for over in range(14)]
    assert pauses[FREE_TRIES - 1 :] == doubled
    assert pauses[-1] == DAY_MS


@given(st.integers(0, 1 << 62), st.integers(0, 1 << 62), st.integers(0, 1 << 62))
def test_no_clock_makes_a_pause_longer_than_a_day(
    failures: int, tried_ms: int, now_ms: int
) -> None:
    lock = YouthLock(bytes(16), bytes(32), 0, failures, tried_ms)
    assert 0 <= lock.pause_ms(now_ms) <= LAST_PAUSE_MS
    assert YouthLock.decode(lock.encode()) == lock


@pytest.mark.parametrize("passcode", ["12345", "000000", "123456", "fedcba", "x" * 65, ""])
def test_what_a_child_tries_first_is_no_passcode(passcode: str) -> None:
    assert not is_usable(passcode)


@pytest.mark.parametrize("passcode", ["582047", "112233", "山高水长风清", "x1" * 32])
def test_anything_else_is(passcode: str) -> None:
    assert is_usable(passcode)
