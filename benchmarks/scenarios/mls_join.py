"""Joining a group of a thousand, against the signatures that must be verified for it."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Final

from benchmarks.floors.signatures import SignatureFloor
from benchmarks.large_groups import LargeGroup, client, now_ms
from benchmarks.measuring import FLOOR, Timings, aged, on_the_clock
from benchmarks.mls_peers import OPENMLS, RFC9420, TS_MLS, add_peers, beside
from benchmarks.model import OURS, Context, Measure, Result, Scale, Scenario, at_most
from benchmarks.scenarios.mls_messages import Refused
from e2ecore.crypto.rng import system_rng
from e2ecore.crypto.suites import SUITES
from e2ecore.mls.group import Group
from e2ecore.mls.proposals import Add

if TYPE_CHECKING:
    from e2ecore.mls.key_package import KeyPackageBundle

SUITE: Final = 0x0001
MEMBERS: Final = 1000
"""The new one included."""


def _invited(*, full: bool) -> tuple[bytes, KeyPackageBundle]:
    """Return a Welcome and the key package it is for."""
    large = LargeGroup.of(SUITES[SUITE], MEMBERS - 1, full=full)
    _, bundle = client(large.suite, "new member")
    pending = large.member(0).create_commit(
        [Add(bundle.key_package)], signer=large.signers[0], now_ms=now_ms(), rng=system_rng
    )
    if pending.welcome is None:
        raise Refused("the commit that adds a member has no welcome")
    return pending.welcome, bundle


def _run(context: Context, size: int) -> Result:
    result = Result()
    full, bare = _invited(full=True), _invited(full=False)
    floor = SignatureFloor(MEMBERS, os.cpu_count() or 1)
    for _ in range(context.runs):
        ours, below = Timings(), Timings()
        with aged():
            for _ in range(size):
                for name, (welcome, bundle) in (("join_ms", full), ("join_bare_ms", bare)):
                    joined, _ = on_the_clock(partial(Group.join, welcome, bundle, now_ms=now_ms()))
                    checked, _ = on_the_clock(floor.verify)
                    ours.add(name, joined / 1000)
                    below.add(name, checked / 1000)
        ours.add("welcome_bytes", len(full[0]))
        result.add(OURS, ours.medians())
        result.add(FLOOR, below.medians())
    add_peers(context, result, MLS_JOIN, size)
    return result


_JOIN: Final = Measure("join_ms", "join_ms", "ms", "time on the clock", FLOOR, at_most(1.3))
_JOIN_BARE: Final = Measure(
    "join_bare_ms", "join_bare_ms", "ms", "the same with a bare tree", FLOOR, at_most(1.3)
)

MLS_JOIN: Final = Scenario(
    name="mls_join",
    title="Joining 1,000 members from a Welcome",
    about=(
        "Suite 1, the tree within the Welcome: open it, decode the tree, check every rule, every"
        " hash and every signature. Once with a full tree (999 parents with keys) and once with a"
        " bare one. The floor verifies the members' signatures and nothing else, on as many threads"
        " as there are cores."
    ),
    sizes={Scale.QUICK: 1, Scale.SHORT: 10, Scale.LONG: 30},
    size_unit="joins",
    measures=(
        _JOIN,
        _JOIN_BARE,
        Measure("welcome_bytes", "welcome_bytes", "B", "size of the Welcome, full tree"),
        *beside(_JOIN, (TS_MLS,), {}),
        *beside(_JOIN_BARE, (OPENMLS, RFC9420), {}),
    ),
    run=_run,
)
