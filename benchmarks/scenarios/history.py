"""A long history: nothing may become slower or larger because there is more of it."""

from __future__ import annotations

import os
from statistics import median
from typing import TYPE_CHECKING, Final

from benchmarks import wire
from benchmarks.model import (
    OURS,
    Context,
    Measure,
    Result,
    Scale,
    Scenario,
    no_less_than,
    no_more_than,
)
from benchmarks.systems.chat import MESSAGE_CHARACTERS
from benchmarks.systems.ours import Ours
from benchmarks.workloads import FIRST, MEGABYTE, NS_PER_MS, NS_PER_S, Meter, check_complete

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.worker import Worker

PARTS: Final = 10
"""The run is cut into tenths; the first and the last are compared."""

WINDOW: Final = 512
"""Messages that the sender has not seen accepted yet."""

OPENINGS: Final = 5
"""Times the finished database is opened; the median counts."""


def _fill(system: Ours, sender: Worker, receiver: Worker, size: int) -> list[dict[str, float]]:
    """Send `size` messages in tenths; return rate and CPU time per message of each."""
    receiver.ask("expect")
    part = size // PARTS
    parts: list[dict[str, float]] = []
    for number in range(PARTS):
        meter = Meter(system, [sender, receiver])
        reaching = receiver.start("reached", count=(number + 1) * part)
        sent = sender.ask(
            "send",
            count=part,
            size=MESSAGE_CHARACTERS,
            mode="windowed",
            window=WINDOW,
            first=FIRST + number * part,
        )
        reached_ns = wire.integer(receiver.wait(reaching), "reached_ns")
        server_ns, sender_ns, receiver_ns = meter.used_ns()
        parts.append(
            {
                "seconds": (reached_ns - wire.integers(sent, "sent_ns")[0]) / NS_PER_S,
                "server_cpu_ms": server_ns / NS_PER_MS / part,
                "sender_cpu_ms": sender_ns / NS_PER_MS / part,
                "receiver_cpu_ms": receiver_ns / NS_PER_MS / part,
            }
        )
    check_complete(receiver.ask("received", count=part * PARTS), part * PARTS)
    return parts


def _open_cold(system: Ours, name: str) -> dict[str, float]:
    """Open a finished database in a new process after dropping its pages from the file cache."""
    for path in (system.home / name).iterdir():
        _drop_from_cache(path)
    worker = system.reopen(name)
    answer = worker.ask("look", limit=50)
    opened = {
        "rss_mb": worker.rss_bytes() / MEGABYTE,
        "open_ms": wire.number(answer, "open_ms"),
        "look_ms": wire.number(answer, "look_ms"),
        "unlock_ms": wire.number(worker.ask("unlock"), "unlock_ms"),
    }
    system.release()
    return opened


def _drop_from_cache(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _run(context: Context, size: int) -> Result:
    result = Result()
    with Ours(context.directory(OURS)) as system:
        sender, receiver = system.pair()
        names = {"new": system.client().name, "receiver": receiver.name}
        parts = _fill(system, sender, receiver, size)
        result.versions[OURS] = system.version()
        server_mb = system.server_rss_bytes() / MEGABYTE
        system.release()
        rate = size / sum(part["seconds"] for part in parts)
        context.say(f"{size:,} messages at {rate:,.0f}/s, now opening")
        opened = {
            which: [_open_cold(system, name) for _ in range(OPENINGS)]
            for which, name in names.items()
        }
    for label in ("sender_cpu_ms", "receiver_cpu_ms", "server_cpu_ms"):
        result.series[label] = [(n + 1, values[label]) for n, values in enumerate(parts)]
    full = {key: median(sample[key] for sample in opened["receiver"]) for key in opened["new"][0]}
    new = {key: median(sample[key] for sample in opened["new"]) for key in full}
    first, last = parts[0], parts[-1]
    result.add(
        OURS,
        {
            "messages_per_second": rate,
            "rate_last_to_first": first["seconds"] / last["seconds"],
            "sender_last_to_first": last["sender_cpu_ms"] / first["sender_cpu_ms"],
            "receiver_last_to_first": last["receiver_cpu_ms"] / first["receiver_cpu_ms"],
            "server_last_to_first": last["server_cpu_ms"] / first["server_cpu_ms"],
            "server_rss_mb": server_mb,
            "rss_mb": full["rss_mb"],
            "rss_growth_mb": full["rss_mb"] - new["rss_mb"],
            "open_cold_ms": full["open_ms"] - full["unlock_ms"] + full["look_ms"],
            "open_new_ms": new["open_ms"] - new["unlock_ms"] + new["look_ms"],
            "unlock_ms": full["unlock_ms"],
        },
    )
    return result


HISTORY: Final = Scenario(
    name="history",
    title="A long history",
    about=(
        "One device sends without waiting, with a window of unaccepted messages, in ten parts; "
        "the first and the last are compared. Then the receiver's database is opened in a new "
        "process, its pages dropped from the file cache: open, list the conversations, read the "
        "last 50 messages. The time that the passphrase costs on purpose is measured apart and "
        "taken off."
    ),
    sizes={Scale.QUICK: 200, Scale.SHORT: 100_000, Scale.LONG: 300_000},
    size_unit="messages",
    measures=(
        Measure("messages_per_second", "messages_per_second", "msg/s", "whole run"),
        Measure(
            "rate_last_to_first",
            "rate_last_to_first",
            "x",
            "rate of the last tenth over the first",
            goal=no_less_than(0.9),
        ),
        Measure(
            "sender_cpu_last_to_first",
            "sender_last_to_first",
            "x",
            "CPU time per message, last tenth over first",
            goal=no_more_than(1.1),
        ),
        Measure(
            "receiver_cpu_last_to_first",
            "receiver_last_to_first",
            "x",
            "CPU time per message, last tenth over first",
            goal=no_more_than(1.1),
        ),
        Measure(
            "server_cpu_last_to_first",
            "server_last_to_first",
            "x",
            "CPU time per message, last tenth over first",
            goal=no_more_than(1.1),
        ),
        Measure("server_rss_mb", "server_rss_mb", "MB", "resident memory of the relay afterwards"),
        Measure(
            "client_rss_mb",
            "rss_mb",
            "MB",
            "resident memory of a process with the engine open",
            goal=no_more_than(70),
        ),
        Measure(
            "client_rss_growth_mb",
            "rss_growth_mb",
            "MB",
            "the same, less that of a new device",
            goal=no_more_than(5),
        ),
        Measure(
            "open_cold_ms",
            "open_cold_ms",
            "ms",
            "open after unlock, list, last 50 messages",
            goal=no_more_than(200),
        ),
        Measure("open_new_ms", "open_new_ms", "ms", "the same for a new device"),
        Measure("unlock_ms", "unlock_ms", "ms", "what the passphrase costs, on purpose"),
    ),
    run=_run,
    axis=("tenth of the run", "CPU time per message (ms)"),
)
