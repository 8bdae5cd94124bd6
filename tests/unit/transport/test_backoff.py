"""When the next attempt comes."""

from hypothesis import given
from hypothesis import strategies as st

from e2ecore.transport.backoff import FIRST_PAUSE_MS, MAX_PAUSE_MS, pause_ms


@given(st.integers(0, 1000), st.integers(0, 86_400_000), st.binary(min_size=8, max_size=8))
def test_pauses_are_bounded_and_never_shorter_than_asked(
    failures: int, asked_ms: int, random: bytes
) -> None:
    pause = pause_ms(failures, asked_ms, lambda _: random)
    assert asked_ms <= pause < asked_ms + MAX_PAUSE_MS


def test_pauses_grow_up_to_a_minute() -> None:
    longest = [pause_ms(failures, 0, lambda _: b"\xff" * 8) for failures in range(1, 12)]
    assert longest[0] == FIRST_PAUSE_MS - 1
    assert longest == sorted(longest)
    assert longest[-1] == MAX_PAUSE_MS - 1
    assert pause_ms(5, 0, lambda _: bytes(8)) == 0
