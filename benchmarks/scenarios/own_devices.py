"""Two devices of one account find out what either lacks, beside telling everything."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from benchmarks.measuring import US_PER_NS
from benchmarks.model import OURS, Context, Measure, Result, Scale, Scenario, at_most, no_more_than
from e2ecore.crypto.rng import system_rng
from e2ecore.crypto.signing import ED25519
from e2ecore.sync.authoring import Author, verify
from e2ecore.sync.items import Items
from e2ecore.sync.reconciling import Reconciler, answer
from e2ecore_protocol.chain import device_id_of
from e2ecore_protocol.content.op_bodies import Draft, Erased, Named, OpBody, ReadUpTo
from e2ecore_protocol.content.ops import Op
from e2ecore_protocol.content.own_devices import OpsAnswered, OpsCompared, OpsTold, OpsWanted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.model import Sample
    from e2ecore.crypto.signing import SigningKey
    from e2ecore_protocol.content.own_devices import OwnContent

EVERYTHING: Final = "everything told"
"""Name of the reference."""

LACKING: Final = 5
"""Ops that each side lacks: ten differences."""

ACCOUNT: Final = bytes(20)
NOW_MS: Final = 1_790_000_000_000
TOLD_AT_ONCE: Final = 256
_US_PER_MS: Final = 1_000


def _said(number: int) -> OpBody:
    match number % 3:
        case 0:
            return ReadUpTo(number)
        case 1:
            return Draft(f"{number} things that were begun to be written", None, ())
        case _:
            return Erased((Named(os.urandom(16), os.urandom(20)),))


def _written(count: int, key: SigningKey) -> list[Op]:
    """Return ops on as many different things, one a second."""
    author, ops = Author(device_id_of(key.public)), []
    for number in range(count):
        author, op = author.write(
            os.urandom(16),
            _said(number),
            (),
            now_ms=NOW_MS + number * 1_000,
            sign=lambda one: one.signed(ACCOUNT, key.sign),
        )
        ops.append(op)
    return ops


def _told(ops: Sequence[bytes]) -> list[OwnContent]:
    starts = range(0, len(ops), TOLD_AT_ONCE)
    return [OpsTold(tuple(ops[start : start + TOLD_AT_ONCE])) for start in starts]


class _Device:
    """What one device has: times, hashes, and encoded ops by hash, as they lie in a database."""

    def __init__(self, ops: Sequence[Op]) -> None:
        self.pairs = [(op.time, op.hash()) for op in ops]
        self.encoded = {op.hash(): op.encode() for op in ops}


def _compare(one: _Device, other: _Device) -> list[OwnContent]:
    """Return all that is said until both have everything."""
    device, session = bytes(16), bytes(16)
    here, there = Items(one.pairs), Items(other.pairs)
    asking = Reconciler(here)
    question: bytes | None = asking.initiate()
    said: list[OwnContent] = []
    have: list[bytes] = []
    need: list[bytes] = []
    while question is not None:
        answered = answer(there, question)
        said += [
            OpsCompared(device, session, question),
            OpsAnswered(device, session, answered),
        ]
        found = asking.respond(answered)
        have.extend(found.have)
        need.extend(found.need)
        question = found.frame
    said += _told([one.encoded[name] for name in have])
    said += [OpsWanted(device, tuple(need)), *_told([other.encoded[name] for name in need])]
    return said


def _measured(work: Callable[[], Sequence[OwnContent]], key: bytes) -> Sample:
    """Return what is said in bytes, and the CPU time until the ops in it are checked."""
    before = time.process_time_ns()
    said = work()
    size = sum(len(content.encode()) for content in said)
    ops = [Op.decode(op) for content in said if isinstance(content, OpsTold) for op in content.ops]
    for op in ops:
        verify(op, ACCOUNT, key)
    spent = (time.process_time_ns() - before) * US_PER_NS / _US_PER_MS
    rounds = sum(isinstance(content, OpsCompared) for content in said)
    return {"bytes": size, "cpu_ms": spent, "rounds": rounds, "ops": len(ops)}


def _run(context: Context, size: int) -> Result:
    result = Result()
    key = ED25519.generate(system_rng)
    ops = _written(size, key)
    lacked = range(size // (4 * LACKING), size, size // (2 * LACKING))
    one = _Device([op for place, op in enumerate(ops) if place not in lacked[::2]])
    other = _Device([op for place, op in enumerate(ops) if place not in lacked[1::2]])
    both = _Device(ops)
    for run in range(context.runs):
        ours = _measured(lambda: _compare(one, other), key.public)
        if ours["ops"] != 2 * LACKING:
            raise AssertionError(f"{ours['ops']} of {2 * LACKING} differences were found")
        result.add(OURS, ours)
        full = _measured(lambda: _told([*both.encoded.values()]), key.public)
        result.add(EVERYTHING, full)
        context.say(f"run {run + 1}/{context.runs} {OURS}: {ours}, {EVERYTHING}: {full}")
    return result


RECONCILE: Final = Scenario(
    name="own_devices_reconcile",
    title="Two devices of one account agree again",
    about=(
        "Two devices have the same ops (read markers, drafts, deletes), but for five that only the "
        "one has and five that only the other has, far apart. Ours compares ranges until both know "
        "what the other lacks, and tells just that. The reference tells all ops. Bytes are of "
        "all contents on either way, before encryption; time is from pairs of time and hash in "
        "memory, as a database hands them over, until every op that came is decoded and its "
        "signature checked, both devices together."
    ),
    sizes={Scale.QUICK: 2_000, Scale.SHORT: 100_000, Scale.LONG: 100_000},
    size_unit="ops",
    measures=(
        Measure("bytes", "bytes", "B", "all that is said", EVERYTHING, at_most(0.02)),
        Measure("cpu_ms", "cpu_ms", "ms", "CPU time of both devices", EVERYTHING, at_most(0.2)),
        Measure("rounds", "rounds", "rounds", "questions and answers", goal=no_more_than(4)),
    ),
    run=_run,
)
