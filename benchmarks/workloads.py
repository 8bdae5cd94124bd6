"""The chat workloads. Each takes a running system, does its work once with fresh accounts, and
returns one sample.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from benchmarks import usage, wire
from benchmarks.summary import percentile
from benchmarks.systems.chat import MESSAGE_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.model import Sample
    from benchmarks.systems.chat import ChatSystem
    from benchmarks.wire import JsonObject
    from benchmarks.worker import Worker

IDLE_PAUSE_MS: Final = 50
"""Pause between two messages when latency is measured: both sides have gone idle in between."""

FIRST: Final = 1000
"""Number of the first measured message: warm-up messages have smaller ones."""

NS_PER_S: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000
MEGABYTE: Final = 1_000_000


class Meter:
    """CPU time of the parties while a workload runs."""

    def __init__(self, system: ChatSystem, people: Sequence[Worker]) -> None:
        self._system = system
        self._people = people
        self._before = self._read()
        self._busy = usage.busy_ns()
        self._started = time.monotonic_ns()

    def _read(self) -> list[int]:
        return [self._system.server_cpu_ns(), *(person.cpu_ns() for person in self._people)]

    def used_ns(self) -> list[int]:
        """Return the CPU time of the server, then of each person, since the meter was made."""
        return [after - before for before, after in zip(self._before, self._read(), strict=True)]

    def other_cores(self) -> float:
        """Return how many cores were busy with other things, on average."""
        elapsed = time.monotonic_ns() - self._started
        return max(0.0, (usage.busy_ns() - self._busy - sum(self.used_ns())) / elapsed)


def one_after_another(system: ChatSystem, count: int) -> Sample:
    """Send messages, each awaiting the server's acceptance of the one before."""
    return _two_people(system, count, "sequential")


def pipelined(system: ChatSystem, count: int) -> Sample:
    """Send messages without waiting, then wait for the acceptance of all."""
    return _two_people(system, count, "pipelined")


def _two_people(system: ChatSystem, count: int, mode: str) -> Sample:
    sender, receiver = system.pair()
    receiver.ask("expect")
    meter = Meter(system, [sender, receiver])
    waiting = receiver.start("received", count=count)
    sent = sender.ask("send", count=count, size=MESSAGE_CHARACTERS, mode=mode, first=FIRST)
    received = receiver.wait(waiting)
    server_ns, sender_ns, receiver_ns = meter.used_ns()
    check_complete(received, count)
    sample = {
        "messages_per_second": count * NS_PER_S / (_end(sent, received) - _start(sent)),
        "sender_cpu_ms": sender_ns / NS_PER_MS / count,
        "receiver_cpu_ms": receiver_ns / NS_PER_MS / count,
        "server_cpu_ms": server_ns / NS_PER_MS / count,
        "sender_rss_mb": sender.rss_bytes() / MEGABYTE,
        "receiver_rss_mb": receiver.rss_bytes() / MEGABYTE,
        "server_rss_mb": system.server_rss_bytes() / MEGABYTE,
        "other_cores": meter.other_cores(),
    }
    system.release()
    return sample


def idle_latency(system: ChatSystem, count: int) -> Sample:
    """Send one message at a time with pauses; measure from the call to send until it is stored at
    the receiver.
    """
    people = system.pair()
    meter = Meter(system, people)
    latencies = latencies_ms(people, count, IDLE_PAUSE_MS)
    other = meter.other_cores()
    system.release()
    return {
        "p50_ms": percentile(latencies, 50),
        "p99_ms": percentile(latencies, 99),
        "other_cores": other,
    }


def latencies_ms(people: tuple[Worker, Worker], count: int, pause_ms: int) -> list[float]:
    """Send one message at a time with pauses; return the milliseconds from each call to send until
    the message is stored at the receiver.
    """
    sender, receiver = people
    receiver.ask("expect")
    waiting = receiver.start("received", count=count)
    sent = sender.ask(
        "send",
        count=count,
        size=MESSAGE_CHARACTERS,
        mode="sequential",
        first=FIRST,
        pause_ms=pause_ms,
    )
    received = receiver.wait(waiting)
    check_complete(received, count)
    return [ns / NS_PER_MS for ns in _latencies_ns(sent, received)]


def offline_drain(system: ChatSystem, count: int) -> Sample:
    """Queue messages for somebody who is offline; measure from the start of connecting until all
    are stored.
    """
    sender, receiver = system.pair()
    receiver.ask("expect")
    receiver.ask("offline")
    sender.ask("send", count=count, size=MESSAGE_CHARACTERS, mode="pipelined", first=FIRST)
    meter = Meter(system, [receiver])
    online = receiver.start("online")
    waiting = receiver.start("received", count=count)
    started = wire.integer(receiver.wait(online), "started_ns")
    received = receiver.wait(waiting)
    server_ns, receiver_ns = meter.used_ns()
    check_complete(received, count)
    elapsed = max(wire.integers(received, "stored_ns")) - started
    sample = {
        "messages_per_second": count * NS_PER_S / elapsed,
        "receiver_cpu_ms": receiver_ns / NS_PER_MS / count,
        "server_cpu_ms": server_ns / NS_PER_MS / count,
        "other_cores": meter.other_cores(),
    }
    receiver.ask("settle")
    system.release()
    return sample


def group_of_ten(system: ChatSystem, count: int) -> Sample:
    """One of ten members sends, without waiting; nine store each message."""
    people = system.group(GROUP_MEMBERS)
    sender, readers = people[0], people[1:]
    for reader in readers:
        reader.ask("expect")
    meter = Meter(system, people)
    waiting = [reader.start("received", count=count) for reader in readers]
    sent = sender.ask("send", count=count, size=MESSAGE_CHARACTERS, mode="pipelined", first=FIRST)
    received = [reader.wait(request) for reader, request in zip(readers, waiting, strict=True)]
    used = meter.used_ns()
    for answer in received:
        check_complete(answer, count)
    deliveries = count * len(readers)
    elapsed = max(_end(sent, answer) for answer in received) - _start(sent)
    sample = {
        "deliveries_per_second": deliveries * NS_PER_S / elapsed,
        "cpu_ms_per_delivery": sum(used) / NS_PER_MS / deliveries,
        "server_cpu_ms": used[0] / NS_PER_MS / deliveries,
        "client_rss_mb": max(person.rss_bytes() for person in people) / MEGABYTE,
        "other_cores": meter.other_cores(),
    }
    system.release()
    return sample


GROUP_MEMBERS: Final = 10
"""People in the group workload."""


class LostMessagesError(Exception):
    """A system did not deliver each message exactly once: its figures would mean nothing."""


def check_complete(received: JsonObject, count: int, first: int = FIRST) -> None:
    """Check that each message arrived once.

    Raises:
        LostMessagesError: One is missing, or came twice.
    """
    indexes = sorted(wire.integers(received, "indexes"))
    if indexes != list(range(first, first + count)):
        raise LostMessagesError(
            f"expected {count} messages from number {first}, got {len(indexes)}"
        )


def _start(sent: JsonObject) -> int:
    return wire.integers(sent, "sent_ns")[0]


def _end(sent: JsonObject, received: JsonObject) -> int:
    """When the last message was accepted at the sender and stored at the receiver, whichever came
    later.
    """
    return max(*wire.integers(sent, "accepted_ns"), *wire.integers(received, "stored_ns"))


def _latencies_ns(sent: JsonObject, received: JsonObject) -> list[int]:
    departures = wire.integers(sent, "sent_ns")
    arrivals = zip(
        wire.integers(received, "indexes"), wire.integers(received, "stored_ns"), strict=True
    )
    return [stored - departures[index - FIRST] for index, stored in arrivals]
