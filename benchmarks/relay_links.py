"""Connections of the relay's load generator: frames built beforehand, answers only counted."""

from __future__ import annotations

import os
import socket
import ssl
import time
from typing import Final
from urllib.parse import urlsplit

import nacl.bindings

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
    Authenticate,
    Challenge,
    Deliver,
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
)
from e2ecore_protocol.limits import MAX_ENVELOPE_LIFETIME_S, MAX_FRAME_BYTES, SUBPROTOCOL

READ_BYTES: Final = 1 << 17
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
