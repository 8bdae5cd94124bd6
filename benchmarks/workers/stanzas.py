"""The little of XMPP that a load generator needs: anonymous log-in, one resource, messages,
XEP-0198 acceptance.

Stanzas are counted, not parsed: the server's XML is regular enough to look for the ends of
elements.
"""

from __future__ import annotations

import asyncio
import re
import time
from abc import ABC, abstractmethod
from typing import cast

HEADER = (
    b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"
    b" to='localhost' version='1.0'>"
)
LOG_IN = b"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>"
BIND = b"<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
ENABLE = b"<enable xmlns='urn:xmpp:sm:3'/>"
REQUEST = b"<r xmlns='urn:xmpp:sm:3'/>"
PRESENCE = b"<presence/>"
END_OF_MESSAGE = b"</message>"
ADDRESS = re.compile(rb"<jid>([^<]+)</jid>")
ACCEPTED = re.compile(rb"<a\s[^>]*h=['\"](\d+)['\"]")
LATENCY_SAMPLE = 8
"""Every eighth message of a sender is timed."""

LONGEST_TAIL = 4096
"""Bytes kept of what was read last: an element may be cut in two."""


class Session(asyncio.Protocol, ABC):
    """A connection that logs in and binds a resource."""

    def __init__(self) -> None:
        self.ready: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._buffer = b""
        self._steps = [
            (b"</stream:features>", LOG_IN),
            (b"<success", HEADER),
            (b"</stream:features>", BIND),
        ]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:

        self.transport = cast(
            "asyncio.Transport", transport
        )  # the event loop promises no more than its base
        self.transport.write(b"<?xml version='1.0'?>" + HEADER)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self.ready.done():
            self.on_data()
        else:
            self._log_in()

    def _log_in(self) -> None:
        if b"<failure" in self._buffer or b"<stream:error" in self._buffer:
            self.ready.set_exception(ConnectionError(self._buffer[:300].decode()))
        elif self._steps:
            wanted, answer = self._steps[0]
            if wanted in self._buffer:
                self._buffer = b""
                del self._steps[0]
                self.transport.write(answer)
        else:
            found = ADDRESS.search(self._buffer)
            if found is not None:
                self._buffer = b""
                self.on_bound(found[1])

    @abstractmethod
    def on_bound(self, address: bytes) -> None:
        """Go on after the log-in, under the address that the server gave."""

    @abstractmethod
    def on_data(self) -> None:
        """Look at what has arrived since the log-in."""


class StanzaReceiver(Session):
    """Counts messages."""

    delivered = 0

    def on_bound(self, address: bytes) -> None:
        self.transport.write(PRESENCE)
        self.ready.set_result(address)

    def on_data(self) -> None:
        found = self._buffer.count(END_OF_MESSAGE)
        if found:
            self.delivered += found
            self._buffer = self._buffer[self._buffer.rindex(END_OF_MESSAGE) + len(END_OF_MESSAGE) :]


class StanzaSender(Session):
    """Sends messages, asks for the acceptance of each, and keeps a window full."""

    def __init__(self, address: bytes, payload: bytes) -> None:
        super().__init__()
        self._frame = (
            b"<message to='"
            + address
            + b"' type='chat'><body>"
            + payload
            + b"</body></message>"
            + REQUEST
        )
        self._times: dict[int, int] = {}
        self._latencies: list[int] = []
        self._enabled = False
        self.accepted = self.sent = 0
        self.refill = False

    def on_bound(self, address: bytes) -> None:
        self.transport.write(ENABLE)
        self.ready.set_result(address)

    def begin(self, window: int) -> None:
        """Put `window` messages in flight and replace each that is accepted."""
        self.refill = True
        self.push(window)

    def push(self, count: int) -> None:
        """Send `count` messages now, and one request for their acceptance."""
        for number in range(self.sent + 1, self.sent + count + 1):
            if number % LATENCY_SAMPLE == 0:
                self._times[number] = time.monotonic_ns()
        self.sent += count
        self.transport.write(self._frame * count + REQUEST)

    def on_data(self) -> None:
        counts = ACCEPTED.findall(self._buffer)
        if not counts:
            self._buffer = self._buffer[-LONGEST_TAIL:]
            return
        self._buffer = self._buffer[self._buffer.rindex(b">") + 1 :]
        accepted = int(counts[-1])
        for number in range(self.accepted + 1, accepted + 1):
            begun = self._times.pop(number, None)
            if begun is not None:
                self._latencies.append(time.monotonic_ns() - begun)
        news, self.accepted = accepted - self.accepted, accepted
        if self.refill and news > 0:
            self.push(news)

    def take_latencies(self) -> list[int]:
        """Return the times from sending to acceptance since the last call, in nanoseconds."""
        taken, self._latencies = self._latencies, []
        return taken
