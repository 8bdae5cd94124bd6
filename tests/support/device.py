"""One device as a process of its own: requests come in as JSON, lines go out as JSON.

Requests: {"do": NAME, ...}. Lines: {"kind": "open" | "answer" | "event" | "sent", ...}.
Every frame that the device sends and receives is recorded beside its database.
"""

import io
import json
import os
import random  # noqa: TID251 - the same deeds each time
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import anyio.from_thread
import anyio.to_thread
import trio  # noqa: F401 - loaded before the process is forked, not after

import e2ecore
from e2ecore.testing import open_device
from e2ecore.transport.dialing import dial
from e2ecore.transport.login import FrameChannel
from e2ecore_relay import __main__ as relay_main
from tests.support.recording import recorded, to_file

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

Request = Mapping[str, str]

VERBS: Final = (
    "register", "direct", "send", "count", "renew", "texts", "newest", "reconnect", "send_file",
    "uploads", "files", "download", "polls", "view",
)  # fmt: skip
ENDLESS: Final = ("flood", "hold_polls", "vote_on_polls", "live")
"""Verbs that go on until the device ends."""
FLOOD_PAUSE_S: Final = 0.002
"""Between two messages: fast enough for every kill to meet some, slow enough for long runs."""
_PAGE: Final = 1000
_HALF: Final = 0.5
_COMMON: Final = (
    e2ecore.MessageReceived,
    e2ecore.MessageAccepted,
    e2ecore.Delivered,
    e2ecore.ConnectionChanged,
)
"""Events that are not reported."""


class Device:
    """The verbs that a test may ask for."""

    def __init__(self, engine: e2ecore.Engine, lines: "Connection[bytes, bytes]") -> None:
        self._engine = engine
        self._lines = lines

    def say(self, **line: object) -> None:
        """Write one line."""
        self._lines.send_bytes(json.dumps(line).encode())

    async def register(self, request: Request) -> object:
        """Register, unless that was done before a crash."""
        if self._engine.account is None:
            await self._engine.register(request["handle"])
        return None

    async def direct(self, request: Request) -> object:
        """Open the conversation with one person; answer its id."""
        contact = await self._engine.contacts.find(request["handle"])
        chat = await self._engine.conversations.direct(contact)
        await chat.ready()
        return chat.conversation_id.hex()

    async def _conversation(self, request: Request) -> e2ecore.Conversation:
        uid = e2ecore.GroupId(bytes.fromhex(request["conversation"]))
        return await self._engine.conversations.get(uid)

    async def send(self, request: Request) -> object:
        """Send one text and wait until the relay has it."""
        sent = await (await self._conversation(request)).send(request["text"])
        await sent.accepted()
        return None

    async def count(self, request: Request) -> object:
        """Send the numbers below a limit as texts; wait until the relay has them."""
        texts = [str(number) for number in range(int(request["limit"]))]
        for sent in await (await self._conversation(request)).send_many(texts):
            await sent.accepted()
        return None

    async def flood(self, request: Request) -> object:
        """Send numbered texts for ever, from the first one that is not stored; say each number."""
        conversation = await self._conversation(request)
        newest = await conversation.messages(limit=1)
        number = int(newest[-1].text) + 1 if newest else 0
        while True:
            await conversation.send(str(number))
            self.say(kind="sent", number=number)
            number += 1
            await anyio.sleep(FLOOD_PAUSE_S)

    async def hold_polls(self, request: Request) -> object:
        """Ask, vote and close for ever, going on with what is open; say what each call promised."""
        conversation = await self._conversation(request)
        while True:
            messages = await conversation.messages(limit=_PAGE)
            for one in messages:
                poll = await conversation.poll(one)
                number = int(poll.poll.question)
                if poll.closed_by is not None:
                    continue
                with suppress(e2ecore.PollClosedError):
                    await conversation.vote(one, [number % 3])
                    self.say(kind="sent", voted=number)
                    await anyio.sleep(FLOOD_PAUSE_S)
                    await conversation.close_poll(one)
                    self.say(kind="sent", closed=number)
            await conversation.ask(str(len(messages)), ["a", "b", "c"])
            self.say(kind="sent", asked=len(messages))

    async def vote_on_polls(self, request: Request) -> object:
        """Vote for ever on whatever is open."""
        conversation = await self._conversation(request)
        while True:
            for one in await conversation.messages(limit=_PAGE):
                with suppress(e2ecore.PollClosedError):
                    poll = await conversation.poll(one)
                    if poll.own_choices is None:
                        await conversation.vote(one, [(int(poll.poll.question) + 1) % 3])
            await anyio.sleep(FLOOD_PAUSE_S)

    async def polls(self, request: Request) -> object:
        """Answer of each poll what it asks, whether it is closed, and who voted for what."""
        conversation = await self._conversation(request)
        found = []
        for one in await conversation.messages(limit=_PAGE):
            poll = await conversation.poll(one)
            ballots = sorted((b.account_id.hex(), b.state.name, b.choices) for b in poll.ballots)
            found.append((poll.poll.question, poll.closed_by is not None, ballots))
        return found

    async def live(self, request: Request) -> object:
        """Read, draft, block, name, mute and erase for ever; say what each call has promised."""
        dice = random.Random(request["seed"])
        conversation = await self._conversation(request)
        contact = await self._engine.contacts.find(request["handle"])
        while True:
            shown = [one for one in await conversation.messages(limit=_PAGE) if one.text]
            match dice.randrange(6):
                case 0 if shown:
                    await conversation.mark_read()
                    self.say(kind="sent", read=shown[-1].text)
                case 1:
                    await conversation.set_draft(dice.choice(("", f"begun {dice.random()}")))
                case 2:
                    await (contact.block() if dice.random() < _HALF else contact.unblock())
                case 3:
                    await contact.set_name(dice.choice(("", "Caroline", "C.")))
                case 4:
                    await conversation.mute(dice.randrange(1, 10**12))
                case 5 if len(shown) > 1:
                    chosen = dice.choice(shown)
                    await conversation.delete_messages([chosen])
                    self.say(kind="sent", erased=chosen.text)
            await anyio.sleep(FLOOD_PAUSE_S)

    async def view(self, request: Request) -> object:
        """Answer what the user sees of a conversation and of somebody, and unread last."""
        conversation = await self._conversation(request)
        contact = await self._engine.contacts.find(request["handle"])
        texts = [one.text for one in await conversation.messages(limit=_PAGE) if one.text]
        drafts = [conversation.draft, *await conversation.other_drafts()]
        return (
            *(texts, [one.text for one in drafts if one is not None]),
            *(conversation.muted_until_ms, contact.blocked_ms is not None, contact.name),
            conversation.unread,
        )

    async def renew(self, request: Request) -> object:
        """Begin a new epoch."""
        change = await (await self._conversation(request)).renew_keys()
        await change.applied()
        return None

    async def texts(self, request: Request) -> object:
        """Answer every text of a conversation, oldest first."""
        conversation = await self._conversation(request)
        texts: list[str] = []
        before = None
        while page := await conversation.messages(before=before, limit=_PAGE):
            texts[:0] = [message.text for message in page]
            before = page[0].order
        return texts

    async def newest(self, request: Request) -> object:
        """Answer the newest text of a conversation."""
        page = await (await self._conversation(request)).messages(limit=1)
        return page[-1].text if page else ""

    async def send_file(self, request: Request) -> object:
        """Send a file; see ``_progress``. Answer once it is on its way."""
        conversation = await self._conversation(request)
        await conversation.send_file(request["path"], on_progress=self._progress(request))
        return None

    async def uploads(self, request: Request) -> object:
        """Answer how many uploads are under way."""
        return len(await (await self._conversation(request)).uploads())

    async def files(self, request: Request) -> object:
        """Answer order, name and state of every file that was received or sent."""
        messages = await (await self._conversation(request)).messages(limit=_PAGE)
        return [(one.order, it.name, it.is_stored) for one in messages for it in one.attachments]

    async def download(self, request: Request) -> object:
        """Fetch the file of one message into a folder; see ``_progress``."""
        conversation = await self._conversation(request)
        (message,) = await conversation.messages_at([int(request["order"])])
        told = self._progress(request)
        return str(await message.attachment.download(request["to"], on_progress=told))

    def _progress(self, request: Request) -> Callable[[int, int], None]:
        """Say how far it is, each time; stand still from so many bytes on until a file is there."""

        def told(done: int, total: int) -> None:
            self.say(kind="progress", done=done, total=total)
            if done >= int(request["stop"]) and request["go"]:
                self.say(kind="stopped", done=done)
                while not Path(request["go"]).exists():
                    time.sleep(0.005)

        return told

    async def reconnect(self, _request: Request) -> object:
        """Do not wait for the end of the pause."""
        await self._engine.reconnect()
        return None


async def watch(engine: e2ecore.Engine, device: Device) -> None:
    """Report each event by name and text."""
    async for event in engine.events():
        if not isinstance(event, _COMMON):
            device.say(kind="event", event=type(event).__name__, text=repr(event))


async def serve(engine: e2ecore.Engine, lines: "Connection[bytes, bytes]") -> None:
    """Obey lines until "quit"."""
    device = Device(engine, lines)
    verbs: dict[str, Callable[[Request], Awaitable[object]]] = {
        name: getattr(device, name) for name in VERBS
    }

    async def answer(request: Request) -> None:
        do = request["do"]
        try:
            device.say(kind="answer", do=do, result=await verbs[do](request))
        except e2ecore.E2EError as error:
            device.say(kind="answer", do=do, error=type(error).__name__, text=str(error))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch, engine, device)
        device.say(kind="open")
        while True:
            data = await anyio.to_thread.run_sync(lines.recv_bytes, abandon_on_cancel=True)
            request: Request = json.loads(data)
            if request["do"] == "quit":
                break
            if request["do"] in ENDLESS:
                tasks.start_soon(getattr(device, request["do"]), request)
            else:
                await answer(request)
        tasks.cancel_scope.cancel()


async def main(database: Path, relay: str, ca: str, lines: "Connection[bytes, bytes]") -> None:
    """Open the engine and serve."""

    async def dial_relay() -> FrameChannel:
        return await dial(relay, ca_file=ca)

    sent = to_file(database.with_suffix(f".{os.getpid()}.sent"))
    received = to_file(database.with_suffix(f".{os.getpid()}.received"))
    opened = await open_device(database, recorded(dial_relay, sent, received))
    async with opened as engine:
        await serve(engine, lines)


def run(database: str, relay: str, ca: str, log: str, lines: "Connection[bytes, bytes]") -> None:
    """Be a device: the target of a process."""
    errors_to(log)
    anyio.run(main, Path(database), relay, ca, lines, backend="trio")


def run_relay(options: list[str], log: str, lines: "Connection[bytes, bytes]") -> None:
    """Be a relay: the target of a process. Its standard output goes to ``lines``."""
    errors_to(log)

    class Output(io.StringIO):
        def flush(self) -> None:
            lines.send_bytes(self.getvalue().encode())

    sys.stdout = Output()
    sys.argv[1:] = options
    sys.exit(relay_main.main())


def errors_to(log: str) -> None:
    """Append everything that this process says of errors to a file."""
    with Path(log).open("a") as file:
        os.dup2(file.fileno(), 2)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
