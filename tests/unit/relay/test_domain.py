"""The pure parts: buckets, states, feeds, logs, frames of many items."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ecore_protocol.codec import pack
from e2ecore_protocol.frames import Deliver, Delivery
from e2ecore_protocol.limits import (
    MAX_BATCH_BYTES,
    MAX_BATCH_ENVELOPES,
    MAX_UNACKED_BYTES,
    MAX_UNACKED_ENVELOPES,
)
from e2ecore_relay.domain.feed import Entry, Feed, Span, Unread
from e2ecore_relay.domain.log import Hole, Log, LogKind, Reader
from e2ecore_relay.domain.rates import Limiter, Rate
from e2ecore_relay.domain.sessions import (
    NEXT,
    SessionEvent,
    SessionState,
    UnexpectedFrameError,
    next_state,
)
from e2ecore_relay.server.delivering import deliver_frames
from e2ecore_relay.server.limits import network

CHAT = b"conversation 16B"
ME, OTHER = 1, 2


def entries(first: int, last: int, sender: int = OTHER, size: int = 10) -> list[Entry]:
    return [(seq, sender, bytes(size), 0, 0) for seq in range(first, last + 1)]


# --- token buckets ------------------------------------------------------------------------------


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    limiter = Limiter[str](Rate(3, 2.0))
    assert [limiter.take("a", 1, 1_000) for _ in range(4)] == [0, 0, 0, 501]
    assert limiter.take("b", 1, 1_000) == 0
    assert limiter.take("a", 1, 1_499) > 0
    assert limiter.take("a", 1, 1_500) == 0
    assert limiter.take("a", 3, 10_000) == 0


def test_a_cost_above_the_burst_passes_when_the_bucket_is_full() -> None:
    limiter = Limiter[str](Rate(3, 1.0))
    assert limiter.take("a", 10, 0) == 0
    assert limiter.take("a", 1, 0) > 0


def test_a_clock_that_was_ahead_keeps_nobody_out() -> None:
    limiter = Limiter[str](Rate(3, 1.0))
    year_ms = 365 * 86_400_000
    assert limiter.take("a", 3, year_ms) == 0
    assert limiter.take("a", 3, 1_000) == 0
    assert limiter.take("a", 1, 1_000) == 1_001, "and is a limit all the same"
    assert limiter.take("a", 1, 0) > 0, "set back a little: as empty as it was"


def test_full_buckets_are_forgotten_and_memory_is_bounded() -> None:
    limiter = Limiter[int](Rate(1, 1.0), max_keys=100)
    for key in range(1_000):
        limiter.take(key, 1, key)
    assert len(limiter) <= 100
    assert limiter.take(999, 1, 1_000) > 0


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 5)), max_size=60))
def test_no_bucket_ever_gives_more_than_burst_and_rate(asks: list[tuple[int, int]]) -> None:
    limiter = Limiter[str](Rate(5, 10.0))
    now = granted = 0
    for pause, cost in asks:
        now += pause
        wait = limiter.take("a", cost, now)
        granted += 0 if wait else cost
        assert granted <= 5 + now / 100 + 1e-6
        if wait:
            assert limiter.take("a", cost, now + wait) == 0
            now, granted = now + wait, granted + cost


@pytest.mark.parametrize(
    ("address", "shared"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2"),
        ("2001:db8:1:2::9%eth0", "2001:db8:1:2"),
        ("::ffff:192.0.2.7", "::ffff:192.0.2.7"),
    ],
)
def test_neighbours_in_one_network_share_a_bucket(address: str, shared: str) -> None:
    assert network(address) == shared


# --- states -------------------------------------------------------------------------------------


def test_every_unlisted_step_is_refused() -> None:
    for state, event in product(SessionState, SessionEvent):
        if (state, event) in NEXT:
            assert next_state(state, event) is NEXT[state, event]
        else:
            with pytest.raises(UnexpectedFrameError, match=event.value):
                next_state(state, event)
    assert NEXT[SessionState.PROVING, SessionEvent.PROVED] is SessionState.READY
    assert (SessionState.READY, SessionEvent.REGISTER) not in NEXT


# --- feeds --------------------------------------------------------------------------------------


def test_a_live_feed_passes_everything_but_its_own() -> None:
    feed = Feed(ME, [], 0)
    assert len(feed.offer(5, CHAT, entries(4, 6))) == 3
    assert feed.offer(5, CHAT, entries(7, 8, sender=ME)) == []
    assert len(feed.offer(5, CHAT, entries(9, 9))) == 1
    assert feed.behind == 0
    feed.acknowledge(CHAT, 6, 0)
    assert feed.take_progress() == {5: 8}
    feed.acknowledge(CHAT, 9, 0)
    assert feed.take_progress() == {5: 9}
    assert (feed.unacked, feed.unacked_bytes) == (0, 0)


def test_own_envelopes_alone_move_the_cursor() -> None:
    feed = Feed(ME, [], 0)
    feed.offer(5, CHAT, entries(1, 3, sender=ME))
    assert feed.take_progress() == {5: 3}


def test_a_full_window_turns_to_paging_and_acknowledgements_open_it() -> None:
    feed = Feed(ME, [], 0)
    sent = feed.offer(5, CHAT, entries(1, 1_000))
    assert len(sent) == MAX_UNACKED_ENVELOPES
    assert feed.behind == 1
    assert feed.wanted(10) == []
    assert feed.offer(5, CHAT, entries(1_001, 1_002)) == []
    feed.acknowledge(CHAT, 100, 0)
    assert feed.wanted(10) == [Span(5, CHAT, MAX_UNACKED_ENVELOPES, 1_002)]
    assert len(feed.page(CHAT, entries(257, 400), 400)) == 100
    assert feed.wanted(10) == []


def test_one_envelope_larger_than_the_window_passes() -> None:
    feed = Feed(ME, [], 0)
    assert len(feed.offer(5, CHAT, entries(1, 2, size=2 * MAX_UNACKED_BYTES))) == 1
    assert feed.behind == 1
    feed.acknowledge(CHAT, 1, 0)
    assert feed.wanted(1) == [Span(5, CHAT, 1, 2)]


def test_a_shared_payload_is_read_from_the_store() -> None:
    feed = Feed(ME, [], 0)
    assert feed.offer(5, b"", [(1, 0, b"x", 77, 0)]) == []
    assert feed.wanted(1) == [Span(5, b"", 0, 1)]


def test_what_waits_at_the_start_is_read_in_the_given_order() -> None:
    feed = Feed(ME, [Unread(9, b"", 0, 1), Unread(5, CHAT, 3, 7)], 0)
    assert feed.wanted(10) == [Span(9, b"", 0, 1), Span(5, CHAT, 3, 7)]
    assert feed.offer(5, CHAT, entries(8, 8)) == []
    assert len(feed.page(CHAT, [*entries(4, 4), *entries(6, 7)], 7)) == 3
    assert feed.wanted(10)[1] == Span(5, CHAT, 7, 8)
    assert len(feed.page(CHAT, entries(8, 8), 8)) == 1
    assert feed.page(CHAT, entries(4, 8), 8) == []
    assert feed.wanted(10) == [Span(9, b"", 0, 1)]


def test_an_acknowledgement_ahead_of_delivery_skips_what_the_device_has() -> None:
    feed = Feed(ME, [Unread(5, CHAT, 0, 10)], 0)
    feed.acknowledge(CHAT, 8, 0)
    assert feed.wanted(1) == [Span(5, CHAT, 8, 10)]
    feed.acknowledge(CHAT, 1_000, 0)
    assert feed.take_progress() == {5: 10}
    assert feed.behind == 0
    feed.acknowledge(b"unknown", 3, 0)
    assert feed.take_progress() == {}


def test_a_feed_tells_how_long_it_waits_for_an_acknowledgement() -> None:
    feed = Feed(ME, [], 0)
    assert feed.stalled_ms(5_000) == 0
    feed.offer(5, CHAT, entries(1, 2))
    assert feed.stalled_ms(6_000) == 1_000
    feed.acknowledge(CHAT, 1, 6_500)
    assert feed.stalled_ms(7_000) == 500


def test_idle_views_are_dropped() -> None:
    feed = Feed(ME, [], 0)
    for lid in range(3_000):
        log_id = lid.to_bytes(16)
        feed.offer(lid, log_id, entries(1, 1))
        feed.acknowledge(log_id, 1, 0)
    assert len(feed._views) <= 1_001
    assert len(feed.offer(0, bytes(16), entries(2, 2))) == 1


@given(st.data())
def test_whatever_comes_first_page_or_push_all_is_sent_once_and_in_order(
    data: st.DataObject,
) -> None:
    head = data.draw(st.integers(0, 400), label="head at the start")
    feed = Feed(ME, [Unread(5, CHAT, 0, head)] if head else [], 0)
    store = {seq: (OTHER if seq % 7 else ME) for seq in range(1, head + 1)}
    sent: list[int] = []
    acknowledged = 0

    def keep(items: list[bytes]) -> None:
        sent.extend(int.from_bytes(item) for item in items)

    def stored(after: int, upto: int) -> list[Entry]:
        return [(seq, store[seq], seq.to_bytes(4), 0, 0) for seq in range(after + 1, upto + 1)]

    for _ in range(data.draw(st.integers(0, 30), label="steps")):
        match data.draw(st.sampled_from(["push", "page", "acknowledge"])):
            case "push":
                count = data.draw(st.integers(1, 120))
                first = len(store) + 1
                store |= {seq: (OTHER if seq % 7 else ME) for seq in range(first, first + count)}
                keep(feed.offer(5, CHAT, stored(first - 1, first + count - 1)))
            case "page":
                for span in feed.wanted(1):
                    upto = min(span.upto, span.after + data.draw(st.integers(1, 300)))
                    keep(feed.page(CHAT, stored(span.after, upto), upto))
            case _:
                if sent:
                    acknowledged = data.draw(st.integers(acknowledged, sent[-1]))
                    feed.acknowledge(CHAT, acknowledged, 0)
        assert feed.unacked <= MAX_UNACKED_ENVELOPES
    while feed.behind:
        feed.acknowledge(CHAT, sent[-1] if sent else 0, 0)
        for span in feed.wanted(1):
            upto = min(span.upto, span.after + 100)
            keep(feed.page(CHAT, stored(span.after, upto), upto))
    assert sent == [seq for seq, sender in store.items() if sender == OTHER]


# --- logs ---------------------------------------------------------------------------------------


def a_log(*cursors: int, head: int = 10) -> Log:
    readers = {number: Reader(number, cursor) for number, cursor in enumerate(cursors, start=1)}
    return Log(1, CHAT, LogKind.GROUP, epoch=1, head=head, readers=readers)


def test_the_floor_rises_when_its_last_reader_leaves_it() -> None:
    log = a_log(3, 3, 5)
    assert log.floor == 3
    assert log.move(1, 8) is False
    assert log.move(2, 4) is True
    assert log.floor == 4
    assert log.move(2, 4) is False
    assert log.move(2, 1_000) is True
    assert log.floor == 5
    assert log.drop(3) is True
    assert log.floor == 8


def test_a_removed_reader_reads_on_to_its_end_and_can_come_back_with_a_hole() -> None:
    log = a_log(3, 3)
    log.dismiss([2], 6)
    assert set(log.audience) == {1}
    assert log.member(2) is None
    assert log.limit(2) == 6
    assert log.admit([(2, 2), (3, 3)], 9) == [Hole(2, 7, 9)]
    assert set(log.audience) == {1, 2, 3}
    assert log.readers[3].cursor == 9
    assert log.limit(2) == 10


def test_a_log_without_readers_keeps_nothing() -> None:
    log = a_log(3)
    assert log.drop(1) is True
    assert log.floor == log.head


# --- frames -------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 400_000), max_size=8), st.integers(0, 600))
def test_deliver_frames_hold_all_items_within_the_limits(large: list[int], small: int) -> None:
    sizes = [*large, *[10] * small]
    items = [
        pack((CHAT, seq, 1, 0, bytes(16), 5, bytes(size), None))
        for seq, size in enumerate(sizes, start=1)
    ]
    got: list[Delivery] = []
    for frame in deliver_frames(items):
        batch = Deliver.decode(frame).deliveries
        assert Deliver(batch).encode() == frame
        assert 1 <= len(batch) <= MAX_BATCH_ENVELOPES
        assert len(batch) == 1 or sum(len(one.payload) for one in batch) <= MAX_BATCH_BYTES
        got += batch
    assert [len(one.payload) for one in got] == sizes
