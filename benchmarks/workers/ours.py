"""One device of ours, driven over JSON lines.

Uses what an app developer uses: `import e2ecore`, nothing below it. The one exception measures what
the passphrase costs on its own, to take it off the time of opening.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import anyio.abc

import e2ecore
from benchmarks import wire
from e2ecore.storage.keys import KeyFile

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from benchmarks.wire import JsonObject, JsonValue

PASSPHRASE: Final = "correct horse battery staple"  # noqa: S105 - of a throw-away database
"""Of every database."""

PORTION: Final = 64
"""Texts in one call where nobody waits for each: stored in one transaction."""

POLL_S: Final = 0.01
"""Between two looks for something that is not announced."""

CLOSE_TIMEOUT_S: Final = 10.0
"""Whatever still runs then is cancelled."""

MS_PER_NS: Final = 1e-6


class Device:
    """The verbs of the chat workloads."""

    _engine: e2ecore.Engine
    _chat: e2ecore.Conversation

    def __init__(self, tasks: anyio.abc.TaskGroup) -> None:
        self._tasks = tasks
        self._stored: list[tuple[int, int]] = []
        self._changed = anyio.Event()
        self._close = anyio.Event()
        self._closed = anyio.Event()

    async def open(self, request: JsonObject) -> JsonObject:
        """Open the database in `home` (new if there is none), register `name`, and be online."""
        self._file = Path(wire.text(request, "home")) / "device.db"
        await anyio.Path(self._file.parent).mkdir(parents=True, exist_ok=True)
        self._relay = wire.text(request, "relay")
        self._authority = Path(wire.text(request, "ca"))
        started = time.monotonic_ns()
        await self._start()
        if self._engine.account is None:
            await self._engine.register(wire.text(request, "name"))
            await self._engine.caught_up()
        self._open_ms = (self._opened_ns - started) * MS_PER_NS
        return {}

    async def _start(self) -> None:
        self._close, self._closed = anyio.Event(), anyio.Event()
        await self._tasks.start(self._keep)
        self._tasks.start_soon(self._listen, self._engine)

    async def _keep(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Hold the engine open until asked to close it: in one task from begin to end."""
        self._engine = await e2ecore.open(
            self._file, passphrase=PASSPHRASE, relay=self._relay, relay_ca=self._authority
        )
        self._opened_ns = time.monotonic_ns()
        async with self._engine:
            task_status.started()
            await self._close.wait()
        self._closed.set()

    async def _listen(self, engine: e2ecore.Engine) -> None:
        async for event in engine.events():
            if isinstance(event, e2ecore.MessageReceived):
                index = wire.message_index(event.message.text)
                if index is not None:
                    self._stored.append((index, time.monotonic_ns()))
                    self._changed.set()

    async def meet(self, request: JsonObject) -> JsonObject:
        contact = await self._engine.contacts.find(wire.text(request, "name"))
        self._chat = await self._engine.conversations.direct(contact)
        return {}

    async def create_group(self, request: JsonObject) -> JsonObject:
        others = wire.texts(request, "members")[1:]
        contacts = [await self._engine.contacts.find(name) for name in others]
        title = wire.text(request, "group")
        self._chat = await self._engine.conversations.create_group(title, contacts)
        return {}

    async def join(self, _request: JsonObject) -> JsonObject:
        """Wait until a conversation is there."""
        while not (found := await self._engine.conversations.list()):  # noqa: ASYNC110
            await anyio.sleep(POLL_S)
        self._chat = found[0]
        return {}

    async def expect(self, _request: JsonObject) -> JsonObject:
        self._stored.clear()
        return {}

    async def reached(self, request: JsonObject) -> JsonObject:
        """Wait until so many messages are stored; return when the last of them was."""
        count = wire.integer(request, "count")
        while len(self._stored) < count:
            self._changed = anyio.Event()
            await self._changed.wait()
        return {"reached_ns": self._stored[count - 1][1]}

    async def received(self, request: JsonObject) -> JsonObject:
        await self.reached(request)
        return {
            "indexes": [index for index, _ in self._stored],
            "stored_ns": [stored for _, stored in self._stored],
        }

    async def send(self, request: JsonObject) -> JsonObject:
        count, size = wire.integer(request, "count"), wire.integer(request, "size")
        first = wire.integer(request, "first", 0)
        texts = [wire.message_text(index, size) for index in range(first, first + count)]
        match wire.text(request, "mode"):
            case "pipelined":
                return await self._send_ahead(texts, count + PORTION)
            case "windowed":
                return await self._send_ahead(texts, wire.integer(request, "window"))
            case _:
                return await self._send_in_turn(texts, wire.integer(request, "pause_ms", 0))

    async def _send_in_turn(self, texts: list[str], pause_ms: int) -> JsonObject:
        sent: list[JsonValue] = []
        accepted: list[JsonValue] = []
        for text in texts:
            sent.append(time.monotonic_ns())
            message = await self._chat.send(text)
            await message.accepted()
            accepted.append(time.monotonic_ns())
            if pause_ms:
                await anyio.sleep(pause_ms / 1000)
        return {"sent_ns": sent, "accepted_ns": accepted}

    async def _send_ahead(self, texts: list[str], window: int) -> JsonObject:
        """Send with at most `window` messages that are not accepted yet, in portions."""
        started = time.monotonic_ns()
        waiting: deque[e2ecore.SentMessage] = deque()
        for begin in range(0, len(texts), PORTION):
            while len(waiting) > window - PORTION:
                await waiting.popleft().accepted()
            waiting.extend(await self._chat.send_many(texts[begin : begin + PORTION]))
        while waiting:
            await waiting.popleft().accepted()
        return {"sent_ns": [started], "accepted_ns": [time.monotonic_ns()]}

    async def look(self, request: JsonObject) -> JsonObject:
        """Do what an app does first: list the conversations, read the newest messages of one."""
        started = time.monotonic_ns()
        conversations = await self._engine.conversations.list()
        shown = 0
        if conversations:
            shown = len(await conversations[0].messages(limit=wire.integer(request, "limit")))
        look_ms = (time.monotonic_ns() - started) * MS_PER_NS
        return {"messages": shown, "open_ms": self._open_ms, "look_ms": look_ms}

    async def unlock(self, _request: JsonObject) -> JsonObject:
        """Do once more what opening does with the passphrase, and nothing else."""
        keys = KeyFile.load(self._file.with_name(self._file.name + ".keys"))
        started = time.monotonic_ns()
        await anyio.to_thread.run_sync(keys.unlock, PASSPHRASE)
        return {"unlock_ms": (time.monotonic_ns() - started) * MS_PER_NS}

    async def offline(self, _request: JsonObject) -> JsonObject:
        self._close.set()
        await self._closed.wait()
        return {}

    async def online(self, _request: JsonObject) -> JsonObject:
        await self._start()
        return {"started_ns": self._opened_ns}

    async def settle(self, _request: JsonObject) -> JsonObject:
        return {}

    def close(self) -> None:
        """Let the engine close, if it is open."""
        self._close.set()
        self._tasks.cancel_scope.deadline = anyio.current_time() + CLOSE_TIMEOUT_S


async def _answer(device: Device, request: JsonObject) -> None:
    answer: JsonObject = {"id": request["id"]}
    try:
        verb: Callable[[JsonObject], Awaitable[JsonObject]]
        verb = getattr(device, wire.text(request, "do"))
        answer["ok"] = await verb(request)
    except Exception as error:  # noqa: BLE001 - the parent decides what an error means
        traceback.print_exc()
        answer["error"] = f"{type(error).__name__}: {error}"
    sys.stdout.write(wire.encode_line(answer))
    sys.stdout.flush()


async def main() -> None:
    """Serve requests until standard input ends, then close the engine."""
    async with anyio.create_task_group() as tasks:
        device = Device(tasks)
        async for line in anyio.wrap_file(sys.stdin):
            tasks.start_soon(_answer, device, wire.decode_line(line))
        device.close()


if __name__ == "__main__":
    anyio.run(main, backend="trio")
