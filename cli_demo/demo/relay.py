"""The relay of the story: a real process with its own data directory, certificate and log."""

import os
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from cli_demo.demo.metrics import Metrics, read_metrics

_READY: Final = b"ready "
_PATIENCE_S: Final = 30.0


class RelayError(Exception):
    """The relay did not start. The text says where its log is."""


@dataclass(frozen=True, slots=True)
class Address:
    """What the relay's ready line says."""

    url: str
    http: str
    ca: Path


def parse_ready(line: str) -> Address:
    """Read ``ready wss://HOST:PORT http://HOST:PORT ca=FILE``."""
    words = line.strip().split(maxsplit=3)
    if len(words) < 4 or words[0] != "ready" or not words[3].startswith("ca="):  # noqa: PLR2004
        raise RelayError(f"not a ready line: {line!r}")
    return Address(words[1], words[2], Path(words[3].removeprefix("ca=")))


class RelayProcess:
    """Started on entering, stopped (SIGTERM, then the hard way) on leaving."""

    def __init__(self, directory: Path) -> None:
        self.data = directory / "relay"
        self.log = directory / "relay.log"
        self._stack = AsyncExitStack()
        self._process: Process | None = None
        self._address: Address | None = None

    @property
    def address(self) -> Address:
        """Where it listens."""
        if self._address is None:
            raise RelayError("the relay was not started")
        return self._address

    @property
    def pid(self) -> int:
        """The process id."""
        if self._process is None:
            raise RelayError("the relay was not started")
        return self._process.pid

    async def metrics(self) -> Metrics:
        """The relay's own counters, at this moment."""
        return await anyio.to_thread.run_sync(read_metrics, self.address.http)

    async def __aenter__(self) -> Self:
        with self.log.open("ab") as log:
            self._process = await anyio.open_process(
                [
                    *(sys.executable, "-m", "e2ecore_relay"),
                    *("--data", str(self.data), "--port", "0", "--http-port", "0"),
                ],
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        try:
            self._address = await self._ready(self._process)
        except BaseException:
            self._process.kill()
            raise
        return self

    async def _ready(self, process: Process) -> Address:
        assert process.stdout is not None  # noqa: S101 (open_process made a pipe)
        lines = BufferedByteReceiveStream(process.stdout)
        try:
            with anyio.fail_after(_PATIENCE_S):
                while True:
                    line = await lines.receive_until(b"\n", 65_536)
                    if line.startswith(_READY):
                        return parse_ready(line.decode())
        except (TimeoutError, anyio.EndOfStream, anyio.IncompleteRead):
            raise RelayError(f"the relay did not start, see {self.log}") from None

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with anyio.CancelScope(shield=True):
            process.terminate()
            with anyio.move_on_after(5):
                await process.wait()
                return
            process.kill()
            await process.wait()
