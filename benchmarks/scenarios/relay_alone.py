"""The relay by itself, beside servers that do the same job without TLS and without durability."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from benchmarks.model import (
    OURS,
    Context,
    Measure,
    Result,
    Scale,
    Scenario,
    at_least,
    at_most,
    no_more_than,
)
from benchmarks.peers.server import ServerError
from benchmarks.peers.setup import NotInstalledError
from benchmarks.systems.our_relay import OurRelay
from benchmarks.systems.servers import (
    KEPT_UP,
    PACED_RATE,
    PAIRS,
    PAYLOAD_BYTES,
    WINDOW,
    EjabberdTarget,
    MosquittoTarget,
    ProsodyTarget,
    Target,
)

if TYPE_CHECKING:
    from benchmarks.model import Sample

IDLE: Final = {Scale.QUICK: 50, Scale.SHORT: 1000, Scale.LONG: 1000}
"""Idle connections whose memory is measured."""


def _sample(target: Target, milliseconds: int) -> Sample:
    full = target.closed(milliseconds)
    sample: dict[str, float] = asdict(full)
    paced = target.paced(milliseconds)
    if paced.messages_per_second >= KEPT_UP * PACED_RATE:
        sample |= {"paced_cpu_us": paced.cpu_us, "paced_p50_ms": paced.p50_ms}
        sample |= {"paced_p99_ms": paced.p99_ms}
    return sample


def _targets(context: Context) -> list[type[Target]]:
    return [OurRelay, *((ProsodyTarget, MosquittoTarget, EjabberdTarget) if context.peers else ())]


def _run(context: Context, milliseconds: int) -> Result:
    result = Result()
    with ExitStack() as stack:
        started: list[Target] = []
        for kind in _targets(context):
            try:
                target = stack.enter_context(kind(context.directory(kind.name)))
            except (NotInstalledError, ServerError) as error:
                result.skipped[kind.name] = str(error)
                continue
            target.prepare()
            started.append(target)
            result.versions[target.name] = target.version()
        for run in range(context.runs):
            for target in started:
                sample = _sample(target, milliseconds)
                result.add(target.name, sample)
                shown = ", ".join(f"{key} {value:.4g}" for key, value in sample.items())
                context.say(f"run {run + 1}/{context.runs} {target.name}: {shown}")
    with OurRelay(context.directory("idle")) as relay:
        idle_kib = relay.idle_kib(IDLE[context.scale])
        if idle_kib is not None:
            result.add(OURS, {"idle_kib": idle_kib})
    return result


def _rate(name: str, reference: str, factor: float | None) -> Measure:
    goal = None if factor is None else at_least(factor)
    meaning = "accepted and delivered under full load"
    return Measure(name, "messages_per_second", "msg/s", meaning, reference, goal)


RELAY_ALONE: Final = Scenario(
    name="relay_alone",
    title="The relay alone",
    about=(
        f"{PAIRS} senders, each with {WINDOW} messages of {PAYLOAD_BYTES} bytes in flight, write "
        f"to {PAIRS} receivers; then a fixed rate of {PACED_RATE:,} messages a second for the CPU "
        "time; then idle connections for memory. Ours with TLS and durable before it answers; the "
        "peers without either."
    ),
    sizes={Scale.QUICK: 300, Scale.SHORT: 4000, Scale.LONG: 10_000},
    size_unit="milliseconds",
    measures=(
        _rate("messages_per_second", "prosody", 2),
        _rate("messages_per_second_mosquitto", "mosquitto", 0.8),
        _rate("messages_per_second_ejabberd", "ejabberd", None),
        Measure("cpu_us", "cpu_us", "us", "CPU time per message under full load", "ejabberd"),
        Measure("p50_ms", "p50_ms", "ms", "acceptance under full load, median", "ejabberd"),
        Measure("p99_ms", "p99_ms", "ms", "the same, 99th percentile", "ejabberd"),
        Measure(
            "paced_cpu_us",
            "paced_cpu_us",
            "us",
            "CPU time per message at the fixed rate",
            "ejabberd",
            at_most(1.5),
        ),
        Measure("paced_p50_ms", "paced_p50_ms", "ms", "acceptance, fixed rate", "ejabberd"),
        Measure("paced_p99_ms", "paced_p99_ms", "ms", "the same, 99th percentile", "ejabberd"),
        Measure(
            "idle_kib",
            "idle_kib",
            "KiB",
            "memory per idle TLS connection",
            goal=no_more_than(50),
        ),
    ),
    run=_run,
)
