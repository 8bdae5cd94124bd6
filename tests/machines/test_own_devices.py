"""Up to five devices of one account: away, out of order, told twice or never, with wild clocks."""

from collections.abc import Iterable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from e2ecore_protocol.content.op_bodies import (
    Blocked,
    ClearedUpTo,
    Draft,
    Erased,
    Mute,
    Named,
    OpBody,
    ReadUpTo,
    Rule,
    rule_of,
)
from e2ecore_protocol.content.ops import Op, Slot
from tests.support.siblings import NOW_MS, Sibling, agree, exchange

DAY_MS = 86_400_000
MAX_DEVICES = 5
TALK = bytes(16)
PERSON = bytes(20)

pytestmark = pytest.mark.slow


class Whole:
    """All that was ever written, and what its authors knew, and what follows from that."""

    def __init__(self) -> None:
        self.ops: dict[Slot, dict[bytes, Op]] = {}
        self.pasts: dict[bytes, frozenset[bytes]] = {}
        self.known: dict[Sibling, set[bytes]] = {}

    def add(self, author: Sibling, op: Op) -> None:
        about_it = self.ops.setdefault(op.slot(), {})
        known = self.known.setdefault(author, set())
        self.pasts[op.hash()] = frozenset(known & about_it.keys())
        about_it[op.hash()] = op
        known.add(op.hash())

    def heard(self, who: Sibling, names: Iterable[bytes]) -> None:
        for name in names:
            self.known.setdefault(who, set()).update(self.pasts[name], (name,))

    def left(self, slot: Slot) -> set[bytes]:
        """What is to be kept of a slot."""
        ops = self.ops[slot]
        match rule_of(slot[0]):
            case Rule.GREATEST:
                most = max(
                    ops.values(), key=lambda op: (op.value, op.time, op.device_id, op.hash())
                )
                return {most.hash()}
            case Rule.FOREVER:
                return {*ops}
            case _:
                return {name for name in ops if all(name not in self.pasts[one] for one in ops)}


def said() -> st.SearchStrategy[tuple[bytes, OpBody]]:
    number = st.integers(0, 3)
    names = st.builds(Named, st.binary(min_size=16, max_size=16), st.just(PERSON))
    return st.one_of(
        st.tuples(st.just(TALK), st.builds(Mute, number)),
        st.tuples(st.just(TALK), st.builds(ReadUpTo, number)),
        st.tuples(st.just(TALK), st.builds(ClearedUpTo, number)),
        st.tuples(st.just(TALK), st.builds(Draft, st.text("ab"), st.none(), st.just(()))),
        st.tuples(st.just(TALK), st.builds(lambda name: Erased((name,)), names)),
        st.tuples(st.just(PERSON), st.builds(Blocked, st.integers(0, 1))),
    )


def deletes(sibling: Sibling) -> tuple[set[Named], int]:
    """What a device keeps of what was erased: messages, and up to where."""
    bodies = [op.body() for ops in sibling.slots.values() for op in ops]
    named = [name for body in bodies if isinstance(body, Erased) for name in body.messages]
    return {*named}, max([body.seq for body in bodies if isinstance(body, ClearedUpTo)], default=0)


class OwnDevices(RuleBasedStateMachine):
    """What each device keeps, against what follows from everything that was ever written."""

    @initialize(number=st.integers(2, MAX_DEVICES))
    def begin(self, number: int) -> None:
        self.now_ms = NOW_MS
        self.siblings = [Sibling(one, signs=False) for one in range(number)]
        self.under_way: list[tuple[Sibling, Op]] = []
        self.whole = Whole()
        self.gone = [deletes(one) for one in self.siblings]

    def _sibling(self, number: int) -> Sibling:
        return self.siblings[number % len(self.siblings)]

    def _no_delete_was_undone(self) -> None:
        now = [deletes(one) for one in self.siblings]
        for (named, upto), (named_now, upto_now) in zip(self.gone, now, strict=True):
            assert named <= named_now
            assert upto <= upto_now
        self.gone = now

    @rule(who=st.integers(0, 9), what=said(), copies=st.integers(0, 2))
    def write(self, who: int, what: tuple[bytes, OpBody], copies: int) -> None:
        author = self._sibling(who)
        op = author.write(*what, self.now_ms)
        self.whole.add(author, op)
        others = [one for one in self.siblings if one is not author]
        self.under_way.extend([(other, op) for other in others] * copies)

    @rule(what=said(), ahead=st.integers(0, 9))
    def all_write_about_the_same(self, what: tuple[bytes, OpBody], ahead: int) -> None:
        """Without knowing of each other, one of them with its clock in the next year."""
        before = self._sibling(ahead).error_ms
        self._sibling(ahead).error_ms = 366 * DAY_MS
        for sibling in self.siblings:
            self.whole.add(sibling, sibling.write(*what, self.now_ms))
        self._sibling(ahead).error_ms = before

    @precondition(lambda self: self.under_way)
    @rule(place=st.integers(0, 99), many=st.integers(1, 20))
    def arrive(self, place: int, many: int) -> None:
        for _ in range(min(many, len(self.under_way))):
            to, op = self.under_way.pop(place % len(self.under_way))
            to.take(op.encode(), self.now_ms)
            self.whole.heard(to, [op.hash()])
        self._no_delete_was_undone()

    @precondition(lambda self: self.under_way)
    @rule(place=st.integers(0, 99))
    def get_lost(self, place: int) -> None:
        self.under_way.pop(place % len(self.under_way))

    @rule(who=st.integers(0, 9), other=st.integers(0, 9))
    def compare(self, who: int, other: int) -> None:
        one, two = self._sibling(who), self._sibling(other)
        if one is not two:
            self._exchange(one, two)
        self._no_delete_was_undone()

    def _exchange(self, one: Sibling, two: Sibling) -> None:
        compared = exchange(one, two, self.now_ms)
        self.whole.heard(two, compared.have)
        self.whole.heard(one, compared.need)
        assert one.ops().keys() == two.ops().keys()

    @rule(who=st.integers(0, 9), days=st.sampled_from([-366, -1, 0, 1, 366]))
    def clock_jumps(self, who: int, days: int) -> None:
        self._sibling(who).error_ms = days * DAY_MS

    @rule(days=st.integers(0, 100))
    def time_passes(self, days: int) -> None:
        self.now_ms += days * DAY_MS + 1

    @rule(who=st.integers(0, 9))
    def write_again_what_time_would_change(self, who: int) -> None:
        sibling = self._sibling(who)
        for op in sibling.settle(self.now_ms):
            self.whole.add(sibling, op)

    def teardown(self) -> None:
        if not hasattr(self, "siblings"):
            return
        for sibling in self.siblings:
            sibling.error_ms = 0
        for one in self.siblings * 2:
            for two in self.siblings:
                self._exchange(one, two)
        expected = {name for slot in self.whole.ops for name in self.whole.left(slot)}
        assert all(one.ops().keys() == expected for one in self.siblings)
        agree(self.siblings, self.now_ms)
        shown = self.siblings[0].shown(self.now_ms)
        for later_ms in (0, DAY_MS, 400 * DAY_MS, 4_000 * DAY_MS):
            assert all(one.shown(self.now_ms + later_ms) == shown for one in self.siblings)
        self._no_delete_was_undone()


TestOwnDevices = OwnDevices.TestCase
TestOwnDevices.settings = settings(stateful_step_count=30, deadline=None)
