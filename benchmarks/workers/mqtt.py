"""The little of MQTT 3.1.1 that a load generator needs: QoS 1 publishing, subscribing,
acknowledging.
"""

from __future__ import annotations

import asyncio
import struct
import time
from abc import ABC, abstractmethod
from typing import cast

CONNECT, CONNACK, PUBLISH_QOS1, PUBACK, SUBSCRIBE, SUBACK = 0x10, 0x20, 0x32, 0x40, 0x82, 0x90
CLEAN_SESSION = 0x02
ACK_HEAD = b"\x40\x02"
PACKET_IDS = 65_535
"""Packet ids run from 1 to this, then again."""

LATENCY_SAMPLE = 8
"""Every eighth message of a sender is timed."""


SHORT_HEADER, LONG_HEADER = 2, 3
"""Bytes before the body: kind, and one or two bytes of length. Longer packets do not occur here."""


def remaining_length(size: int) -> bytes:
    """Return the variable-length integer of a fixed header."""
    out = bytearray()
    while True:
        size, low = divmod(size, 128)
        out.append(low | (0x80 if size else 0))
        if not size:
            return bytes(out)


def text(value: bytes) -> bytes:
    """Return a length-prefixed string."""
    return struct.pack(">H", len(value)) + value


def packet(kind: int, body: bytes) -> bytes:
    """Return a control packet."""
    return bytes([kind]) + remaining_length(len(body)) + body


def connect(client: bytes) -> bytes:
    """Return a CONNECT without keep-alive and without a stored session."""
    return packet(CONNECT, text(b"MQTT") + bytes([4, CLEAN_SESSION, 0, 0]) + text(client))


def topic(number: int) -> bytes:
    """Return the topic of receiver `number`; all are equally long."""
    return b"bench/%06d" % number


class Connection(asyncio.Protocol, ABC):
    """A connection that splits what it reads into packets."""

    def __init__(self) -> None:
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:

        self.transport = cast(
            "asyncio.Transport", transport
        )  # the event loop promises no more than its base
        self.transport.write(self.greeting())

    @abstractmethod
    def greeting(self) -> bytes:
        """Return what to send first."""

    @abstractmethod
    def on_packet(self, kind: int, body: bytes) -> None:
        """Take one packet."""

    def after_read(self) -> None:
        """Write what the packets of one read asked for."""

    def data_received(self, data: bytes) -> None:
        data = self._buffer + data if self._buffer else data
        place, total = 0, len(data)
        while total - place >= SHORT_HEADER:
            size, at = data[place + 1], place + 2
            if size & 0x80:
                if total - place < LONG_HEADER:
                    break
                size, at = (size & 0x7F) | data[place + 2] << 7, place + 3
            if at + size > total:
                break
            self.on_packet(data[place], data[at : at + size])
            place = at + size
        self._buffer = data[place:]
        self.after_read()


class MqttSender(Connection):
    """Publishes with QoS 1 and keeps a window full."""

    def __init__(self, number: int, payload: bytes) -> None:
        super().__init__()
        self._client = b"s%06d" % number
        body = text(topic(number))
        size = remaining_length(len(body) + 2 + len(payload))
        self._frames = [bytes([PUBLISH_QOS1]) + size + body, payload]
        self._next = 0
        self._times: dict[int, int] = {}
        self._latencies: list[int] = []
        self._owed = 0
        self.accepted = self.sent = 0
        self.refill = False

    def greeting(self) -> bytes:
        return connect(self._client)

    def begin(self, window: int) -> None:
        """Put `window` messages in flight and replace each that is accepted."""
        self.refill = True
        self.push(window)

    def push(self, count: int) -> None:
        """Send `count` messages now."""
        head, payload = self._frames
        out = []
        for _ in range(count):
            number = self._next = self._next % PACKET_IDS + 1
            if number % LATENCY_SAMPLE == 0:
                self._times[number] = time.monotonic_ns()
            out.append(head + number.to_bytes(2, "big") + payload)
        self.sent += count
        self.transport.write(b"".join(out))

    def on_packet(self, kind: int, body: bytes) -> None:
        if kind == CONNACK:
            self.ready.set_result(None)
            return
        self.accepted += 1
        self._owed += 1
        begun = self._times.pop(int.from_bytes(body, "big"), None)
        if begun is not None:
            self._latencies.append(time.monotonic_ns() - begun)

    def after_read(self) -> None:
        if self.refill and self._owed:
            self.push(self._owed)
        self._owed = 0

    def take_latencies(self) -> list[int]:
        """Return the times from sending to acceptance since the last call, in nanoseconds."""
        taken, self._latencies = self._latencies, []
        return taken


class MqttReceiver(Connection):
    """Subscribes to one topic and acknowledges each message."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number
        self._topic_end = 2 + len(topic(number))
        self._acks: list[bytes] = []
        self.delivered = 0

    def greeting(self) -> bytes:
        return connect(b"r%06d" % self._number)

    def on_packet(self, kind: int, body: bytes) -> None:
        if kind == CONNACK:
            self.transport.write(packet(SUBSCRIBE, b"\0\1" + text(topic(self._number)) + b"\1"))
        elif kind == SUBACK:
            self.ready.set_result(None)
        else:
            self._acks.append(ACK_HEAD + body[self._topic_end : self._topic_end + 2])

    def after_read(self) -> None:
        if self._acks:
            self.transport.write(b"".join(self._acks))
            self.delivered += len(self._acks)
            self._acks.clear()
