"""Foreign servers alone, under load from one process with frames built beforehand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from benchmarks import usage, wire
from benchmarks.peers import setup
from benchmarks.peers.certificates import Certificates
from benchmarks.peers.ejabberd import Ejabberd
from benchmarks.peers.mosquitto import Mosquitto
from benchmarks.peers.prosody import Prosody
from benchmarks.summary import percentile
from benchmarks.worker import Worker

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from benchmarks.wire import JsonObject

PAYLOAD_BYTES: Final = 300
"""Size of every message."""

LOAD_REQUIREMENTS: Final = ("uvloop==0.23.0",)
"""Of the load generator's environment."""

PAIRS: Final = 100
"""Sending connections; as many receive."""

WINDOW: Final = 8
"""Messages in flight for each sender under full load."""

PACED_RATE: Final = 10_000
"""Messages a second over all senders when CPU time is compared."""

WARM_UP_MS: Final = 500
"""Load before anything is measured."""

US_PER_NS: Final = 1e-3
MS_PER_NS: Final = 1e-6
KEPT_UP: Final = 0.95
"""A server that delivers a smaller share of the paced rate did not keep up: its CPU time per
message is not comparable."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one burst of load gave."""

    messages_per_second: float
    cpu_us: float
    """CPU time of the server per message."""

    client_cpu_us: float
    """CPU time of the load generator per message: shows which side was the limit."""

    p50_ms: float
    """From sending to acceptance."""

    p99_ms: float


class Target(ABC):
    """A server under load. Use as a context manager."""

    name: str

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home

    @abstractmethod
    def start(self) -> None:
        """Start server and load generator."""

    @abstractmethod
    def prepare(self) -> None:
        """Open the connections of the load, and warm up."""

    @abstractmethod
    def stop(self) -> None:
        """Stop them."""

    @abstractmethod
    def version(self) -> str:
        """What exactly runs."""

    @abstractmethod
    def closed(self, milliseconds: int) -> Load:
        """Keep `WINDOW` messages of each of `PAIRS` senders in flight."""

    @abstractmethod
    def paced(self, milliseconds: int) -> Load:
        """Send `PACED_RATE` messages a second."""

    def idle_kib(self, _connections: int) -> float | None:
        """Return the server's memory per idle connection in KiB, if that is comparable here."""
        return None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class Foreign(Target):
    """A foreign server and the load generator for it."""

    protocol: str

    @abstractmethod
    def start_server(self) -> Prosody | Ejabberd | Mosquitto:
        """Start the server."""

    def start(self) -> None:
        self._server = self.start_server()
        interpreter = setup.python_environment("flood", LOAD_REQUIREMENTS)
        command = [str(interpreter), "-m", "benchmarks.workers.flood_foreign"]
        self._load = Worker(f"load of {self.name}", command, self.home / "load.log")

    def prepare(self) -> None:
        self._load.ask(
            "connect",
            protocol=self.protocol,
            port=self._server.port,
            pairs=PAIRS,
            size=PAYLOAD_BYTES,
        )
        self._load.ask("closed", window=WINDOW, milliseconds=WARM_UP_MS)

    def stop(self) -> None:
        self._load.stop()
        self._server.stop()

    def version(self) -> str:
        return self._server.version()

    def closed(self, milliseconds: int) -> Load:
        return self._measure("closed", milliseconds, "window", WINDOW)

    def paced(self, milliseconds: int) -> Load:
        return self._measure("paced", milliseconds, "rate", PACED_RATE)

    def _measure(self, verb: str, milliseconds: int, name: str, value: int) -> Load:
        before = usage.cpu_of_tree_ns(self._server.pids), self._load.cpu_ns()
        answer = self._load.ask(verb, milliseconds=milliseconds, **{name: value})
        after = usage.cpu_of_tree_ns(self._server.pids), self._load.cpu_ns()
        return load_of(answer, after[0] - before[0], after[1] - before[1])


def load_of(answer: JsonObject, server_ns: int, client_ns: int) -> Load:
    """Return figures per message from a load generator's answer and both sides' CPU time."""
    delivered = wire.integer(answer, "delivered")
    latencies = [float(ns) for ns in wire.integers(answer, "latencies_ns")]
    return Load(
        messages_per_second=delivered * 1e9 / wire.integer(answer, "elapsed_ns"),
        cpu_us=server_ns * US_PER_NS / delivered,
        client_cpu_us=client_ns * US_PER_NS / delivered,
        p50_ms=percentile(latencies, 50) * MS_PER_NS,
        p99_ms=percentile(latencies, 99) * MS_PER_NS,
    )


class MosquittoTarget(Foreign):
    """MQTT, QoS 1."""

    name = "mosquitto"
    protocol = "mqtt"

    def start_server(self) -> Mosquitto:
        return Mosquitto(self.home)


class ProsodyTarget(Foreign):
    """XMPP."""

    name = "prosody"
    protocol = "xmpp"

    def start_server(self) -> Prosody:
        return Prosody(self.home, Certificates.make(self.home / "tls"), anonymous=True)


class EjabberdTarget(Foreign):
    """XMPP."""

    name = "ejabberd"
    protocol = "xmpp"

    def start_server(self) -> Ejabberd:
        return Ejabberd(self.home)
