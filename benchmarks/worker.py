"""The parent's side of a worker process: send requests, wait for answers, stop it."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Self

from benchmarks import usage, wire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from benchmarks.wire import JsonObject, JsonValue

ROOT: Final = Path(__file__).resolve().parent.parent
"""The directory that holds `benchmarks`; workers import it from there."""

PATHS: Final = os.pathsep.join(str(path) for path in (ROOT, ROOT / "protocol", ROOT / "relay"))
"""Where processes find the packages of this tree, whatever else is installed."""

ANSWER_TIMEOUT_S: Final = 300.0
"""No single request of a workload takes longer; what does, hangs."""

STOP_TIMEOUT_S: Final = 15.0
"""After its standard input is closed, a worker has this long to end by itself."""


class WorkerError(Exception):
    """A worker process failed, ended early or did not answer."""


class Worker:
    """One worker process."""

    def __init__(
        self, name: str, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        """Start `command`.

        Args:
            name: For error texts.
            command: Program and arguments.
            log: File for its standard error.
            env: Added to the environment.
        """
        self.name = name
        self._log = log
        self._answers: dict[int, JsonObject] = {}
        self._last_id = 0
        self._buffer = b""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [*command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "PYTHONPATH": PATHS, **(env or {})},
            )
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._pipe_out(), selectors.EVENT_READ)

    @classmethod
    def python(cls, name: str, module: str, log: Path) -> Worker:
        """Start a module of ours under the running interpreter."""
        return cls(name, [sys.executable, "-m", module], log)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def start(self, verb: str, **arguments: JsonValue) -> int:
        """Send a request without waiting; `wait` takes the id it returns."""
        self._last_id += 1
        pipe = self._process.stdin
        if pipe is None:
            raise WorkerError(f"{self.name} has no standard input")
        line = wire.encode_line({"id": self._last_id, "do": verb, **arguments})
        try:
            pipe.write(line.encode())
            pipe.flush()
        except BrokenPipeError as error:
            raise self._ended() from error
        return self._last_id

    def wait(self, request: int, timeout_s: float = ANSWER_TIMEOUT_S) -> JsonObject:
        """Return the answer to one request.

        Raises:
            WorkerError: It answered with an error, ended, or needed longer than `timeout_s`
            seconds.
        """
        deadline = time.monotonic() + timeout_s
        while request not in self._answers:
            self._read(deadline)
        answer = self._answers.pop(request)
        if "ok" not in answer:
            raise WorkerError(f"{self.name}: {answer.get('error')} (see {self._log})")
        found = answer["ok"]
        return found if isinstance(found, dict) else {}

    def ask(self, verb: str, **arguments: JsonValue) -> JsonObject:
        """Send a request and wait for its answer."""
        return self.wait(self.start(verb, **arguments))

    def cpu_ns(self) -> int:
        """CPU time used so far by all threads, in nanoseconds."""
        return usage.cpu_ns(self.pid)

    def rss_bytes(self) -> int:
        """Resident memory now, in bytes."""
        return usage.rss_bytes(self.pid)

    def stop(self) -> None:
        """Close its standard input and wait until it has ended; kill it if it does not."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._selector.close()
        self._pipe_out().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _pipe_out(self) -> IO[bytes]:
        if self._process.stdout is None:
            raise WorkerError(f"{self.name} has no standard output")
        return self._process.stdout

    def _read(self, deadline: float) -> None:
        """Wait for more output until `deadline` and keep the answers in it."""
        if not self._selector.select(max(0.0, deadline - time.monotonic())):
            raise WorkerError(f"{self.name} did not answer in time (see {self._log})")
        data = os.read(self._pipe_out().fileno(), 1 << 20)
        if not data:
            raise self._ended()
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            answer = wire.decode_line(line)
            self._answers[wire.integer(answer, "id")] = answer

    def _ended(self) -> WorkerError:
        return WorkerError(f"{self.name} ended (status {self._process.poll()}, see {self._log})")
