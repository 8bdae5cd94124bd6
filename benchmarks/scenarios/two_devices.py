"""Two people: messages one after another, without waiting, when idle, and after being offline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks import interleave, workloads
from benchmarks.model import (
    Context,
    Measure,
    Result,
    Scale,
    Scenario,
    at_least,
    at_most,
    no_more_than,
)
from benchmarks.systems import choice
from benchmarks.systems.xmpp import NAME as XMPP

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.model import Sample
    from benchmarks.systems.chat import ChatSystem

COUNTS: Final = {Scale.QUICK: 30, Scale.SHORT: 1000, Scale.LONG: 1000}
LATENCY_COUNTS: Final = {Scale.QUICK: 20, Scale.SHORT: 200, Scale.LONG: 400}


def _runner(workload: Callable[[ChatSystem, int], Sample]) -> Callable[[Context, int], Result]:
    def run(context: Context, size: int) -> Result:
        return interleave.chats(context, choice.chat_systems(context), workload, size)

    return run


def _cpu(role: str, key: str, limit_ms: float | None) -> Measure:
    goal = None if limit_ms is None else no_more_than(limit_ms)
    return Measure(key, key, "ms", f"CPU time per message of the {role}", XMPP, goal)


SEQUENTIAL: Final = Scenario(
    name="two_devices_sequential",
    title="Two devices, one message after another",
    about=(
        "Each message of 200 characters awaits the server's acceptance before "
        "the next is sent. The clock runs until "
        "the last one is accepted, and is received, decrypted and stored at the other device."
    ),
    sizes=COUNTS,
    size_unit="messages",
    measures=(
        Measure(
            "messages_per_second",
            "messages_per_second",
            "msg/s",
            "accepted and stored",
            XMPP,
            at_least(2),
        ),
        _cpu("sender", "sender_cpu_ms", None),
        _cpu("receiver", "receiver_cpu_ms", None),
        _cpu("server", "server_cpu_ms", None),
    ),
    run=_runner(workloads.one_after_another),
)

PIPELINED: Final = Scenario(
    name="two_devices_pipelined",
    title="Two devices, without waiting",
    about=(
        "The same messages, sent without waiting for acceptance; at the end the"
        " sender waits for the acceptance of all."
    ),
    sizes=COUNTS,
    size_unit="messages",
    measures=(
        Measure(
            "messages_per_second",
            "messages_per_second",
            "msg/s",
            "accepted and stored",
            XMPP,
            at_least(8),
        ),
        _cpu("sender", "sender_cpu_ms", 0.35),
        _cpu("receiver", "receiver_cpu_ms", 0.35),
        _cpu("server", "server_cpu_ms", 0.15),
        Measure(
            "sender_rss_mb", "sender_rss_mb", "MB", "resident memory of the sending process", XMPP
        ),
        Measure(
            "receiver_rss_mb",
            "receiver_rss_mb",
            "MB",
            "resident memory of the receiving process",
            XMPP,
        ),
        Measure("server_rss_mb", "server_rss_mb", "MB", "resident memory of the server", XMPP),
    ),
    run=_runner(workloads.pipelined),
)

LATENCY: Final = Scenario(
    name="two_devices_latency",
    title="Two devices, idle latency",
    about=(
        "One message at a time with pauses: from the call to send until the "
        "message is stored at the other device."
    ),
    sizes=LATENCY_COUNTS,
    size_unit="messages",
    measures=(
        Measure("p50_ms", "p50_ms", "ms", "median", XMPP, at_most(0.6)),
        Measure("p99_ms", "p99_ms", "ms", "99th percentile", XMPP, at_most(0.6)),
    ),
    run=_runner(workloads.idle_latency),
)

DRAIN: Final = Scenario(
    name="offline_drain",
    title="Messages queued while offline",
    about=(
        "One device goes offline, the other sends; then the clock runs from the"
        " start of connecting until all messages "
        "are received, decrypted and stored."
    ),
    sizes=COUNTS,
    size_unit="messages",
    measures=(
        Measure(
            "messages_per_second",
            "messages_per_second",
            "msg/s",
            "connected, received, stored",
            XMPP,
            at_least(8),
        ),
        _cpu("receiver", "receiver_cpu_ms", None),
        _cpu("server", "server_cpu_ms", None),
    ),
    run=_runner(workloads.offline_drain),
)
