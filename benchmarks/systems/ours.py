"""Our own system: a relay process with durable storage and TLS, and one process per device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.model import OURS
from benchmarks.systems.chat import ChatSystem
from benchmarks.systems.relay import RelayProcess
from benchmarks.worker import Worker

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.wire import JsonValue


class Ours(ChatSystem):
    """e2ecore against its relay."""

    name = OURS

    def __init__(self, home: Path, *, limited: bool = False) -> None:
        """Work in ``home``; ``limited`` by the rates that the relay has by default."""
        super().__init__(home)
        self._limited = limited

    def start(self) -> None:
        self._relay = RelayProcess(self.home / "relay", limited=self._limited)

    def address(self) -> dict[str, JsonValue]:
        """Return where the relay is, for workers of other kinds."""
        return {"url": self._relay.url, "ca": str(self._relay.authority)}

    def http_url(self) -> str:
        """Return where the relay tells of itself."""
        return self._relay.http_url

    def stop_server(self) -> None:
        self._relay.stop()

    def reopen(self, name: str) -> Worker:
        """Start a process on the database of somebody whose process has ended."""
        worker = self.open_client(name)
        self._workers.append(worker)
        return worker

    def open_client(self, name: str) -> Worker:
        worker = Worker.python(name, "benchmarks.workers.ours", self.home / f"{name}.log")
        worker.ask(
            "open",
            name=name,
            home=str(self.home / name),
            relay=self._relay.url,
            ca=str(self._relay.authority),
        )
        return worker

    def server_pids(self) -> list[int]:
        return self._relay.pids

    def version(self) -> str:
        return "this tree"
