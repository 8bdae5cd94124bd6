"""How much work strangers may cause."""

from hypothesis import given
from hypothesis import strategies as st

from e2ecore.messaging.allowance import Allowance

TIMES = st.lists(st.integers(0, 5_000), max_size=60).map(sorted)


@given(times=TIMES, burst=st.integers(1, 5), per_s=st.integers(1, 3))
def test_never_more_is_given_than_the_burst_and_what_came_again(
    times: list[int], burst: int, per_s: int
) -> None:
    supply = Allowance(burst, per_s, 4)
    given_at: list[int] = []
    for now_ms in times:
        had = supply.has("key", now_ms)
        assert supply.take("key", now_ms) == had
        given_at += [now_ms] * had
    for at, first in enumerate(given_at):
        for more, last in enumerate(given_at[at:], 1):
            assert more <= burst + (last - first) * per_s / 1000 + 1e-9


def test_keys_do_not_share_and_a_clock_that_goes_back_gives_nothing() -> None:
    supply = Allowance(1, 1, 2)
    assert supply.take("a", 10_000)
    assert supply.take("b", 10_000)
    assert not supply.take("a", 10_000)
    assert not supply.take("a", 5_000)
    assert not supply.take("a", 5_999)
    assert supply.take("a", 6_000)


def test_the_longest_unused_is_forgotten() -> None:
    supply = Allowance(1, 1, 2)
    for key in "abc":
        assert supply.take(key, 0)
    assert supply.has("a", 0)
    assert not supply.has("c", 0)
    assert len(supply._supplies) == 2
