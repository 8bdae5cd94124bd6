"""What people notice while others attack their relay."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from benchmarks import relay_attack
from benchmarks.model import OURS, Context, Measure, Result, Scale, Scenario, at_most, no_more_than
from benchmarks.summary import percentile
from benchmarks.systems.ours import Ours
from benchmarks.worker import Worker
from benchmarks.workloads import MEGABYTE, latencies_ms

if TYPE_CHECKING:
    from benchmarks.model import Sample

CALM: Final = "e2ecore without attackers"
HALF_OPEN: Final = {Scale.QUICK: 500, Scale.SHORT: 10_000, Scale.LONG: 10_000}
PAUSE_MS: Final = 10
"""Between two messages."""


def _sample(
    system: Ours, people: tuple[Worker, Worker], count: int, opening: list[float] | None = None
) -> Sample:
    latencies = latencies_ms(people, count, PAUSE_MS)
    opening = opening or latencies
    return {
        "p50_ms": percentile(latencies, 50),
        "p99_ms": percentile(latencies, 99),
        "opening_p50_ms": percentile(opening, 50),
        "opening_p99_ms": percentile(opening, 99),
        "server_rss_mb": system.server_rss_bytes() / MEGABYTE,
    }


def _run(context: Context, count: int) -> Result:
    result = Result()
    with Ours(context.directory("relay"), limited=True) as system:
        log = context.home / "attack.log"
        with Worker.python("attack of the relay", "benchmarks.relay_attack", log) as attack:
            for run in range(context.runs):
                people = system.pair()
                result.add(CALM, _sample(system, people, count))
                half_open = HALF_OPEN[context.scale]
                attack.ask("begin", half_open=half_open, **system.address())
                opened = time.monotonic() + half_open / relay_attack.OPENED_PER_S
                opening = latencies_ms(people, count, PAUSE_MS)
                time.sleep(max(0.0, opened - time.monotonic()))
                attacked = _sample(system, people, count, opening)
                done = attack.ask("end")
                result.add(OURS, attacked)
                system.release()
                context.say(f"run {run + 1}/{context.runs}: {attacked} under {done}")
    return result


HOSTILE_CLIENTS: Final = Scenario(
    name="hostile_clients",
    title="Two people, while others attack the relay",
    about=(
        "Two devices as in the other scenarios send and receive one message at a time, first in "
        "peace, then while a process attacks the same relay with its default limits: 10,000 "
        f"connections that say nothing, opened at {relay_attack.OPENED_PER_S:,} a second, a tenth "
        "of which may stay, "
        f"{relay_attack.WRONG_PER_S} TLS connections a second that send noise, too much, or what "
        f"needs authentication, and {relay_attack.SLOW_READERS} devices that are written "
        f"{relay_attack.WRITTEN_PER_S} messages a second each and never read."
    ),
    sizes={Scale.QUICK: 20, Scale.SHORT: 400, Scale.LONG: 1000},
    size_unit="messages",
    measures=(
        Measure("p50_ms", "p50_ms", "ms", "send to stored, under attack: median", CALM),
        Measure("p99_ms", "p99_ms", "ms", "the same, 99th percentile", CALM, at_most(2)),
        Measure(
            "opening_p50_ms", "opening_p50_ms", "ms", "the same while they are opened: median", CALM
        ),
        Measure(
            "opening_p99_ms",
            "opening_p99_ms",
            "ms",
            "the same while they are opened, 99th percentile",
            CALM,
            at_most(2),
        ),
        Measure(
            "server_rss_mb",
            "server_rss_mb",
            "MB",
            "resident memory of the relay under attack",
            CALM,
            no_more_than(200),
        ),
    ),
    run=_run,
)
