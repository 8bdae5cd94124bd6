"""Who is typing: each sequence of signals, lost, late and repeated, comes to an end."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from e2ecore.messaging.typists import Told, Typist, Typists
from e2ecore_protocol.limits import SIGNAL_AGE_MS, TYPING_REPEAT_MS, TYPING_SHOWN_MS

BOB = Typist(bytes(16), b"bob")


@given(st.lists(st.tuples(st.integers(0, 5_000), st.booleans()), max_size=40))
def test_what_is_told_keeps_its_distance_and_its_stamps_ascend(
    steps: list[tuple[int, bool]],
) -> None:
    told, now_ms, sent = Told(), 1_000_000, list[tuple[int, bool]]()
    for pause_ms, is_typing in steps:
        now_ms += pause_ms
        if told.is_due(now_ms, is_typing=is_typing):
            after = told.after(now_ms, is_typing=is_typing)
            assert after.stamp_ms > told.stamp_ms
            told = after
            sent.append((now_ms, is_typing))
    begun = [at for at, is_typing in sent if is_typing]
    assert all(b - a >= TYPING_REPEAT_MS for a, b in itertools.pairwise(begun))
    assert len(sent) <= 2 * len(begun)
    assert all(one[1] or before[1] for before, one in itertools.pairwise(sent))


def test_a_clock_that_goes_back_neither_silences_nor_repeats_a_stamp() -> None:
    told = Told().after(1_000_000, is_typing=True)
    assert told.is_due(900_000, is_typing=True)
    assert told.after(900_000, is_typing=True).stamp_ms == 1_000_001
    assert told.said().after(900_000, is_typing=True).stamp_ms == 1_000_001


signals = st.lists(
    st.tuples(
        st.sampled_from([b"phone", b"laptop"]),
        st.integers(-2 * SIGNAL_AGE_MS, 2 * SIGNAL_AGE_MS),
        st.integers(0, 4_000),
        st.booleans(),
    ),
    max_size=40,
)


@given(signals)
def test_nothing_is_heard_twice_or_too_late_and_all_of_it_ends(
    items: list[tuple[bytes, int, int, bool]],
) -> None:
    typists, now_ms = Typists(), 1_000_000
    heard: set[tuple[bytes, int]] = set()
    shown = False
    for device, skew_ms, pause_ms, is_typing in items:
        now_ms += pause_ms
        if typists.expire(now_ms):
            assert shown
            shown = False
        stamp_ms = now_ms + skew_ms
        if not typists.is_news(BOB.conversation, device, stamp_ms, now_ms):
            continue
        assert abs(skew_ms) <= SIGNAL_AGE_MS
        assert (device, stamp_ms) not in heard
        heard.add((device, stamp_ms))
        if typists.hear(BOB, device, stamp_ms, now_ms, is_typing=is_typing):
            assert shown != is_typing
            shown = is_typing
        assert (typists.of(BOB.conversation) == [b"bob"]) == shown
        assert 0 <= typists.next_ms(now_ms) <= SIGNAL_AGE_MS
    ended = typists.expire(now_ms + TYPING_SHOWN_MS)
    assert ended == ([BOB] if shown else [])
    typists.expire(now_ms + 3 * SIGNAL_AGE_MS)
    assert typists.is_idle


def test_a_person_types_as_long_as_one_of_their_devices_does() -> None:
    typists = Typists()
    assert typists.hear(BOB, b"phone", 10, 10, is_typing=True)
    assert not typists.hear(BOB, b"laptop", 11, 11, is_typing=True)
    assert not typists.hear(BOB, b"phone", 12, 12, is_typing=False)
    assert typists.hear(BOB, b"laptop", 13, 13, is_typing=False)
    assert typists.is_empty
    assert not typists.end(BOB)


def test_a_clock_that_goes_back_ends_what_is_shown() -> None:
    typists = Typists()
    typists.hear(BOB, b"phone", 1_000_000, 1_000_000, is_typing=True)
    assert typists.expire(900_000) == [BOB]
