"""Real processes for tests: the relay, and a device that obeys JSON lines."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

START_TIMEOUT_S = 30
ANSWER_TIMEOUT_S = 60

Line = Mapping[str, object]


class ProcessEndedError(Exception):
    """The process ended while an answer was awaited."""


@dataclass
class RelayProcess:
    """A relay of its own, with its own data folder; the port survives restarts."""

    folder: Path
    config: str = ""
    url: str = ""
    http: str = ""
    ca: str = ""
    _process: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        """Start it, and wait until it says that it is ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        port = self.url.rsplit(":", 1)[-1] if self.url else "0"
        http = self.http.rsplit(":", 1)[-1] if self.http else "0"
        command = [sys.executable, "-m", "e2ecore_relay", "--data", str(self.folder / "data")]
        command += ["--port", port, "--http-port", http]
        if self.config:
            (self.folder / "relay.toml").write_text(self.config)
            command += ["--config", str(self.folder / "relay.toml")]
        with (self.folder / "relay.log").open("a") as log:
            self._process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
            )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("ready "):
                _, self.url, self.http, ca = line.split(maxsplit=3)
                self.ca = ca.strip().removeprefix("ca=")
                return self
        raise ProcessEndedError((self.folder / "relay.log").read_text()[-2000:])

    @property
    def process(self) -> subprocess.Popen[str]:
        """The running process."""
        assert self._process is not None
        return self._process

    def kill(self) -> None:
        """End it at once, as a power cut of the process would."""
        _end(self._process, signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to drain and end."""
        _end(self._process, signal.SIGTERM)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class DeviceProcess:
    """One device: ``tests/support/device.py`` in a process of its own."""

    def __init__(self, database: Path, relay: RelayProcess) -> None:
        self._database = database
        self._relay = relay
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[Line | None] = queue.Queue()
        self.events: list[Line] = []

    def start(self) -> Self:
        """Start it, and wait until the engine is open."""
        command = [sys.executable, "-m", "tests.support.device", str(self._database)]
        command += [self._relay.url, self._relay.ca]
        with self._database.with_suffix(".log").open("a") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=Path(__file__).parents[2],
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )
        self._lines = queue.Queue()
        threading.Thread(target=self._read, args=(self._process, self._lines), daemon=True).start()
        self.wait_for("open")
        return self

    @staticmethod
    def _read(process: subprocess.Popen[str], lines: "queue.Queue[Line | None]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            with contextlib.suppress(json.JSONDecodeError):  # a line cut by SIGKILL
                lines.put(json.loads(line))
        lines.put(None)

    def wait_for(self, kind: str) -> Line:
        """Return the next line of this kind; other lines are kept in ``events``."""
        while True:
            line = self._lines.get(timeout=ANSWER_TIMEOUT_S)
            if line is None:
                log = self._database.with_suffix(".log").read_text()[-3000:]
                raise ProcessEndedError(f"while waiting for {kind}: {log}")
            if line["kind"] == kind:
                return line
            self.events.append(line)

    def drain(self) -> None:
        """Move every line that has arrived to ``events``."""
        with contextlib.suppress(queue.Empty):
            while True:
                line = self._lines.get_nowait()
                if line is not None:
                    self.events.append(line)

    def tell(self, **request: object) -> None:
        """Send one request and do not wait."""
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()

    def ask(self, do: str, **request: object) -> Line:
        """Send one request and return its answer."""
        self.tell(do=do, **request)
        answer = self.wait_for("answer")
        assert "error" not in answer, answer
        return answer

    def kill(self) -> None:
        """SIGKILL."""
        _end(self._process, signal.SIGKILL)
        self.drain()

    def stop(self) -> None:
        """Close the engine and end."""
        self.tell(do="quit")
        _end(self._process, None)
        self.drain()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        _end(self._process, signal.SIGKILL)


def _end(process: subprocess.Popen[str] | None, how: signal.Signals | None) -> None:
    if process is None:
        return
    if how is not None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(how)
    try:
        process.wait(START_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
