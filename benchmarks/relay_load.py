"""Load for our relay alone: many TLS connections, frames built beforehand, a process of its own.

One epoll loop, no tasks, no decoding beyond what counts: the relay and not this process is the
limit. Sender n writes to receiver n. A message counts when its sender has the acceptance and its
receiver has the message; receivers acknowledge once for each read. Frames are masked with the key
0, which is legal and costs the relay what any other key costs.

As a worker it answers JSON lines (``connect``, ``closed``, ``paced``, ``alone``, ``idle``).
By hand::

    python -m benchmarks.relay_load wss://127.0.0.1:PORT ca.pem --pairs 100 --window 8 --seconds 5
"""

from __future__ import annotations

import argparse
import os
import select
import socket
import ssl
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import nacl.bindings

from benchmarks import wire
from e2ecore_channel.framing import Framing
from e2ecore_protocol.chain.bodies import DeviceAdded, Genesis
from e2ecore_protocol.chain.entry import (
    account_id_of,
    device_id_of,
    possession_message,
    sign_entry,
)
from e2ecore_protocol.codec import pack
from e2ecore_protocol.frames import (
    Ack,
    AcknowledgedLog,
    Authenticate,
    Challenge,
    Commit,
    Committed,
    ConversationKind,
    Deliver,
    DeviceAddress,
    Envelope,
    Failed,
    Frame,
    Ready,
    Register,
    Registered,
    Submit,
    Submitted,
    authentication_message,
    decode_server_frame,
    direct_conversation_id,
    make_envelope_id,
)
from e2ecore_protocol.limits import MAX_ENVELOPE_LIFETIME_S, MAX_FRAME_BYTES, SUBPROTOCOL

if TYPE_CHECKING:
    from benchmarks.wire import JsonObject

READ_BYTES: Final = 1 << 17
SETTLE_S: Final = 60.0
TICK_S: Final = 0.002
_ACCEPTED: Final = 0x92
_ACCEPTED_AT: Final = 4
"""In a Submitted frame with request id 1: where the first result's array begins."""


class LoadError(Exception):
    """The relay answered something unexpected."""


class Link:
    """One client connection, non-blocking after the setup."""

    def __init__(self, url: str, context: ssl.SSLContext | None) -> None:
        target = urlsplit(url)
        self.socket = socket.create_connection((target.hostname or "", target.port or 443))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls: ssl.SSLObject | None = None
        if context is not None:
            self.tls = context.wrap_bio(
                self.incoming, self.outgoing, server_hostname=target.hostname
            )
            self._handshake()
        self.framing = Framing(is_client=True, max_message_bytes=MAX_FRAME_BYTES)
        self.messages: list[bytes] = []
        self.unsent = b""
        self._upgrade(target.netloc)

    def _handshake(self) -> None:
        while self.tls is not None:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.socket.sendall(self.outgoing.read())
                self.incoming.write(self.socket.recv(READ_BYTES))
            else:
                self.socket.sendall(self.outgoing.read())
                return

    def _upgrade(self, host: str) -> None:
        self.send_raw(
            f"GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n".encode()
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.read()
        self.messages += self.framing.feed(head.split(b"\r\n\r\n", 1)[1])

    def read(self) -> bytes:
        """Return the plaintext of one read; nothing if it completes no record."""
        data = self.socket.recv(READ_BYTES)
        if not data:
            raise LoadError("the relay hung up")
        if self.tls is None:
            return data
        self.incoming.write(data)
        parts = []
        try:
            while self.incoming.pending or self.tls.pending():
                parts.append(self.tls.read(1 << 16))
        except ssl.SSLWantReadError:
            pass
        return b"".join(parts)

    def send_raw(self, data: bytes) -> None:
        """Seal and send; what the kernel does not take is kept for the next call."""
        if self.tls is not None:
            self.tls.write(data)
            data = self.outgoing.read()
        if self.unsent:
            data, self.unsent = self.unsent + data, b""
        try:
            sent = self.socket.send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self.unsent = data[sent:]

    def send(self, frame: Frame) -> None:
        """Send one frame. Only for the setup: waits until it is gone."""
        self.send_raw(unmasked(frame.encode()))
        while self.unsent:
            data, self.unsent = self.unsent, b""
            self.socket.sendall(data)

    def next(self) -> Frame:
        """Return the next frame. Only for the setup: waits for it."""
        while not self.messages:
            self.messages += self.framing.feed(self.read())
        frame = decode_server_frame(self.messages.pop(0))
        if isinstance(frame, Failed):
            raise LoadError(f"refused: {frame.code} {frame.detail}")
        return frame

    def until(self, kind: type[Frame]) -> Frame:
        """Return the next frame of one kind; drop the others."""
        while not isinstance(frame := self.next(), kind):
            pass
        return frame


def unmasked(message: bytes) -> bytes:
    """Return a client's WebSocket frame with the mask 0."""
    size = len(message)
    if size < 126:  # noqa: PLR2004
        return bytes((0x82, 0x80 | size, 0, 0, 0, 0)) + message
    if size < 1 << 16:
        return b"\x82\xfe" + size.to_bytes(2) + bytes(4) + message
    return b"\x82\xff" + size.to_bytes(8) + bytes(4) + message


class Device:
    """An account with one device, registered and authenticated."""

    def __init__(self, url: str, context: ssl.SSLContext | None) -> None:
        self.link = Link(url, context)
        challenge = self.link.next()
        if not isinstance(challenge, Challenge):
            raise LoadError(f"expected a challenge: {challenge}")
        identity_key, identity = nacl.bindings.crypto_sign_seed_keypair(os.urandom(32))
        device_key, device = nacl.bindings.crypto_sign_seed_keypair(os.urandom(32))

        def sign_with(key: bytes, message: bytes) -> bytes:
            return nacl.bindings.crypto_sign(message, key)[:64]

        genesis = sign_entry(
            b"", 0, b"", Genesis(identity_key), created_ms=1, sign=lambda m: sign_with(identity, m)
        )
        self.account_id = account_id_of(genesis)
        proof = sign_with(
            device, possession_message(self.account_id, 1, genesis.hash(), device_key)
        )
        added = sign_entry(
            self.account_id,
            1,
            genesis.hash(),
            DeviceAdded(device_key, proof),
            created_ms=1,
            sign=lambda m: sign_with(identity, m),
        )
        self.link.send(Register(1, (genesis.encode(), added.encode()), None))
        self.link.until(Registered)
        self.device_id = device_id_of(device_key)
        message = authentication_message(
            1, challenge.server_name, challenge.nonce, self.account_id, self.device_id
        )
        self.link.send(Authenticate(1, self.account_id, self.device_id, sign_with(device, message)))
        self.link.until(Ready)


class Sender:
    """Keeps submits in flight: one envelope each, or ``batch`` envelopes each."""

    def __init__(self, device: Device, conversation: bytes, size: int, batch: int = 1) -> None:
        self.link = device.link
        self.sent = self.accepted = 0
        self.refill = False
        self.batch = batch
        self.latencies: list[int] = []
        self._times: list[int] = []
        self._first = 0
        marker = bytes(range(16))
        envelope = Envelope(conversation, marker, 1, 1, MAX_ENVELOPE_LIFETIME_S, os.urandom(size))
        frame = unmasked(Submit(1, (envelope,) * batch).encode())
        parts = frame.split(marker)
        self._parts = parts
        self._prefix = os.urandom(6)
        self._count = 0

    def frames(self, count: int) -> bytes:
        """Return so many submits, each envelope with a fresh id."""
        parts: list[bytes] = []
        now = (time.time_ns() // 1_000_000).to_bytes(6) + self._prefix
        number = self._count
        for _ in range(count):
            for part in self._parts[:-1]:
                parts.append(part)
                parts.append(now + number.to_bytes(4))
                number += 1
            parts.append(self._parts[-1])
        self._count = number
        return b"".join(parts)

    def push(self, count: int) -> None:
        """Send so many submits now."""
        self.sent += count * self.batch
        self._times.extend([time.monotonic_ns()] * count)
        self.link.send_raw(self.frames(count))

    def readable(self) -> None:
        """Take answers; send as many again."""
        answers = self.link.framing.feed(self.link.read())
        taken = 0
        for answer in answers:
            if answer[1] == Submitted.TYPE:
                if answer[_ACCEPTED_AT] != _ACCEPTED and self.batch == 1:
                    raise LoadError(f"refused: {decode_server_frame(answer)}")
                taken += 1
        if taken:
            now = time.monotonic_ns()
            self.latencies.extend(
                [now - at for at in self._times[self._first : self._first + taken]]
            )
            self._first += taken
            self.accepted += taken * self.batch
            if self.refill:
                self.push(taken)

    def take_latencies(self) -> list[int]:
        """Return the times from sending to acceptance, in ns, and forget them."""
        latencies, self.latencies = self.latencies, []
        del self._times[: self._first]
        self._first = 0
        return latencies


class Receiver:
    """Counts deliveries, acknowledges once for each read."""

    def __init__(self, device: Device, conversation: bytes) -> None:
        self.link = device.link
        self.delivered = 0
        self._ack = pack((Ack.TYPE, ((conversation, 0),)))[:-1]

    def readable(self) -> None:
        """Take deliveries."""
        before = self.delivered
        for message in self.link.framing.feed(self.link.read()):
            if message[1] == Deliver.TYPE:
                first = message[2]
                long = first == 0xDC  # noqa: PLR2004
                self.delivered += int.from_bytes(message[3:5]) if long else first & 0x0F
        if self.delivered > before:
            self.link.send_raw(unmasked(self._ack + pack(self.delivered + 1)))


class RelayLoad:
    """All connections of one run, and the verbs of a worker."""

    def __init__(self) -> None:
        self.senders: list[Sender] = []
        self.receivers: list[Receiver] = []
        self._ends: dict[int, Sender | Receiver] = {}
        self._idle: list[Device] = []
        self._poll = select.epoll()

    def connect(self, request: JsonObject) -> JsonObject:
        """Open ``pairs`` senders and receivers at ``url`` (trusting ``ca``): messages of ``size``
        bytes, ``batch`` of them in each frame.
        """
        url, ca = wire.text(request, "url"), wire.text(request, "ca")
        context = ssl.create_default_context(cafile=ca) if ca else None
        for _ in range(wire.integer(request, "pairs")):
            self._pair(
                Device(url, context),
                Device(url, context),
                wire.integer(request, "size"),
                wire.integer(request, "batch", 1),
            )
        return {}

    def _pair(self, one: Device, other: Device, size: int, batch: int) -> None:
        name = direct_conversation_id(one.account_id, other.account_id, 0)
        address = DeviceAddress(other.account_id, other.device_id)
        one.link.send(
            Commit(
                1,
                name,
                make_envelope_id(time.time_ns() // 1_000_000, os.urandom(10)),
                0,
                b"commit",
                ConversationKind.DIRECT,
                (address,),
                (),
                b"welcome",
            )
        )
        one.link.until(Committed)
        other.link.until(Deliver)
        other.link.send(Ack((AcknowledgedLog(b"", 1),)))
        for end in (Sender(one, name, size, batch), Receiver(other, name)):
            end.link.socket.settimeout(0)
            self._ends[end.link.socket.fileno()] = end
            self._poll.register(end.link.socket, select.EPOLLIN)
            if isinstance(end, Sender):
                self.senders.append(end)
            else:
                self.receivers.append(end)

    def closed(self, request: JsonObject) -> JsonObject:
        """Keep ``window`` submits of each sender in flight for ``milliseconds``."""
        before, started, used = self._delivered(), time.monotonic_ns(), time.process_time_ns()
        for sender in self.senders:
            sender.refill = True
            sender.push(wire.integer(request, "window"))
        self._run(time.monotonic() + wire.integer(request, "milliseconds") / 1000)
        for sender in self.senders:
            sender.refill = False
        self._settle()
        return self._answer(started, before, used)

    def paced(self, request: JsonObject) -> JsonObject:
        """Send ``rate`` messages a second over all senders for ``milliseconds``."""
        rate, seconds = wire.integer(request, "rate"), wire.integer(request, "milliseconds") / 1000
        before, started, used = self._delivered(), time.monotonic_ns(), time.process_time_ns()
        due = 0
        while (elapsed := (time.monotonic_ns() - started) / 1e9) < seconds:
            for turn in range(due, int(elapsed * rate)):
                self.senders[turn % len(self.senders)].push(1)
            due = max(due, int(elapsed * rate))
            self._run(time.monotonic() + TICK_S)
        self._settle()
        return self._answer(started, before, used)

    def alone(self, request: JsonObject) -> JsonObject:
        """Send ``count`` messages, each after the acceptance and the delivery of the one before."""
        sender, receiver = self.senders[0], self.receivers[0]
        before, started, used = self._delivered(), time.monotonic_ns(), time.process_time_ns()
        for _ in range(wire.integer(request, "count")):
            sender.push(1)
            while sender.accepted < sender.sent or receiver.delivered < sender.sent:
                self._wait(1.0)
        return self._answer(started, before, used)

    def idle(self, request: JsonObject) -> JsonObject:
        """Open ``connections`` more that authenticate and then stay silent."""
        ca = wire.text(request, "ca")
        context = ssl.create_default_context(cafile=ca) if ca else None
        for _ in range(wire.integer(request, "connections")):
            self._idle.append(Device(wire.text(request, "url"), context))
        return {}

    def _delivered(self) -> int:
        return sum(receiver.delivered for receiver in self.receivers)

    def _wait(self, timeout_s: float) -> None:
        for number, event in self._poll.poll(timeout_s):
            end = self._ends[number]
            if event & select.EPOLLIN:
                end.readable()
            if end.link.unsent:
                end.link.send_raw(b"") if end.link.tls is None else self._flush(end.link)

    @staticmethod
    def _flush(link: Link) -> None:
        data, link.unsent = link.unsent, b""
        try:
            sent = link.socket.send(data)
        except BlockingIOError:
            sent = 0
        link.unsent = data[sent:]

    def _run(self, until: float) -> None:
        while (left := until - time.monotonic()) > 0:
            self._wait(left)

    def _settle(self) -> None:
        deadline = time.monotonic() + SETTLE_S
        while True:
            sent = sum(sender.sent for sender in self.senders)
            accepted = sum(sender.accepted for sender in self.senders)
            if accepted == sent == self._delivered():
                return
            if time.monotonic() > deadline:
                raise LoadError(f"sent {sent}, accepted {accepted}, delivered {self._delivered()}")
            for end in self._ends.values():
                if end.link.unsent:
                    self._flush(end.link)
            self._wait(0.01)

    def _answer(self, started: int, before: int, used: int) -> JsonObject:
        latencies = [ns for sender in self.senders for ns in sender.take_latencies()]
        return {
            "delivered": self._delivered() - before,
            "elapsed_ns": time.monotonic_ns() - started,
            "latencies_ns": [*latencies],
            "own_cpu_ns": time.process_time_ns() - used,
        }


def _serve() -> None:
    load = RelayLoad()
    for line in sys.stdin:
        request = wire.decode_line(line)
        answer: JsonObject = {"id": request["id"]}
        try:
            answer["ok"] = getattr(load, wire.text(request, "do"))(request)
        except Exception as error:  # noqa: BLE001 - the parent decides what an error means
            traceback.print_exc()
            answer["error"] = f"{type(error).__name__}: {error}"
        sys.stdout.write(wire.encode_line(answer))
        sys.stdout.flush()


def _cpu_us(pid: int) -> float:
    """Return the CPU time of a process so far, in microseconds; 0 for no process."""
    if not pid:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") * 1e6


def _by_hand() -> None:
    parser = argparse.ArgumentParser(description="Load for one relay.")
    parser.add_argument("url")
    parser.add_argument("ca", nargs="?", default="")
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--window", type=int, default=8)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--size", type=int, default=300)
    parser.add_argument("--rate", type=int, default=0, help="messages/s instead of a window")
    parser.add_argument("--alone", type=int, default=0, help="messages one after another instead")
    parser.add_argument("--pid", type=int, default=0, help="the relay, to tell its CPU time")
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    load = RelayLoad()
    common: JsonObject = {
        "url": options.url,
        "ca": options.ca,
        "pairs": options.pairs,
        "size": options.size,
        "batch": options.batch,
    }
    load.connect(common)
    milliseconds = int(options.seconds * 1000)
    used = _cpu_us(options.pid)
    if options.alone:
        answer = load.alone({"count": options.alone})
    elif options.rate:
        answer = load.paced({"rate": options.rate, "milliseconds": milliseconds})
    else:
        answer = load.closed({"window": options.window, "milliseconds": milliseconds})
    latencies = sorted(wire.integers(answer, "latencies_ns"))
    delivered, elapsed = wire.integer(answer, "delivered"), wire.integer(answer, "elapsed_ns") / 1e9
    own = wire.integer(answer, "own_cpu_ns") / 1e3 / max(delivered, 1)
    sys.stdout.write(
        f"{delivered} delivered, {delivered / elapsed:,.0f}/s,"
        f" p50 {latencies[len(latencies) // 2] / 1e6:.2f} ms,"
        f" p99 {latencies[len(latencies) * 99 // 100] / 1e6:.2f} ms, own CPU {own:.1f} us each,"
        f" the relay's {(_cpu_us(options.pid) - used) / max(delivered, 1):.1f} us\n"
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _by_hand()
    else:
        _serve()
