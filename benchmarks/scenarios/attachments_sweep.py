"""A million attachments that expire together."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Final

from benchmarks import usage
from benchmarks.blob_links import TwoPeople
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
from benchmarks.relay_links import Receiver, Sender
from benchmarks.summary import percentile
from benchmarks.systems.ours import Ours
from benchmarks.systems.relay import RelayProcess
from benchmarks.worker import WorkerError
from benchmarks.workloads import MEGABYTE, NS_PER_MS, NS_PER_S, latencies_ms

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.model import Sample

TENTH: Final = "a tenth of them"
CALM: Final = "no sweep"
PEOPLE: Final = {Scale.QUICK: 4, Scale.SHORT: 200, Scale.LONG: 200}
"""Whose attachments they are, half of them senders."""

MESSAGES: Final = {Scale.QUICK: 50, Scale.SHORT: 1_000, Scale.LONG: 1_000}
BEHIND: Final = {Scale.QUICK: 20_000, Scale.SHORT: 150_000, Scale.LONG: 150_000}
"""Blobs that are swept while messages are measured: enough to last."""

WARM_MESSAGES: Final = 5_000
WARM_AT_ONCE: Final = 50
WARM_BYTES: Final = 350
"""What a relay does before its memory is looked at."""

WARM_S: Final = 15
STORED_PER_S: Final = 15_000
"""How long that takes at most, beside what the blobs still need to be stored."""

PAUSE_MS: Final = 10
LOOK_S: Final = 0.05
_GONE: Final = re.compile(rb"^e2ecore_relay_blobs_deleted_total\{[^}]*\} (\S+)$", re.MULTILINE)


def _gone(http_url: str) -> int:
    """Return how many blobs a relay has deleted since its start."""
    with urllib.request.urlopen(f"{http_url}/metrics") as answer:  # noqa: S310 - of our own making
        return int(sum(map(float, _GONE.findall(answer.read()))))


def _fill(data: Path, count: int, seconds: int = 0) -> float:
    """Store blobs. Return when they are over: so many seconds after the last was stored."""
    module = "benchmarks.workers.expired_blobs"
    command = [sys.executable, "-m", module, str(data), str(count), str(seconds)]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def _rss(relay: RelayProcess) -> int:
    return sum(usage.rss_bytes(pid) for pid in relay.pids)


def _populated(home: Path, people: int) -> None:
    """Make a relay with accounts and conversations."""
    relay = RelayProcess(home)
    for _ in range(people // 2):
        TwoPeople(relay.url, relay.authority)
    relay.stop()


def _warm(relay: RelayProcess) -> None:
    """Have two people of a relay send, receive and acknowledge, as on any other day."""
    people = TwoPeople(relay.url, relay.authority)
    sender = Sender(people.sender, people.conversation, WARM_BYTES)
    reader = Receiver(people.reader, people.conversation)
    expected = 0
    while expected < WARM_MESSAGES:
        expected += WARM_AT_ONCE
        sender.push(WARM_AT_ONCE)
        while sender.accepted < expected:
            sender.readable()
        while reader.delivered < expected:
            reader.readable()


def _swept(home: Path, count: int) -> Sample:
    """Let a relay that has been at work delete so many blobs, with nothing else to do."""
    over_at = _fill(home / "data", count, WARM_S + count // STORED_PER_S)
    relay = RelayProcess(home, "expiry_interval_s = 1.0")
    _warm(relay)
    left_s = over_at - time.time_ns() / NS_PER_S - 1
    if left_s < 0:
        raise WorkerError("the relay was not warm when the attachments were over")
    time.sleep(left_s)
    before = highest = _rss(relay)
    time.sleep(1)
    began, used = time.monotonic(), usage.cpu_of_tree_ns(relay.pids)
    while _gone(relay.http_url) < count:
        highest = max(highest, _rss(relay))
        time.sleep(LOOK_S)
    taken, used = time.monotonic() - began, usage.cpu_of_tree_ns(relay.pids) - used
    relay.stop()
    return {
        "rate": count / taken,
        "cpu_ms": used / NS_PER_MS / count,
        "growth_mb": (highest - before) / MEGABYTE,
        "before_mb": before / MEGABYTE,
    }


def _latency(home: Path, context: Context, *, behind: int) -> Sample:
    """Measure messages between two people, with some sweeping behind it or none."""
    if behind:
        _fill(home / "relay" / "data", behind)
    with Ours(home) as system:
        people = system.pair()
        began, before = time.monotonic(), _gone(system.http_url())
        latencies = latencies_ms(people, MESSAGES[context.scale], PAUSE_MS)
        after, taken = _gone(system.http_url()), time.monotonic() - began
    if behind and not before < after < behind:
        raise WorkerError(f"{before} to {after} of {behind} blobs were swept meanwhile")
    return {
        "p50_ms": percentile(latencies, 50),
        "p99_ms": percentile(latencies, 99),
        "rate_beside": (after - before) / taken,
    }


def _run(context: Context, count: int) -> Result:
    result = Result()
    home = context.directory("relay")
    _populated(home, PEOPLE[context.scale])
    for blobs, name in ((count // 10, TENTH), (count, OURS)):
        sample = _swept(home, blobs)
        result.add(name, sample)
        context.say(f"{blobs:,} swept: {sample}")
    for run in range(context.runs):
        place = context.directory(f"beside{run}")
        _populated(place / "relay", PEOPLE[context.scale])
        calm = _latency(place, context, behind=0)
        swept = _latency(place, context, behind=BEHIND[context.scale])
        result.add(CALM, calm)
        result.add(OURS, {**result.samples[OURS][0], **swept})
        context.say(f"run {run + 1}/{context.runs}: calm {calm}, beside a sweep {swept}")
    result.samples[OURS].pop(0)
    return result


ATTACHMENTS_SWEEP: Final = Scenario(
    name="attachments_sweep",
    title="Expired attachments, all at once",
    about=(
        "A relay starts, takes and gives out 5,000 messages, and then finds that all attachments "
        "of a hundred senders are over: rows, shares and files. For each it destroys the share, "
        "cleans the database's log of it, deletes the file durably, signs a receipt and puts it "
        "into the sender's inbox. First a tenth of them, then all, with nothing else to do. Memory "
        "is what the process has at its most beyond what it had just before; no attachment had "
        "been over until then. Then two devices, as in the other scenarios, "
        "send and receive one message at a time: at a relay that has nothing to delete, and at one "
        "that is at it from the first to the last message."
    ),
    sizes={Scale.QUICK: 10_000, Scale.SHORT: 1_000_000, Scale.LONG: 1_000_000},
    size_unit="attachments",
    measures=(
        Measure("rate", "rate", "1/s", "attachments deleted", TENTH, at_least(0.8)),
        Measure("cpu_ms", "cpu_ms", "ms", "CPU of the relay for each of them", TENTH),
        Measure(
            "growth_mb",
            "growth_mb",
            "MB",
            "memory that this takes",
            TENTH,
            no_more_than(20),
        ),
        Measure("before_mb", "before_mb", "MB", "memory of the relay just before", TENTH),
        Measure("p50_ms", "p50_ms", "ms", "send to stored, beside a sweep: median", CALM),
        Measure("p99_ms", "p99_ms", "ms", "the same, 99th percentile", CALM, at_most(1.5)),
        Measure("rate_beside", "rate_beside", "1/s", "attachments deleted meanwhile"),
    ),
    run=_run,
)
