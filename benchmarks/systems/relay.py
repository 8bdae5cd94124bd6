"""Our relay as a process: TLS, durable storage (SQLite `synchronous=FULL`), rate limits out of the
way.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Final

from benchmarks import usage
from benchmarks.worker import PATHS, ROOT, STOP_TIMEOUT_S, WorkerError

START_TIMEOUT_S: Final = 60.0
"""The first start makes a certificate authority; on a busy machine that takes seconds."""

READY: Final = "ready"
"""First word of the line that the relay prints for scripts."""

LIMITS: Final = (
    "connections_per_address",
    "registrations_per_address",
    "envelopes_per_device",
    "envelopes_per_account",
    "requests_per_account",
    "key_packages_per_account",
)
"""Rates that would throttle a benchmark from one address; everything else is as it comes."""

UNLIMITED: Final = "{ burst = 100000000, per_second = 100000000 }"


class RelayProcess:
    """One relay on free ports of 127.0.0.1."""

    def __init__(self, home: Path, *options: str, limited: bool = False) -> None:
        """Start it and wait until it is ready; ``limited`` by the rates that it has by default.

        ``options`` are further lines of its configuration.
        """
        home.mkdir(parents=True, exist_ok=True)
        config = home / "relay.toml"
        lines = [] if limited else [f"{name} = {UNLIMITED}" for name in LIMITS]
        config.write_text(
            "\n".join(["port = 0", "http_port = 0", 'log_level = "warning"', *lines, *options])
            + "\n"
        )
        command = [
            sys.executable,
            "-m",
            "e2ecore_relay",
            "--config",
            str(config),
            "--data",
            str(home / "data"),
        ]
        self._log = home / "relay.log"
        with self._log.open("ab") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": PATHS},
            )
        words = self._ready_line().split()
        self.url = words[1]
        self.http_url = words[2]
        self.authority = Path(words[3].removeprefix("ca="))

    @property
    def pids(self) -> list[int]:
        """The process and its children."""
        return usage.children(self._process.pid)

    def stop(self) -> None:
        """End it as an operator would: SIGTERM, then wait."""
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output().close()

    def _ready_line(self) -> str:
        deadline = time.monotonic() + START_TIMEOUT_S
        with selectors.DefaultSelector() as selector:
            selector.register(self._output(), selectors.EVENT_READ)
            while selector.select(max(0.0, deadline - time.monotonic())):
                line = self._output().readline().decode()
                if line.startswith(f"{READY} "):
                    return line
                if not line:
                    break
        self._process.kill()
        raise WorkerError(f"the relay did not start (see {self._log})")

    def _output(self) -> IO[bytes]:
        if self._process.stdout is None:
            raise WorkerError("the relay has no standard output")
        return self._process.stdout
