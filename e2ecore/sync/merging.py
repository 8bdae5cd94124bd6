"""What counts of all ops about one thing.

Ops on the same kind and subject are a *slot*. Of a slot those are *kept* that nothing overwrites:
what is kept of a union is what is kept of the union of what was kept before, so it does not matter
in which order and how often ops come, and nobody needs to store more than what is kept. The rule of
the kind says what is overwritten, and what the rest adds up to:

- REGISTER, VALUES, FLAG: an op overwrites those that its author had (``seen``) and earlier ones of
  its own device. So what was said in view of something counts more than that, whatever the clocks
  were. Only between ops that did not know of each other the clock decides (REGISTER), both are
  shown (VALUES), or the cautious one counts (FLAG).
- GREATEST: the greatest number, and nothing else.
- FOREVER, and rules of newer versions: everything.

Spec: protocol/spec/75-own-devices.md, [OPL-30] to [OPL-39]
"""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from e2ecore.sync.hlc import is_ahead
from e2ecore_protocol.content.op_bodies import Rule, rule_of
from e2ecore_protocol.content.ops import Op, Seen
from e2ecore_protocol.limits import MAX_OP_SEEN

_Rank: TypeAlias = tuple[int, bytes, bytes]


def kept(ops: Iterable[Op]) -> tuple[Op, ...]:
    """Return what is kept of ops of one slot, in order of their time and hash, each once.

    All others can be forgotten. ``kept((*a, *b)) == kept((*kept(a), *kept(b)))``.
    """
    unique = {op.hash(): op for op in ops}
    found = [unique[name] for name in sorted(unique, key=lambda name: (unique[name].time, name))]
    if not found:
        return ()
    match rule_of(found[0].kind):
        case Rule.GREATEST:
            return (max(found, key=lambda op: (_greatness(op), *rank(op))),)
        case Rule.REGISTER | Rule.VALUES | Rule.FLAG:
            return tuple([op for op in found if not _is_overwritten(op, found)])
        case Rule.FOREVER | None:
            return tuple(found)


def keeps_all(kind: int) -> bool:
    """Tell whether every op of a kind is kept: then others of its slot need not be looked at."""
    return rule_of(kind) in (Rule.FOREVER, None)


def rank(op: Op) -> _Rank:
    """Return what decides between ops that did not know of each other: the greatest counts."""
    return op.time, op.device_id, op.hash()


def seen_in(ops: Iterable[Op], device_id: bytes) -> tuple[Seen, ...]:
    """Return what a new op of a device has to name as seen, from what is kept of its slot.

    Args:
        ops: What is kept.
        device_id: The device that writes. It overwrites its own ops anyway.
    """
    found = list(ops)
    numbers: dict[bytes, int] = {}
    for op in found:
        _raise_to(numbers, op.device_id, op.number)
    here = frozenset(numbers)
    for op in found:
        for name, number in op.seen:
            _raise_to(numbers, name, number)
    numbers.pop(device_id, None)
    important = sorted(numbers, key=lambda name: (name not in here, name))[:MAX_OP_SEEN]
    return tuple([Seen(name, numbers[name]) for name in sorted(important)])


def written_last(ops: Iterable[Op], now_ms: int) -> Op | None:
    """Return the op of a REGISTER that counts; None if there is none.

    One from the future counts only if there is no other.
    """
    return max(ops, key=lambda op: (not is_ahead(op.time, now_ms), *rank(op)), default=None)


def wants_settling(ops: Sequence[Op], now_ms: int) -> bool:
    """Tell whether a REGISTER must be written again, with the value that counts now.

    So it is where one of several ops is from the future: when its time comes it would win.
    """
    return len(ops) > 1 and any(is_ahead(op.time, now_ms) for op in ops)


def values(ops: Iterable[Op]) -> tuple[Op, ...]:
    """Return the ops of VALUES side by side, the newest first."""
    return tuple(sorted(ops, key=rank, reverse=True))


def is_set(ops: Iterable[Op]) -> bool:
    """Tell whether a FLAG is set."""
    return any(op.value[:1] == (1,) for op in ops)


def _raise_to(numbers: dict[bytes, int], name: bytes, number: int) -> None:
    numbers[name] = max(number, numbers.get(name, 0))


def _is_overwritten(op: Op, by: Iterable[Op]) -> bool:
    return any(_overwrites(other, op) for other in by)


def _overwrites(later: Op, earlier: Op) -> bool:
    if later.device_id == earlier.device_id:
        if later.number == earlier.number:
            return later.hash() > earlier.hash()
        return later.number > earlier.number
    return _had(later, earlier) and not _had(earlier, later)


def _had(op: Op, other: Op) -> bool:
    return any(
        seen.device_id == other.device_id and seen.number >= other.number for seen in op.seen
    )


def _greatness(op: Op) -> int:
    value = op.value[0]
    if not isinstance(value, int):
        raise TypeError("not checked when it was decoded")
    return value
