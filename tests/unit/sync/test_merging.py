"""What counts of several ops about one thing, and that a wrong clock decides nothing for good."""

import pytest

from e2ecore.sync import hlc
from e2ecore.sync.merging import (
    is_set,
    keeps_all,
    kept,
    rank,
    seen_in,
    values,
    wants_settling,
    written_last,
)
from e2ecore_protocol.content.op_bodies import (
    Blocked,
    Draft,
    Erased,
    Mute,
    Named,
    ReadUpTo,
    Rule,
    rule_of,
)
from e2ecore_protocol.content.ops import NO_OP, Op, Seen
from tests.support.siblings import NOW_MS, Sibling, agree, exchange

TALK, PERSON = bytes(16), bytes(20)
YEAR_MS = 366 * 86_400_000
SLOT = (Mute.KIND, TALK)


def pair() -> tuple[Sibling, Sibling]:
    return Sibling(1), Sibling(2)


def test_without_ops_nothing_counts() -> None:
    assert kept([]) == ()
    assert written_last([], NOW_MS) is None
    assert not is_set([])
    assert values([]) == ()
    assert seen_in([], bytes(16)) == ()


@pytest.mark.parametrize(
    ("kind", "rule"),
    [(99, None), (100, Rule.REGISTER), (299, Rule.GREATEST), (599, Rule.FLAG), (600, None)],
)
def test_the_hundreds_of_a_kind_are_its_rule(kind: int, rule: Rule | None) -> None:
    assert rule_of(kind) is rule


def test_of_two_who_did_not_know_of_each_other_the_later_counts() -> None:
    phone, laptop = pair()
    phone.write(TALK, Mute(1), NOW_MS)
    laptop.write(TALK, Mute(2), NOW_MS + 1)
    agree([phone, laptop], NOW_MS + 2)
    assert phone.shown(NOW_MS)[SLOT] == laptop.shown(NOW_MS)[SLOT] == (2,)


def test_who_writes_in_view_of_something_overrules_it_even_with_a_clock_that_is_late() -> None:
    phone, laptop = pair()
    laptop.error_ms = -YEAR_MS
    phone.write(TALK, Mute(1))
    exchange(phone, laptop)
    laptop.write(TALK, Mute(2))
    agree([phone, laptop])
    assert phone.shown()[SLOT] == laptop.shown()[SLOT] == (2,)


def test_a_device_whose_clock_was_a_year_ahead_does_not_win_for_ever() -> None:
    phone, laptop = pair()
    laptop.error_ms = YEAR_MS
    laptop.write(TALK, Mute(1))
    phone.write(TALK, Mute(2))
    exchange(phone, laptop)
    assert phone.shown()[SLOT] == (2,)
    phone.write(TALK, Mute(3))
    exchange(phone, laptop)
    for later_ms in (0, YEAR_MS, 9 * YEAR_MS):
        assert phone.shown(NOW_MS + later_ms)[SLOT] == laptop.shown(NOW_MS + later_ms)[SLOT] == (3,)


def test_one_from_the_future_is_written_over_before_its_time_comes() -> None:
    phone, laptop = pair()
    laptop.error_ms = YEAR_MS
    laptop.write(TALK, Mute(1))
    phone.write(TALK, Mute(2))
    exchange(phone, laptop)
    assert wants_settling(phone.slots[SLOT], NOW_MS)
    assert not wants_settling(laptop.slots[SLOT], NOW_MS + YEAR_MS)
    agree([phone, laptop])
    assert not wants_settling(phone.slots[SLOT], NOW_MS)
    for later_ms in (0, 2 * YEAR_MS):
        assert phone.shown(NOW_MS + later_ms)[SLOT] == laptop.shown(NOW_MS + later_ms)[SLOT] == (2,)


def test_what_somebody_says_alone_counts_though_it_is_from_the_future() -> None:
    phone, laptop = pair()
    laptop.error_ms = YEAR_MS
    laptop.write(TALK, Mute(1))
    agree([phone, laptop])
    assert phone.shown()[SLOT] == (1,)
    assert len(phone.slots[SLOT]) == 1


def test_one_wrong_clock_moves_no_other() -> None:
    phone, laptop = pair()
    laptop.error_ms = YEAR_MS
    laptop.write(TALK, Mute(1))
    exchange(phone, laptop)
    assert hlc.ms_of(phone.write(TALK, Mute(2)).time) == NOW_MS


def test_a_device_whose_clock_was_put_right_goes_on_from_now() -> None:
    phone = Sibling(1)
    phone.error_ms = YEAR_MS
    phone.write(TALK, Mute(1))
    phone.error_ms = 0
    right = phone.write(TALK, Mute(2))
    assert hlc.ms_of(right.time) == NOW_MS
    assert phone.slots[SLOT] == (right,)


def test_two_drafts_are_both_kept_until_one_is_written_in_view_of_both() -> None:
    phone, laptop = pair()
    one, other = Draft("from the phone", None, ()), Draft("from the laptop", None, ())
    phone.write(TALK, one)
    laptop.write(TALK, other, NOW_MS + 1)
    agree([phone, laptop])
    drafts = [op.body() for op in values(phone.slots[Draft.KIND, TALK])]
    assert drafts == [other, one]
    phone.write(TALK, Draft("", None, ()))
    agree([phone, laptop])
    assert [op.body() for op in laptop.slots[Draft.KIND, TALK]] == [Draft("", None, ())]


def test_words_that_were_overwritten_are_nowhere_any_more() -> None:
    phone, laptop = pair()
    phone.write(TALK, Draft("a secret", None, ()))
    exchange(phone, laptop)
    laptop.write(TALK, Draft("", None, ()))
    exchange(phone, laptop)
    assert b"a secret" not in b"".join(op.encode() for op in phone.ops().values())


def test_how_far_is_read_never_goes_back() -> None:
    phone, laptop = pair()
    phone.write(TALK, ReadUpTo(9))
    exchange(phone, laptop)
    laptop.write(TALK, ReadUpTo(4), NOW_MS + 5)
    agree([phone, laptop], NOW_MS + 6)
    assert phone.shown()[ReadUpTo.KIND, TALK] == laptop.shown()[ReadUpTo.KIND, TALK] == 9


def test_a_block_stands_until_it_is_lifted_in_view_of_it() -> None:
    phone, laptop = pair()
    phone.write(PERSON, Blocked(1))
    laptop.write(PERSON, Blocked(0), NOW_MS + 1)
    agree([phone, laptop])
    slot = (Blocked.KIND, PERSON)
    assert is_set(phone.slots[slot])
    phone.write(PERSON, Blocked(0))
    agree([phone, laptop])
    assert not is_set(laptop.slots[slot])


def test_a_delete_stands_whatever_is_said_afterwards() -> None:
    phone, laptop = pair()
    gone = Erased((Named(bytes(16), PERSON),))
    phone.write(TALK, gone)
    for _ in range(3):
        laptop.write(TALK, Erased((Named(b"\1" * 16, PERSON),)), NOW_MS + YEAR_MS)
    agree([phone, laptop])
    assert gone in [op.body() for op in laptop.slots[Erased.KIND, TALK]]
    assert len(laptop.slots[Erased.KIND, TALK]) == 4


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        pytest.param(199, 1, id="a register"),
        pytest.param(399, 1, id="values"),
        pytest.param(599, 1, id="a flag"),
        pytest.param(499, 2, id="for ever"),
        pytest.param(900, 2, id="a rule of later"),
    ],
)
def test_kinds_that_are_not_known_are_merged_by_their_rule(kind: int, count: int) -> None:
    first = Op(bytes(16), 1, NO_OP, 0, kind, b"later", (), ("x",))
    seen = (Seen(bytes(16), 1),) if count == 1 else ()
    second = Op(b"\1" * 16, 1, NO_OP, 0, kind, b"later", seen, ("y",))
    for op in (first, second):
        assert Op.decode(op.encode()) == op
        assert op.body() is None
    assert len(kept([first, second])) == count
    assert keeps_all(kind) == (count == 2)
    assert rank(first) < rank(second)


def test_a_number_that_was_never_checked_is_not_compared() -> None:
    ops = [Op(bytes(16), n, NO_OP, 0, ReadUpTo.KIND, TALK, (), ("x",)) for n in (1, 2)]
    with pytest.raises(TypeError):
        kept(ops)
