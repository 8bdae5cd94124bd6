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
import ssl
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks import wire
from benchmarks.relay_links import Device, Link, LoadError, Receiver, Sender
from e2ecore_protocol.frames import (
    Ack,
    AcknowledgedLog,
    Commit,
    Committed,
    ConversationKind,
    Deliver,
    DeviceAddress,
    direct_conversation_id,
    make_envelope_id,
)

if TYPE_CHECKING:
    from benchmarks.wire import JsonObject

SETTLE_S: Final = 60.0
"""Messages under way at the end must have arrived within this time."""

TICK_S: Final = 0.002
"""A fixed rate is sent in portions this far apart."""


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
