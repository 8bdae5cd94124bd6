"""A chat window on a real engine, driven by keys, with others at the same relay in memory."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from textual import events
from textual.pilot import Pilot

import e2ecore
from cli_demo.chat.app import ChatApp
from cli_demo.chat.composer import Composer
from cli_demo.chat.history import History
from cli_demo.chat.room import Room
from cli_demo.chat.window import Window
from cli_demo.views import UNICODE, MessageView, Symbols
from e2ecore.testing import devices
from tests.support.engines import PATIENCE_S, same


class Chat:
    """Alice's window."""

    def __init__(
        self,
        app: ChatApp,
        pilot: Pilot[None],
        alice: e2ecore.Engine,
        others: list[e2ecore.Engine],
    ) -> None:
        self.alice = alice
        self.app = app
        self.pilot = pilot
        self.others = others

    @property
    def window(self) -> Window:
        return self.app.window

    @property
    def room(self) -> Room:
        return self.app.window.room

    @property
    def history(self) -> History:
        return self.room.history

    @property
    def composer(self) -> Composer:
        return self.room.composer

    @property
    def messages(self) -> list[MessageView]:
        """What is loaded, without notices."""
        return [one for one in self.history.messages if not one.notice]

    @property
    def texts(self) -> list[str]:
        return [one.text for one in self.messages]

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def type(self, text: str) -> None:
        """Put a text where the cursor is."""
        self.app.post_message(events.Paste(text))
        await self.pilot.pause()

    async def write(self, text: str) -> None:
        """The same, and Enter."""
        await self.type(text)
        await self.press("enter")

    async def until(self, holds: Callable[[], bool], what: str = "it") -> None:
        """Wait until something is true."""
        with anyio.move_on_after(PATIENCE_S):
            while not holds():  # noqa: ASYNC110 (a screen has no event to wait for)
                await anyio.sleep(0.02)
            return
        raise AssertionError(f"{what} did not come; the screen:\n{self.screen}")

    async def shows(self, text: str) -> None:
        """Wait until a text is on the screen."""
        await self.until(lambda: text in self.screen, repr(text))

    async def hides(self, text: str) -> None:
        """Wait until a text is not on the screen any more."""
        await self.until(lambda: text not in self.screen, f"the end of {text!r}")

    @property
    def screen(self) -> str:
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip) for strip in strips)


@asynccontextmanager
async def window_on(
    engine: e2ecore.Engine,
    *others: e2ecore.Engine,
    size: tuple[int, int] = (80, 24),
    colours: bool = True,
    symbols: Symbols = UNICODE,
) -> AsyncIterator[Chat]:
    """Open the window on an engine; the first conversation, if there is one, is open in it."""
    app = ChatApp(engine, symbols, colours=colours)
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.pause()
        yield Chat(app, pilot, engine, list(others))


@asynccontextmanager
async def chat(
    folder: Path, *others: str, size: tuple[int, int] = (80, 24), colours: bool = True
) -> AsyncIterator[Chat]:
    """Open alice's window; nobody has said anything yet."""
    async with (
        devices(folder, "alice", *others) as (_, (alice, *engines)),
        window_on(alice, *engines, size=size, colours=colours) as one,
    ):
        yield one


@asynccontextmanager
async def talking(
    folder: Path, *, size: tuple[int, int] = (80, 24), symbols: Symbols = UNICODE
) -> AsyncIterator[tuple[Chat, e2ecore.Conversation]]:
    """Open alice's window on the direct conversation with bob; also bob's view of it."""
    async with devices(folder, "alice", "bob") as (_, (alice, bob)):
        conversation = await talk(bob, "alice")
        await arrived(alice, conversation)
        async with window_on(alice, bob, size=size, symbols=symbols) as one:
            yield one, conversation


async def talk(engine: e2ecore.Engine, to: str) -> e2ecore.Conversation:
    """Begin a conversation with somebody."""
    conversation = await engine.conversations.direct(await engine.contacts.find(to))
    with anyio.fail_after(PATIENCE_S):
        await conversation.ready()
    return conversation


async def arrived(engine: e2ecore.Engine, conversation: e2ecore.Conversation) -> None:
    """Wait until a conversation is at another engine, too."""
    await same(engine, conversation)
