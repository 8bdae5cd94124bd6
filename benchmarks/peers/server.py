"""Start foreign servers, wait for their port, stop them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Final

from benchmarks import usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

START_TIMEOUT_S: Final = 60.0
"""ejabberd needs about ten seconds on a busy machine."""

STOP_TIMEOUT_S: Final = 15.0
"""After SIGTERM; then SIGKILL."""


class ServerError(Exception):
    """A server did not start or ended early."""


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        return int(port)


class Server:
    """One server process (with its children) that listens on a port of 127.0.0.1."""

    def __init__(
        self, name: str, command: Sequence[str], log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(env or {})},
                cwd=log.parent,
                start_new_session=True,
            )

    def wait_for_port(self, port: int) -> None:
        """Return as soon as the port accepts connections.

        Raises:
            ServerError: It ended, or did not listen in time.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ServerError(f"{self.name} ended: {self._last_words()}")
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", port), timeout=1),
            ):
                return
            time.sleep(0.05)
        raise ServerError(f"{self.name} does not listen on port {port} (see {self._log})")

    def _last_words(self) -> str:
        """Return the last line that it wrote: its directory may be gone when this is read."""
        lines = self._log.read_text(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return said[-1] if said else f"status {self._process.returncode}"

    @property
    def pids(self) -> list[int]:
        """The process and all its descendants."""
        return usage.children(self._process.pid)

    def stop(self) -> None:
        """End the whole process group of this server."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_TIMEOUT_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
