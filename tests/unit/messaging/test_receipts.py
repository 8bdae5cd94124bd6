"""Receipts are cumulative: nothing is taken back, nothing is claimed that was never sent."""

from hypothesis import given
from hypothesis import strategies as st

from e2ecore.messaging.counters import ReceiveCounter
from e2ecore.messaging.receipts import Delivery, advance, clip, entries


def test_a_receipt_moves_the_mark_forward() -> None:
    assert advance(Delivery(3), Delivery(7, (5,))) == Delivery(7, (5,))
    assert advance(Delivery(7, (5,)), Delivery(7)) == Delivery(7)


def test_an_older_or_equal_receipt_says_nothing_new() -> None:
    assert advance(Delivery(7), Delivery(3)) is None
    assert advance(Delivery(7, (5,)), Delivery(7, (5,))) is None


def test_a_confirmation_is_never_taken_back() -> None:
    assert advance(Delivery(7), Delivery(8, (4,))) == Delivery(8)


def test_a_claim_beyond_what_was_sent_is_cut_down() -> None:
    assert clip(Delivery(100, (2, 50)), 10) == Delivery(10, (2,))
    assert clip(Delivery(9), 10) == Delivery(9)


def test_who_was_not_heard_is_not_in_the_receipt() -> None:
    heard = {b"b": ReceiveCounter(4, (2,)), b"a": ReceiveCounter(9), b"c": ReceiveCounter()}
    assert entries(heard) == [(b"a", 9, ()), (b"b", 4, (2,))]


@given(st.lists(st.tuples(st.integers(1, 30), st.sets(st.integers(1, 30), max_size=5))))
def test_what_was_confirmed_once_stays_confirmed(reports: list[tuple[int, set[int]]]) -> None:
    state, confirmed = Delivery(), set[int]()
    for upto, missing in reports:
        said = Delivery(upto, tuple(sorted(n for n in missing if n <= upto)))
        state = advance(state, said) or state
        assert all(state.has(number) for number in confirmed)
        confirmed |= {number for number in range(1, 31) if state.has(number)}
