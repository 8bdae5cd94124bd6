"""Devices of one account as values: what they write, take and compare, with nothing in between."""

from collections.abc import Sequence
from itertools import combinations

from e2ecore.crypto.signing import ED25519
from e2ecore.sync import merging
from e2ecore.sync.authoring import Author, verify
from e2ecore.sync.merging import is_set, kept, values, written_last
from e2ecore_protocol.chain import device_id_of
from e2ecore_protocol.content.op_bodies import OP_BODIES, OpBody, Rule, rule_of
from e2ecore_protocol.content.ops import Op, Slot
from tests.support.comparing import Compared, compare
from tests.support.rng import SeededRng

ACCOUNT = bytes(range(20))
NOW_MS = 1_790_000_000_000
KEYS: dict[bytes, bytes] = {}
"""Keys of all siblings there ever were, as from the account's chain."""


class Sibling:
    """One device, which keeps what counts and forgets the rest."""

    def __init__(self, number: int, *, signs: bool = True) -> None:
        self.signs = signs
        """False saves most of the time, where signatures are not what is tested."""
        self.key = ED25519.generate(SeededRng(number))
        self.author = Author(device_id_of(self.key.public))
        KEYS[self.author.device_id] = self.key.public
        self.slots: dict[Slot, tuple[Op, ...]] = {}
        self.error_ms = 0
        """By how much its clock is wrong."""

    def write(self, subject: bytes, body: OpBody, now_ms: int = NOW_MS) -> Op:
        """Say something, in view of what it has."""
        now_ms += self.error_ms
        before = self.slots.get((body.KIND, subject), ())
        self.author, op = self.author.write(
            subject,
            body,
            before,
            now_ms=now_ms,
            sign=self._sign,
        )
        self._keep(op)
        return op

    def take(self, data: bytes, now_ms: int = NOW_MS) -> None:
        """Take an op as it came."""
        op = Op.decode(data)
        if self.signs:
            verify(op, ACCOUNT, KEYS[op.device_id])
        self.author = self.author.hear(op, now_ms + self.error_ms)
        self._keep(op)

    def _sign(self, op: Op) -> Op:
        return op.signed(ACCOUNT, self.key.sign) if self.signs else op

    def _keep(self, op: Op) -> None:
        self.slots[op.slot()] = kept((*self.slots.get(op.slot(), ()), op))

    def ops(self) -> dict[bytes, Op]:
        """All that it keeps, by hash."""
        return {op.hash(): op for slot in self.slots.values() for op in slot}

    def items(self) -> list[tuple[int, bytes]]:
        """What it compares."""
        return [(op.time, name) for name, op in self.ops().items()]

    def settle(self, now_ms: int = NOW_MS) -> list[Op]:
        """Write registers again that would change by time alone."""
        found = [
            (slot, merging.written_last(ops, now_ms + self.error_ms))
            for slot, ops in self.slots.items()
            if rule_of(slot[0]) is Rule.REGISTER
            and merging.wants_settling(ops, now_ms + self.error_ms)
        ]
        return [
            self.write(slot[1], OP_BODIES[slot[0]].from_fields(op.value), now_ms)
            for slot, op in found
            if op is not None
        ]

    def shown(self, now_ms: int = NOW_MS) -> dict[Slot, object]:
        """What its user sees, of each subject."""
        return {
            slot: outcome(ops, now_ms + self.error_ms) for slot, ops in self.slots.items() if ops
        }


def outcome(ops: tuple[Op, ...], now_ms: int) -> object:
    """What ops of one slot add up to."""
    match rule_of(ops[0].kind):
        case Rule.REGISTER:
            last = written_last(ops, now_ms)
            return last.value if last else None
        case Rule.GREATEST:
            return ops[0].value[0]
        case Rule.FLAG:
            return is_set(ops)
        case Rule.VALUES:
            return [op.value for op in values(ops)]
        case _:
            return {op.hash() for op in ops}


def exchange(one: Sibling, other: Sibling, now_ms: int = NOW_MS) -> Compared:
    """Compare two devices, and let each have what it lacks."""
    compared = compare(one.items(), other.items())
    here, there = one.ops(), other.ops()
    for name in sorted(compared.have):
        other.take(here[name].encode(), now_ms)
    for name in sorted(compared.need):
        one.take(there[name].encode(), now_ms)
    return compared


def agree(siblings: Sequence[Sibling], now_ms: int = NOW_MS) -> None:
    """Compare all with all until nobody lacks anything, and nothing changes by time alone."""
    while True:
        pairs = [exchange(*pair, now_ms) for pair in combinations(siblings, 2)]
        written = [op for one in siblings for op in one.settle(now_ms)]
        if not written and not any(pair.have or pair.need for pair in pairs):
            return
