"""Real processes for tests: the relay, and a device that obeys JSON lines."""

import contextlib
import json
import multiprocessing
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.support import device
from tests.support.recording import from_file

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

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


class ForkedRelay(RelayProcess):
    """A relay that starts fast, because its process is forked with everything imported."""

    _forked: "ForkServerProcess | None" = None

    def start(self) -> Self:
        """Start it, and wait until it says that it is ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        port = self.url.rsplit(":", 1)[-1] if self.url else "0"
        http = self.http.rsplit(":", 1)[-1] if self.http else "0"
        options = ["--data", str(self.folder / "data"), "--port", port, "--http-port", http]
        context = fork_server()
        ours, theirs = context.Pipe(duplex=False)
        arguments = (options, str(self.folder / "relay.log"), theirs)
        self._forked = context.Process(target=device.run_relay, args=arguments, daemon=True)
        self._forked.start()
        theirs.close()
        try:
            _, self.url, self.http, ca = ours.recv_bytes().decode().split(maxsplit=3)
        except EOFError as error:
            raise ProcessEndedError((self.folder / "relay.log").read_text()[-2000:]) from error
        finally:
            ours.close()
        self.ca = ca.strip().removeprefix("ca=")
        return self

    def kill(self) -> None:
        """SIGKILL."""
        assert self._forked is not None
        self._forked.kill()
        self._forked.join(START_TIMEOUT_S)

    def stop(self) -> None:
        """Ask it to drain and end."""
        assert self._forked is not None
        self._forked.terminate()
        self._forked.join(START_TIMEOUT_S)


def fork_server() -> ForkServerContext:
    """Return what starts processes in a moment."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["__main__", "tests.support.device", "tests.support.storage_children"]
    )
    return context


class DeviceProcess:
    """One device: ``tests/support/device.py`` in a process of its own.

    It is forked from a server that has everything imported, so that a test which kills hundreds of
    them spends its time on what it tests.
    """

    def __init__(self, database: Path, relay: RelayProcess) -> None:
        self.database = database
        self._relay = relay
        self._process: ForkServerProcess | None = None
        self._connection: Connection[bytes, bytes] | None = None
        self._lines: queue.Queue[Line | None] = queue.Queue()
        self.events: list[Line] = []

    def start(self) -> Self:
        """Start it, and wait until the engine is open."""
        context = fork_server()
        ours, theirs = context.Pipe()
        log = self.database.with_suffix(".log")
        arguments = (str(self.database), self._relay.url, self._relay.ca, str(log), theirs)
        self._process = context.Process(target=device.run, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        self._connection = ours
        self._lines = queue.Queue()
        threading.Thread(target=self._read, args=(ours, self._lines), daemon=True).start()
        self.wait_for("open")
        return self

    @staticmethod
    def _read(connection: "Connection[bytes, bytes]", lines: "queue.Queue[Line | None]") -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                lines.put(json.loads(connection.recv_bytes()))
        lines.put(None)

    def wait_for(self, kind: str) -> Line:
        """Return the next line of this kind; other lines are kept in ``events``."""
        while True:
            line = self._lines.get(timeout=ANSWER_TIMEOUT_S)
            if line is None:
                log = self.database.with_suffix(".log").read_text()[-3000:]
                raise ProcessEndedError(f"while waiting for {kind}: {log}")
            if line["kind"] == kind:
                return line
            self.events.append(line)

    def tell(self, **request: object) -> None:
        """Send one request and do not wait."""
        assert self._connection is not None
        with contextlib.suppress(BrokenPipeError):
            self._connection.send_bytes(json.dumps(request).encode())

    def ask(self, do: str, **request: object) -> Line:
        """Send one request and return its answer; one to what was only told is passed over."""
        self.tell(do=do, **request)
        while (answer := self.wait_for("answer"))["do"] != do:
            continue
        assert "error" not in answer, answer
        return answer

    def kill(self) -> None:
        """SIGKILL. What it had said before is kept."""
        assert self._process is not None
        self._process.kill()
        self._over()

    def stop(self) -> None:
        """Close the engine and end."""
        self.tell(do="quit")
        self._over()

    def _over(self) -> None:
        assert self._process is not None
        assert self._connection is not None
        self._process.join(START_TIMEOUT_S)
        while (line := self._lines.get(timeout=ANSWER_TIMEOUT_S)) is not None:
            self.events.append(line)
        self._connection.close()
        self._process.close()

    def sent_frames(self) -> Iterator[bytes]:
        """Return every frame that any of its lives has sent."""
        for path in sorted(self.database.parent.glob(f"{self.database.stem}.*.sent")):
            yield from from_file(path)


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
