"""Our relay alone, under load: TLS, and durable before it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks import usage
from benchmarks.model import OURS
from benchmarks.systems.relay import RelayProcess
from benchmarks.systems.servers import (
    PACED_RATE,
    PAIRS,
    PAYLOAD_BYTES,
    WARM_UP_MS,
    WINDOW,
    Load,
    Target,
    load_of,
)
from benchmarks.worker import Worker

if TYPE_CHECKING:
    from benchmarks.wire import JsonValue

KIB: Final = 1024


class OurRelay(Target):
    """One relay process and its load generator."""

    name = OURS

    def start(self) -> None:
        self._relay = RelayProcess(self.home / "relay")
        self._address: dict[str, JsonValue] = {
            "url": self._relay.url,
            "ca": str(self._relay.authority),
        }
        log = self.home / "load.log"
        self._load = Worker.python("load of the relay", "benchmarks.relay_load", log)

    def stop(self) -> None:
        self._load.stop()
        self._relay.stop()

    def prepare(self) -> None:
        self._load.ask("connect", pairs=PAIRS, size=PAYLOAD_BYTES, **self._address)
        self._load.ask("closed", window=WINDOW, milliseconds=WARM_UP_MS)

    def version(self) -> str:
        return "this tree"

    def closed(self, milliseconds: int) -> Load:
        return self._measure("closed", milliseconds, "window", WINDOW)

    def paced(self, milliseconds: int) -> Load:
        return self._measure("paced", milliseconds, "rate", PACED_RATE)

    def idle_kib(self, connections: int) -> float:
        """Return how much more memory the relay has per connection, once all are idle."""
        self._load.ask("idle", connections=connections // 10, **self._address)
        before = self._rss()
        self._load.ask("idle", connections=connections, **self._address)
        return (self._rss() - before) / KIB / connections

    def _rss(self) -> int:
        return sum(usage.rss_bytes(pid) for pid in self._relay.pids)

    def _measure(self, verb: str, milliseconds: int, name: str, value: int) -> Load:
        before = usage.cpu_of_tree_ns(self._relay.pids), self._load.cpu_ns()
        answer = self._load.ask(verb, milliseconds=milliseconds, **{name: value})
        after = usage.cpu_of_tree_ns(self._relay.pids), self._load.cpu_ns()
        return load_of(answer, after[0] - before[0], after[1] - before[1])
