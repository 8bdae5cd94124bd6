"""Up to five devices of one account: away, out of order, told twice or never, with wild clocks."""

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from e2ecore.sync.merging import kept
from e2ecore_protocol.content.op_bodies import (
    Archive,
    Blocked,
    ClearedUpTo,
    Draft,
    Erased,
    Mute,
    Named,
    OpBody,
    Person,
    ReadUpTo,
)
from e2ecore_protocol.content.ops import Op, Slot
from tests.support.siblings import NOW_MS, Sibling, agree, exchange

DAY_MS = 86_400_000
MAX_DEVICES = 5
TALKS = (bytes(16), b"\1" * 16)
PEOPLE = (bytes(20), b"\1" * 20)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.spec("protocol/spec/75-own-devices.md [OPL-36]"),
]


@dataclass
class Whole:
    """All that was ever written, by nobody in particular."""

    ops: dict[Slot, list[Op]] = field(default_factory=dict)

    def add(self, op: Op) -> None:
        self.ops.setdefault(op.slot(), []).append(op)


def said() -> st.SearchStrategy[tuple[bytes, OpBody]]:
    talk, person = st.sampled_from(TALKS), st.sampled_from(PEOPLE)
    few = st.integers(0, 3)
    names = st.sets(st.builds(Named, st.binary(min_size=16, max_size=16), person), min_size=1)
    return st.one_of(
        st.tuples(talk, st.builds(Mute, few)),
        st.tuples(talk, st.builds(Archive, st.integers(0, 1))),
        st.tuples(
            person, st.builds(Person, st.integers(0, 1), st.none(), st.text("ab", max_size=2))
        ),
        st.tuples(talk, st.builds(ReadUpTo, st.integers(0, 9))),
        st.tuples(talk, st.builds(ClearedUpTo, st.integers(0, 9))),
        st.tuples(talk, st.builds(Draft, st.text("ab", max_size=3), st.none(), st.just(()))),
        st.tuples(talk, st.builds(lambda found: Erased(tuple(sorted(found))), names)),
        st.tuples(person, st.builds(Blocked, st.integers(0, 1))),
    )


class OwnDevices(RuleBasedStateMachine):
    """What each device keeps, against what follows from everything that was ever written."""

    @initialize(number=st.integers(2, MAX_DEVICES))
    def begin(self, number: int) -> None:
        self.now_ms = NOW_MS
        self.siblings = [Sibling(one, signs=False) for one in range(number)]
        self.under_way: list[tuple[Sibling, bytes]] = []
        self.whole = Whole()
        self.erased: list[set[object]] = [set() for _ in self.siblings]

    def _sibling(self, number: int) -> Sibling:
        return self.siblings[number % len(self.siblings)]

    def _check_deletes(self) -> None:
        for known, sibling in zip(self.erased, self.siblings, strict=True):
            now = {
                named
                for ops in sibling.slots.values()
                for op in ops
                if isinstance(body := op.body(), Erased)
                for named in body.messages
            }
            assert known <= now
            known.update(now)

    @rule(who=st.integers(0, 9), what=said(), copies=st.integers(0, 2))
    def write(self, who: int, what: tuple[bytes, OpBody], copies: int) -> None:
        author = self._sibling(who)
        op = author.write(*what, self.now_ms)
        self.whole.add(op)
        for other in self.siblings:
            if other is not author:
                self.under_way.extend([(other, op.encode())] * copies)

    @precondition(lambda self: self.under_way)
    @rule(place=st.integers(0, 99), many=st.integers(1, 20))
    def arrive(self, place: int, many: int) -> None:
        for _ in range(min(many, len(self.under_way))):
            to, data = self.under_way.pop(place % len(self.under_way))
            to.take(data, self.now_ms)
        self._check_deletes()

    @precondition(lambda self: self.under_way)
    @rule(place=st.integers(0, 99))
    def get_lost(self, place: int) -> None:
        self.under_way.pop(place % len(self.under_way))

    @rule(who=st.integers(0, 9), other=st.integers(0, 9))
    def compare(self, who: int, other: int) -> None:
        one, two = self._sibling(who), self._sibling(other)
        if one is not two:
            exchange(one, two, self.now_ms)
            assert one.ops().keys() == two.ops().keys()
        self._check_deletes()

    @rule(who=st.integers(0, 9), days=st.sampled_from([-366, -1, 0, 1, 366]))
    def clock_jumps(self, who: int, days: int) -> None:
        self._sibling(who).error_ms = days * DAY_MS

    @rule(days=st.integers(0, 100))
    def time_passes(self, days: int) -> None:
        self.now_ms += days * DAY_MS + 1

    @rule()
    def write_again_what_time_would_change(self) -> None:
        for sibling in self.siblings:
            for op in sibling.settle(self.now_ms):
                self.whole.add(op)

    def teardown(self) -> None:
        if not hasattr(self, "siblings"):
            return
        for to, data in self.under_way:
            to.take(data, self.now_ms)
        for sibling in self.siblings:
            sibling.error_ms = 0
        for one in self.siblings:
            for two in self.siblings:
                exchange(one, two, self.now_ms)
        for sibling in self.siblings:
            self._is_whole(sibling)
        agree(self.siblings, self.now_ms)
        shown = [sibling.shown(self.now_ms) for sibling in self.siblings]
        assert all(one == shown[0] for one in shown)
        self._stays_so(shown[0])
        self._check_deletes()

    def _is_whole(self, sibling: Sibling) -> None:
        """It keeps what whoever had received everything would keep."""
        assert sibling.slots == {slot: kept(ops) for slot, ops in self.whole.ops.items()}

    def _stays_so(self, shown: dict[Slot, object]) -> None:
        """Time alone changes nothing, in which a clock that was ahead could win after all."""
        for days in (1, 400, 4_000):
            later = self.now_ms + days * DAY_MS
            assert all(one.shown(later) == shown for one in self.siblings)


TestOwnDevices = OwnDevices.TestCase
TestOwnDevices.settings = settings(stateful_step_count=40, deadline=None)
