"""One device of the story: a child process that is told what to do through a pipe."""

import math
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import anyio
from anyio.abc import ByteReceiveStream, Process
from anyio.streams.buffered import BufferedByteReceiveStream

from cli_demo.demo.values import Values

_MAX_LINE: Final = 16 << 20
_PATIENCE_S: Final = 60.0
"""Far above anything the story takes, so that a device that hangs ends the story with a reason."""


class DeviceError(Exception):
    """A device refused, failed or ended. The text says which and why."""


class Puppet:
    """A device process, its answers and its events. Owned by the task group that reads from it."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory
        self.events: list[Values] = []
        """All that the present process reported by itself, oldest first."""
        self._process: Process | None = None
        self._answers: dict[int, Values] = {}
        self._last_id = 0
        self._ended = False
        self._changed = anyio.Condition()

    @property
    def db(self) -> Path:
        """The device's database file."""
        return self.directory / f"{self.name}.db"

    @property
    def log(self) -> Path:
        """What the process wrote to its standard error."""
        return self.directory / f"{self.name}.log"

    @property
    def pid(self) -> int:
        """Of the present process."""
        return self._alive().pid

    async def start(self) -> None:
        """Start the process. ``listen`` must run beside it."""
        self.events = []
        self._answers = {}
        self._ended = False
        with self.log.open("ab") as log:
            self._process = await anyio.open_process(
                [sys.executable, "-m", "cli_demo.demo.device"],
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    async def listen(self) -> None:
        """Read lines until the process ends."""
        stream = self._alive().stdout
        assert stream is not None  # noqa: S101 (open_process made a pipe)
        await self._read(stream)
        async with self._changed:
            self._ended = True
            self._changed.notify_all()

    async def _read(self, stream: ByteReceiveStream) -> None:
        buffered = BufferedByteReceiveStream(stream)
        try:
            while True:
                line = Values.decode(await buffered.receive_until(b"\n", _MAX_LINE))
                async with self._changed:
                    if "id" in line.fields:
                        self._answers[line.number("id")] = line
                    else:
                        self.events.append(line)
                    self._changed.notify_all()
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.ClosedResourceError):
            return

    async def ask(self, do: str, **arguments: object) -> Values:
        """Have one thing done and wait for the answer.

        Raises:
            DeviceError: The device refused, or ended before it answered.
        """
        self._last_id += 1
        number = self._last_id
        await self.tell({"id": number, "do": do, **arguments})
        await self._until(lambda: number in self._answers, f"{do} was not answered")
        answer = self._answers.pop(number)
        if not answer.flag("ok"):
            raise DeviceError(f"{self.name} could not {do}: {answer.text('error')}")
        return answer

    async def tell(self, fields: Mapping[str, object]) -> None:
        """Send a line without waiting."""
        stream = self._alive().stdin
        assert stream is not None  # noqa: S101 (open_process made a pipe)
        try:
            await stream.send(Values(fields).encode())
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise DeviceError(f"{self.name}'s process has ended, see {self.log}") from None

    async def event(self, wanted: Callable[[Values], bool], what: str) -> Values:
        """Wait for the first event, from the start of the process on, that is wanted."""
        found: list[Values] = []

        def seen() -> bool:
            found.extend(one for one in self.events if wanted(one))
            return bool(found)

        await self._until(seen, what)
        return found[0]

    async def _until(self, done: Callable[[], bool], what: str) -> None:
        with anyio.move_on_after(_PATIENCE_S):
            async with self._changed:
                while not done():
                    if self._ended:
                        raise DeviceError(f"{self.name}: {what}: the process ended, see {self.log}")
                    await self._changed.wait()
            return
        raise DeviceError(f"{self.name}: {what} within {math.floor(_PATIENCE_S)} s")

    async def quit(self) -> None:
        """Let the process end in good order."""
        await self.tell({"id": 0, "do": "quit"})
        await self._alive().wait()
        await self._silence()

    async def kill(self) -> int:
        """SIGKILL: no handler, no goodbye. Returns the exit status."""
        process = self._alive()
        process.send_signal(signal.SIGKILL)
        status = await process.wait()
        await self._silence()
        return status

    async def _silence(self) -> None:
        """Wait until the last line of an ended process is read."""
        async with self._changed:
            while not self._ended:
                await self._changed.wait()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            with anyio.CancelScope(shield=True):
                await self._process.wait()

    def _alive(self) -> Process:
        if self._process is None:
            raise DeviceError(f"{self.name} was not started")
        return self._process
