"""A group of ten: one writes, nine read."""

from __future__ import annotations

from typing import Final

from benchmarks import interleave, workloads
from benchmarks.model import Context, Measure, Result, Scale, Scenario, at_least
from benchmarks.systems import choice
from benchmarks.systems.xmpp import NAME as XMPP


def _run(context: Context, size: int) -> Result:
    return interleave.chats(context, choice.chat_systems(context), workloads.group_of_ten, size)


TEN_MEMBERS: Final = Scenario(
    name="ten_members",
    title="A group of ten",
    about=(
        "One member sends messages of 200 characters without waiting. A "
        "delivery is one message received, decrypted and "
        "stored at one of the nine others. Ten client processes and the server share the machine."
    ),
    sizes={Scale.QUICK: 10, Scale.SHORT: 200, Scale.LONG: 200},
    size_unit="messages",
    measures=(
        Measure(
            "deliveries_per_second",
            "deliveries_per_second",
            "1/s",
            "messages stored at members",
            XMPP,
            at_least(8),
        ),
        Measure(
            "cpu_ms_per_delivery",
            "cpu_ms_per_delivery",
            "ms",
            "CPU time of all ten clients and the server",
            XMPP,
        ),
        Measure(
            "server_cpu_ms", "server_cpu_ms", "ms", "CPU time of the server per delivery", XMPP
        ),
        Measure(
            "client_rss_mb",
            "client_rss_mb",
            "MB",
            "resident memory of the largest client process",
            XMPP,
        ),
    ),
    run=_run,
)
