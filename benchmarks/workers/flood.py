"""Load for foreign servers alone: many connections, each with a window of messages in flight; or a
fixed rate.

Runs on asyncio with uvloop in an environment of its own, with frames built beforehand, so that the
server and not this
process is the limit. Sender n writes to receiver n. A message counts when its sender has the
acceptance and its
receiver has the message.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks import wire
from benchmarks.workers import service
from benchmarks.workers.mqtt import MqttReceiver, MqttSender
from benchmarks.workers.stanzas import StanzaReceiver, StanzaSender

if TYPE_CHECKING:
    from benchmarks.wire import JsonObject

TICK_S = 0.005
"""A fixed rate is sent in portions this far apart."""

SETTLE_S = 30.0
"""Messages under way at the end must have arrived within this time."""


@dataclass
class Fleet:
    """All connections of one run."""

    senders: list[MqttSender | StanzaSender] = field(default_factory=list)
    receivers: list[MqttReceiver | StanzaReceiver] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        return sum(sender.accepted for sender in self.senders)

    @property
    def sent(self) -> int:
        return sum(sender.sent for sender in self.senders)

    @property
    def delivered(self) -> int:
        return sum(receiver.delivered for receiver in self.receivers)


class Flood:
    """The verbs of a load generator."""

    def __init__(self) -> None:
        self._fleet = Fleet()

    async def connect(self, request: JsonObject) -> JsonObject:
        """Open `pairs` senders and receivers speaking `protocol` (mqtt or xmpp) on `port`; messages
        of `size` bytes.
        """
        port, size = wire.integer(request, "port"), wire.integer(request, "size")
        make = _mqtt_pair if wire.text(request, "protocol") == "mqtt" else _xmpp_pair
        for number in range(wire.integer(request, "pairs")):
            sender, receiver = await make(port, number, bytes(size).replace(b"\0", b"x"))
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


async def _mqtt_pair(port: int, number: int, payload: bytes) -> tuple[MqttSender, MqttReceiver]:
    loop = asyncio.get_running_loop()
    _, receiver = await loop.create_connection(lambda: MqttReceiver(number), "127.0.0.1", port)
    await receiver.ready
    _, sender = await loop.create_connection(lambda: MqttSender(number, payload), "127.0.0.1", port)
    await sender.ready
    return sender, receiver


async def _xmpp_pair(
    port: int, _number: int, payload: bytes
) -> tuple[StanzaSender, StanzaReceiver]:
    loop = asyncio.get_running_loop()
    _, receiver = await loop.create_connection(StanzaReceiver, "127.0.0.1", port)
    address = await receiver.ready
    _, sender = await loop.create_connection(
        lambda: StanzaSender(address, payload), "127.0.0.1", port
    )
    await sender.ready
    return sender, receiver


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:
        asyncio.run(service.serve(Flood()))
    else:
        uvloop.run(service.serve(Flood()))
