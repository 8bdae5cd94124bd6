"""Load for foreign servers: MQTT and XMPP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from benchmarks import wire
from benchmarks.workers import flood
from benchmarks.workers.mqtt import MqttReceiver, MqttSender
from benchmarks.workers.stanzas import StanzaReceiver, StanzaSender

if TYPE_CHECKING:
    from benchmarks.wire import JsonObject

HOST = "127.0.0.1"


class ForeignFlood(flood.Flood):
    """Speaks `protocol`: mqtt or xmpp."""

    async def pair(
        self, request: JsonObject, number: int, payload: bytes
    ) -> tuple[flood.Sender, flood.Receiver]:
        port = wire.integer(request, "port")
        if wire.text(request, "protocol") == "mqtt":
            return await _mqtt_pair(port, number, payload)
        return await _xmpp_pair(port, payload)


async def _mqtt_pair(port: int, number: int, payload: bytes) -> tuple[MqttSender, MqttReceiver]:
    loop = asyncio.get_running_loop()
    _, receiver = await loop.create_connection(lambda: MqttReceiver(number), HOST, port)
    await receiver.ready
    _, sender = await loop.create_connection(lambda: MqttSender(number, payload), HOST, port)
    await sender.ready
    return sender, receiver


async def _xmpp_pair(port: int, payload: bytes) -> tuple[StanzaSender, StanzaReceiver]:
    loop = asyncio.get_running_loop()
    _, receiver = await loop.create_connection(StanzaReceiver, HOST, port)
    address = await receiver.ready
    _, sender = await loop.create_connection(lambda: StanzaSender(address, payload), HOST, port)
    await sender.ready
    return sender, receiver


if __name__ == "__main__":
    flood.run(ForeignFlood())
