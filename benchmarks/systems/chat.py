"""A chat system under measurement: a server process, and one worker process per person.

All workers understand the same requests, so one workload runs on every system:

| request | arguments | answer |
|---|---|---|
| `open` | those of the system | registered (or logged in) and online |
| `meet` | `name` | ready to send to this person |
| `create_group` | `group`, `members` | made by the first member |
| `join` | `group`, `members` | this member can send to the group |
| `expect` | | forgets what was received so far |
| `received` | `count` | when that many are stored: `indexes`, `stored_ns` |
| `send` | `count`, `size`, `mode`, `first`, `pause_ms` | `sent_ns`, `accepted_ns` |
| `offline`, `online` | | `online` gives `started_ns`: when connecting began |
| `settle` | | after a drain, outside the measured time |

`mode` is `sequential` (each message awaits the acceptance of the one before) or `pipelined`, for
which only the first `sent_ns` and the last `accepted_ns` are needed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final, Self

from benchmarks import usage

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from benchmarks.worker import Worker

WARM_UP_MESSAGES: Final = 20
"""In each direction, before anything is measured: sessions, caches and code paths are warm."""

MESSAGE_CHARACTERS: Final = 200
"""Length of every message."""


class ChatSystem(ABC):
    """One system. Use as a context manager: the server runs inside."""

    name: str
    """As in the results."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._people = 0
        self._workers: list[Worker] = []

    @abstractmethod
    def start(self) -> None:
        """Start the server."""

    @abstractmethod
    def stop_server(self) -> None:
        """Stop the server."""

    @abstractmethod
    def open_client(self, name: str) -> Worker:
        """Start a worker for a new account called `name`, online."""

    @abstractmethod
    def server_pids(self) -> list[int]:
        """Processes of the server."""

    @abstractmethod
    def version(self) -> str:
        """What exactly runs."""

    def client(self) -> Worker:
        """Start a worker for a person nobody used before."""
        self._people += 1
        worker = self.open_client(f"person{self._people:04d}")
        self._workers.append(worker)
        return worker

    def pair(self) -> tuple[Worker, Worker]:
        """Start two people who have exchanged warm-up messages."""
        sender, receiver = self.client(), self.client()
        sender.ask("meet", name=receiver.name)
        _exchange(sender, receiver)
        receiver.ask("meet", name=sender.name)
        _exchange(receiver, sender)
        return sender, receiver

    def group(self, members: int) -> list[Worker]:
        """Start a group; everybody has received the warm-up messages of its first member."""
        people = [self.client() for _ in range(members)]
        names: list[str] = [person.name for person in people]
        group = f"group{self._people:04d}"
        people[0].ask("create_group", group=group, members=[*names])
        for person in people:
            person.ask("join", group=group, members=[*names])
        for person in people[1:]:
            person.ask("expect")
        people[0].ask("send", count=WARM_UP_MESSAGES, size=MESSAGE_CHARACTERS, mode="sequential")
        for person in people[1:]:
            person.ask("received", count=WARM_UP_MESSAGES)
        return people

    def release(self) -> None:
        """End all workers of a run."""
        for worker in self._workers:
            worker.stop()
        self._workers.clear()

    def server_cpu_ns(self) -> int:
        """CPU time of the server so far, in nanoseconds."""
        return usage.cpu_of_tree_ns(self.server_pids())

    def server_rss_bytes(self) -> int:
        """Resident memory of the server, in bytes."""
        return sum(usage.rss_bytes(pid) for pid in self.server_pids())

    def __enter__(self) -> Self:
        self.home.mkdir(parents=True, exist_ok=True)
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
        self.stop_server()


def _exchange(sender: Worker, receiver: Worker) -> None:
    receiver.ask("expect")
    sender.ask("send", count=WARM_UP_MESSAGES, size=MESSAGE_CHARACTERS, mode="sequential")
    receiver.ask("received", count=WARM_UP_MESSAGES)
