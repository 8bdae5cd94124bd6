"""One device as a process of its own: requests in and lines out as JSON, public API only.

    python -m tests.support.device DATABASE RELAY_URL CA_FILE

Requests: {"do": NAME, ...}. Lines: {"kind": "open" | "answer" | "event" | "sent", ...}.
"""

import json
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import anyio
import anyio.from_thread
import anyio.to_thread

import e2ecore

PASSPHRASE: Final = "correct horse battery staple"

Request = Mapping[str, str]


def say(**line: object) -> None:
    """Write one line, at once and whole."""
    os.write(1, (json.dumps(line) + "\n").encode())


class Device:
    """The verbs that a test may ask for."""

    def __init__(self, engine: e2ecore.Engine) -> None:
        self._engine = engine

    async def register(self, request: Request) -> object:
        """Register, unless that was done before a crash."""
        if self._engine.account is None:
            await self._engine.register(request["handle"])
        return None

    async def direct(self, request: Request) -> object:
        """Open the conversation with one person; answer its id."""
        contact = await self._engine.contacts.find(request["handle"])
        return (await self._engine.conversations.direct(contact)).id.hex()

    async def group(self, request: Request) -> object:
        """Create a group; answer its id."""
        members = [await self._engine.contacts.find(name) for name in request["members"].split()]
        return (await self._engine.conversations.create_group(request["title"], members)).id.hex()

    async def _conversation(self, request: Request) -> e2ecore.Conversation:
        return await self._engine.conversations.get(bytes.fromhex(request["conversation"]))

    async def remove(self, request: Request) -> object:
        """Remove one person from a group."""
        conversation = await self._conversation(request)
        await conversation.remove(await self._engine.contacts.find(request["handle"]))
        return None

    async def send(self, request: Request) -> object:
        """Send one text and wait until the relay has it."""
        sent = await (await self._conversation(request)).send(request["text"])
        await sent.accepted()
        return None

    async def flood(self, request: Request) -> object:
        """Send numbered texts for ever; say each number once it is durable."""
        conversation = await self._conversation(request)
        number = int(request["first"])
        while number < int(request["end"]):
            await conversation.send(str(number))
            say(kind="sent", number=number)
            number += 1
        return None

    async def texts(self, request: Request) -> object:
        """Answer every text of a conversation, oldest first."""
        conversation = await self._conversation(request)
        texts: list[str] = []
        before = None
        while True:
            page = await conversation.messages(before=before, limit=500)
            texts[:0] = [message.text for message in page.messages]
            if page.before is None:
                return texts
            before = page.before

    async def caught_up(self, _request: Request) -> object:
        """Wait until everything at the relay was read."""
        await self._engine.caught_up()
        return None


async def watch(engine: e2ecore.Engine) -> None:
    """Report each event by name and text."""
    async for event in engine.events():
        say(kind="event", event=type(event).__name__, text=repr(event))


async def serve(engine: e2ecore.Engine) -> None:
    """Obey lines until "quit" or the end of input."""
    device = Device(engine)
    verbs: dict[str, Callable[[Request], Awaitable[object]]] = {
        name: getattr(device, name)
        for name in ("register", "direct", "group", "remove", "send", "texts", "caught_up")
    }

    async def answer(request: Request) -> None:
        try:
            say(kind="answer", result=await verbs[request["do"]](request))
        except e2ecore.E2EError as error:
            say(kind="answer", error=type(error).__name__, text=str(error))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch, engine)
        while line := await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
            request: Request = json.loads(line)
            if request["do"] == "quit":
                break
            if request["do"] == "flood":
                tasks.start_soon(device.flood, request)
            else:
                await answer(request)
        tasks.cancel_scope.cancel()


async def main(database: str, relay: str, ca: str) -> None:
    """Open the engine and serve."""
    async with await e2ecore.open(
        database, passphrase=PASSPHRASE, relay=relay, relay_ca=ca
    ) as engine:
        say(kind="open")
        await serve(engine)


if __name__ == "__main__":
    threading.current_thread().name = "device"
    anyio.run(main, *sys.argv[1:4], backend="trio")
