"""Merging is a join, and comparing finds every difference, for whatever ops and sets there are."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ecore.sync import hlc
from e2ecore.sync.hlc import Hlc
from e2ecore.sync.merging import is_set, kept, seen_in, values, written_last
from e2ecore.sync.people import person
from e2ecore_protocol.content.op_bodies import (
    Blocked,
    Draft,
    Erased,
    Mute,
    Named,
    OpBody,
    Person,
    ReadUpTo,
    Setting,
)
from e2ecore_protocol.content.ops import NO_OP, Op, Seen
from e2ecore_protocol.limits import MAX_OP_SEEN
from tests.support.comparing import compare
from tests.support.siblings import NOW_MS, Sibling

BODIES: dict[str, list[OpBody]] = {
    "register": [Mute(0), Mute(1), Mute(2)],
    "people": [Person(1, "bob", ""), Person(1, None, "Robert"), Person(0, None, "")],
    "settings": [Setting(b""), Setting(b"a"), Setting(b"b")],
    "greatest": [ReadUpTo(3), ReadUpTo(4), ReadUpTo(4)],
    "values": [Draft("a", None, ()), Draft("b", None, ()), Draft("", None, ())],
    "for ever": [Erased((Named(bytes((n,)) * 16, bytes(20)),)) for n in range(3)],
    "flag": [Blocked(0), Blocked(1), Blocked(0)],
}
SUBJECT = {"flag": bytes(20), "people": bytes(20), "settings": b"theme"}
rules = pytest.mark.parametrize("rule", BODIES)
steps = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(-400, 400), st.booleans()),
    max_size=12,
)
DAY_MS = 86_400_000


def history(rule: str, moves: Sequence[tuple[int, int, int, bool]]) -> list[Op]:
    """Ops about one thing by three devices with any clocks, of which some hear of each other."""
    siblings = [Sibling(number, signs=False) for number in range(3)]
    written: list[Op] = []
    for who, other, days, speaks in moves:
        one, two = siblings[who], siblings[other]
        if speaks:
            one.error_ms = days * DAY_MS
            body = BODIES[rule][len(written) % 3]
            written.append(one.write(SUBJECT.get(rule, bytes(16)), body))
        else:
            for op in one.ops().values():
                two.take(op.encode())
    return written


@rules
@given(moves=steps, data=st.data())
def test_merging_does_not_care_for_order_repetition_and_what_was_forgotten(
    rule: str, moves: Sequence[tuple[int, int, int, bool]], data: st.DataObject
) -> None:
    ops = history(rule, moves)
    some = st.lists(st.sampled_from(ops)) if ops else st.just([])
    a, b, c = data.draw(some), data.draw(some), data.draw(some)
    whole = kept((*a, *b, *c))
    assert kept((*kept(a), *kept(b), *kept(c))) == whole
    assert kept((*kept((*a, *b)), *kept(c))) == kept((*kept(a), *kept((*b, *c)))) == whole
    assert kept((*c, *b, *a, *a)) == whole
    assert kept(whole) == whole


@st.composite
def strange_ops(draw: st.DrawFn) -> Op:
    """Ops that no honest device would write: numbers twice, and claims to have seen the future."""
    device = draw(st.integers(0, 3))
    others = draw(st.dictionaries(st.integers(0, 3), st.integers(1, 5), max_size=3))
    number = draw(st.integers(1, 4))
    return Op(
        *(bytes((device,)) * 16, number, NO_OP if number == 1 else bytes((1,)) * 32),
        draw(st.integers(0, 5)),
        *(Mute.KIND, bytes(16)),
        tuple(
            Seen(bytes((one,)) * 16, upto) for one, upto in sorted(others.items()) if one != device
        ),
        (draw(st.integers(0, 2)),),
    )


@given(st.lists(strange_ops(), max_size=8))
def test_two_devices_that_told_each_other_all_agree_even_about_strange_ops(
    ops: list[Op],
) -> None:
    a, b = kept(ops[::2]), kept(ops[1::2])
    assert kept((*a, *b)) == kept((*b, *a))
    assert kept(kept(ops)) == kept(ops)
    assert kept(reversed(ops)) == kept(ops)


@rules
@given(moves=steps)
def test_a_new_op_overwrites_all_that_its_author_had(
    rule: str, moves: Sequence[tuple[int, int, int, bool]]
) -> None:
    if rule in ("greatest", "for ever"):
        return
    before = kept(history(rule, moves))
    author = Sibling(0, signs=False)
    for op in before:
        author.take(op.encode())
    new = author.write(SUBJECT.get(rule, bytes(16)), BODIES[rule][1])
    assert kept((*before, new)) == (new,)


@given(moves=steps)
def test_the_greatest_number_stands(moves: Sequence[tuple[int, int, int, bool]]) -> None:
    ops = history("greatest", moves)
    assert [op.value[0] for op in kept(ops)] == sorted({op.value[0] for op in ops}, key=repr)[-1:]


@given(moves=steps, data=st.data())
def test_a_name_is_lost_only_to_who_knew_of_it(
    moves: Sequence[tuple[int, int, int, bool]], data: st.DataObject
) -> None:
    ops = history("people", moves)
    if not ops:
        return
    counts = person(kept(ops), NOW_MS)
    assert counts is not None
    assert counts == person(kept(data.draw(st.permutations(ops))), NOW_MS)
    assert bool(counts.name) == any(op.value[2] for op in kept(ops))


@given(moves=steps)
def test_nothing_that_was_erased_is_forgotten(moves: Sequence[tuple[int, int, int, bool]]) -> None:
    ops = history("for ever", moves)
    assert {op.hash() for op in kept(ops)} == {op.hash() for op in ops}


@given(moves=steps)
def test_what_counts_is_among_what_is_kept(moves: Sequence[tuple[int, int, int, bool]]) -> None:
    ops = kept(history("values", moves))
    assert set(values(ops)) == set(ops)
    assert (written_last(ops, NOW_MS) in ops) == bool(ops)
    flags = kept(history("flag", moves))
    assert is_set(flags) == any(op.value == (1,) for op in flags)


@given(st.integers(0, 1 << 40), st.integers(0, 1 << 40), st.integers(0, 1 << 56))
def test_a_time_is_later_than_all_before_unless_those_are_from_the_future(
    now_ms: int, later_ms: int, other: int
) -> None:
    last = hlc.heard(hlc.tick(hlc.NEVER, now_ms), other, now_ms)
    assert not hlc.is_ahead(last, now_ms)
    new = hlc.tick(last, later_ms)
    assert not hlc.is_ahead(new, later_ms)
    assert new > last or hlc.is_ahead(last + 1, later_ms)


@given(st.integers(0, 1 << 40))
def test_a_count_that_overflows_becomes_a_millisecond(now_ms: int) -> None:
    full = Hlc(hlc.at(now_ms) + 0xFFFF)
    assert hlc.tick(full, now_ms) == hlc.at(now_ms + 1)


def test_more_devices_than_can_be_named_leave_the_kept_ones() -> None:
    ops = [
        Op(bytes((n,)) * 16, 1, NO_OP, n, Mute.KIND, bytes(16), (), (0,)) for n in range(200, 230)
    ]
    old = tuple(Seen(bytes((n,)) * 16, 7) for n in range(MAX_OP_SEEN))
    last = Op(bytes((230,)) * 16, 1, NO_OP, 9, Mute.KIND, bytes(16), old, (0,))
    seen = seen_in([*ops, last], bytes((255,)) * 16)
    assert len(seen) == MAX_OP_SEEN
    assert {op.device_id for op in (*ops, last)} <= {one.device_id for one in seen}
    assert list(seen) == sorted(seen)


sets = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=150)


@given(sets)
def test_comparing_finds_every_difference(members: list[tuple[int, int]]) -> None:
    """Each op is on one side, the other, both; times are near each other or the same."""
    here, there = [], []
    for number, (time, where) in enumerate(members):
        item = (time, hashlib.sha256(b"%d" % number).digest())
        here.extend([item] * (where in (0, 2, 3)))
        there.extend([item] * (where in (1, 2, 3)))
    compared = compare(here, there, 2_048)
    assert compared.have == {name for _, name in {*here} - {*there}}
    assert compared.need == {name for _, name in {*there} - {*here}}
