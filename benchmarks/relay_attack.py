"""Clients that want to hurt a relay and its other clients, in a process of their own.

Three threads: connections that never say anything, connections that say something wrong, and
devices that let others write to them and never read. As a worker it answers JSON lines (``begin``,
``end``).
"""

from __future__ import annotations

import os
import resource
import socket
import ssl
import sys
import threading
import time
from contextlib import suppress
from itertools import cycle
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from benchmarks import wire
from benchmarks.relay_links import Device, Link, LoadError, Sender, unmasked
from e2ecore_protocol.frames import (
    Commit,
    Committed,
    ConversationKind,
    DeviceAddress,
    Envelope,
    EnvelopeKind,
    Submit,
    direct_conversation_id,
    make_envelope_id,
)
from e2ecore_protocol.limits import MAX_FRAME_BYTES, MAX_UNAUTHENTICATED_FRAME_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.wire import JsonObject

OPENED_PER_S: Final = 1000
"""Pace of half-open connections; when all are open, the oldest are replaced at a tenth of it."""
WRONG_PER_S: Final = 40
"""Connections per second that finish the TLS handshake and then send what is wrong."""
SLOW_READERS: Final = 8
WRITTEN_PER_S: Final = 25
"""Messages per second for each slow reader."""
WRITTEN_BYTES: Final = 1024
_SPARE_FILES: Final = 300


def _submit() -> bytes:
    envelope_id = make_envelope_id(time.time_ns() // 1_000_000, os.urandom(10))
    envelope = Envelope(os.urandom(16), envelope_id, EnvelopeKind.APPLICATION, 0, 60, b"x")
    return Submit(1, (envelope,)).encode()


WRONG: Final = (
    lambda: b"",
    lambda: os.urandom(1000),
    lambda: bytes(MAX_UNAUTHENTICATED_FRAME_BYTES + 1),
    lambda: bytes(MAX_FRAME_BYTES + 1),
    _submit,
)
"""Messages before authentication: empty, noise, too long twice, and not allowed yet."""


class Attack:
    """Everything at once, until it is told to end."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._count: dict[str, int] = {}

    def begin(self, request: JsonObject) -> JsonObject:
        """Attack the relay at ``url`` (trusting ``ca``) with ``half_open`` silent connections."""
        url, ca = wire.text(request, "url"), wire.text(request, "ca")
        context = ssl.create_default_context(cafile=ca)
        self._over.clear()
        self._count = dict.fromkeys(("half_open", "wrong", "written"), 0)
        half_open = min(wire.integer(request, "half_open"), _most_files() - _SPARE_FILES)
        victims = [Device(url, context) for _ in range(2 * SLOW_READERS)]
        self._start(lambda: self._stay_silent(url, half_open))
        self._start(lambda: self._be_wrong(url, context))
        self._start(lambda: self._never_read(victims))
        return {}

    def end(self, _request: JsonObject) -> JsonObject:
        """Stop; answer how much of each there was."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        return {**self._count}

    def _start(self, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _stay_silent(self, url: str, count: int) -> None:
        target = urlsplit(url)
        address = (target.hostname or "", target.port or 443)
        silent: list[socket.socket] = []
        at = 0
        while not self._over.wait(1 / 100):
            full = len(silent) == count
            for _ in range(OPENED_PER_S // (1000 if full else 100)):
                one = socket.socket()
                one.setblocking(False)  # noqa: FBT003
                one.connect_ex(address)
                if len(silent) < count:
                    silent.append(one)
                else:
                    silent[at].close()
                    silent[at], at = one, (at + 1) % count
                self._count["half_open"] += 1
        for one in silent:
            one.close()

    def _be_wrong(self, url: str, context: ssl.SSLContext) -> None:
        for make in cycle(WRONG):
            if self._over.wait(1 / WRONG_PER_S):
                return
            with suppress(OSError, LoadError, ssl.SSLError):
                link = Link(url, context)
                with link.socket:
                    link.socket.settimeout(1.0)
                    link.send_raw(unmasked(make()))
                    while link.read():
                        pass
            self._count["wrong"] += 1

    def _never_read(self, devices: list[Device]) -> None:
        senders = [_befriend(one, other) for one, other in zip(*[iter(devices)] * 2, strict=True)]
        while not self._over.wait(1 / WRITTEN_PER_S):
            for sender in senders:
                with suppress(BlockingIOError):
                    sender.readable()
                sender.push(1)
                self._count["written"] += 1
        for device in devices:
            device.link.socket.close()


def _befriend(one: Device, other: Device) -> Sender:
    """Begin the conversation of two devices, the second of which reads nothing of it."""
    name = direct_conversation_id(one.account_id, other.account_id, 0)
    envelope_id = make_envelope_id(time.time_ns() // 1_000_000, os.urandom(10))
    address = DeviceAddress(other.account_id, other.device_id)
    kind = ConversationKind.DIRECT
    one.link.send(Commit(1, name, envelope_id, 0, b"commit", kind, (address,), (), b"welcome"))
    one.link.until(Committed)
    sender = Sender(one, name, WRITTEN_BYTES)
    sender.link.socket.settimeout(0)
    return sender


def _most_files() -> int:
    """Allow this process as many files as it may have; return how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def _serve() -> None:
    attack = Attack()
    for line in sys.stdin:
        request = wire.decode_line(line)
        answer: JsonObject = {"id": request["id"]}
        try:
            answer["ok"] = getattr(attack, wire.text(request, "do"))(request)
        except Exception as error:  # noqa: BLE001 - the parent decides what an error means
            answer["error"] = f"{type(error).__name__}: {error}"
        sys.stdout.write(wire.encode_line(answer))
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
