"""Load for foreign servers alone: many connections, each with messages in flight, or a fixed rate.

Runs on asyncio with uvloop in an environment of its own, with frames built beforehand, so that the
server and not this process is the limit. Sender n writes to receiver n. A message counts when its
sender has the acceptance and its receiver has the message.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from benchmarks import wire
from benchmarks.workers import service

if TYPE_CHECKING:
    from benchmarks.wire import JsonObject

TICK_S = 0.005
"""A fixed rate is sent in portions this far apart."""

SETTLE_S = 30.0
"""Messages under way at the end must have arrived within this time."""


class Sender(Protocol):
    """A sending connection."""

    accepted: int
    sent: int
    refill: bool

    def begin(self, window: int) -> None: ...
    def push(self, count: int) -> None: ...
    def take_latencies(self) -> list[int]: ...


class Receiver(Protocol):
    """A receiving connection."""

    delivered: int


@dataclass
class Fleet:
    """All connections of one run."""

    senders: list[Sender] = field(default_factory=list)
    receivers: list[Receiver] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        return sum(sender.accepted for sender in self.senders)

    @property
    def sent(self) -> int:
        return sum(sender.sent for sender in self.senders)

    @property
    def delivered(self) -> int:
        return sum(receiver.delivered for receiver in self.receivers)


class Flood(ABC):
    """The verbs of a load generator."""

    def __init__(self) -> None:
        self._fleet = Fleet()

    @abstractmethod
    async def pair(
        self, request: JsonObject, number: int, payload: bytes
    ) -> tuple[Sender, Receiver]:
        """Connect one sender and its receiver."""

    async def connect(self, request: JsonObject) -> JsonObject:
        """Open `pairs` senders and receivers on `port`, for messages of `size` bytes."""
        payload = b"x" * wire.integer(request, "size")
        for number in range(wire.integer(request, "pairs")):
            sender, receiver = await self.pair(request, number, payload)
            self._fleet.senders.append(sender)
            self._fleet.receivers.append(receiver)
        return {}

    async def closed(self, request: JsonObject) -> JsonObject:
        """Keep `window` messages of each sender in flight for `milliseconds`."""
        window = wire.integer(request, "window")
        before = self._fleet.delivered
        started = time.monotonic_ns()
        for sender in self._fleet.senders:
            sender.begin(window)
        await asyncio.sleep(wire.integer(request, "milliseconds") / 1000)
        for sender in self._fleet.senders:
            sender.refill = False
        await self._settle()
        return self._answer(started, before)

    async def paced(self, request: JsonObject) -> JsonObject:
        """Send `rate` messages a second over all senders for `milliseconds`."""
        rate, seconds = wire.integer(request, "rate"), wire.integer(request, "milliseconds") / 1000
        before = self._fleet.delivered
        started = time.monotonic_ns()
        due = 0
        senders = self._fleet.senders
        while (elapsed := (time.monotonic_ns() - started) / 1e9) < seconds:
            for turn in range(due, int(elapsed * rate)):
                senders[turn % len(senders)].push(1)
            due = max(due, int(elapsed * rate))
            await asyncio.sleep(TICK_S)
        await self._settle()
        return self._answer(started, before)

    async def _settle(self) -> None:
        deadline = time.monotonic() + SETTLE_S
        fleet = self._fleet
        while fleet.accepted < fleet.sent or fleet.delivered < fleet.sent:
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"sent {fleet.sent}, accepted {fleet.accepted}, delivered {fleet.delivered}"
                )
            await asyncio.sleep(0.001)

    def _answer(self, started: int, before: int) -> JsonObject:
        latencies = [ns for sender in self._fleet.senders for ns in sender.take_latencies()]
        return {
            "delivered": self._fleet.delivered - before,
            "elapsed_ns": time.monotonic_ns() - started,
            "latencies_ns": [*latencies],
        }


def run(flood: Flood) -> None:
    """Serve requests on the fastest event loop that is installed."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(service.serve(flood))
    else:
        uvloop.run(service.serve(flood))
