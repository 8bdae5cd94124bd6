"""The chat window, driven by keys, upon real engines that talk through a relay in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from textual.pilot import Pilot

import e2ecore
from cli_demo.chat.app import ChatApp
from cli_demo.chat.composer import Composer
from cli_demo.chat.history import History
from cli_demo.chat.room import Room
from cli_demo.chat.safety import Safety
from cli_demo.views import ASCII, UNICODE, Mark
from e2ecore.testing import devices

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def anyio_backend() -> str:
    """Textual runs on asyncio only."""
    return "asyncio"


class Desk:
    """A chat window on alice's engine, with others at the same relay."""

    def __init__(self, app: ChatApp, pilot: Pilot[None], others: list[e2ecore.Engine]) -> None:
        self.app = app
        self.pilot = pilot
        self.others = others

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def write(self, text: str) -> None:
        await self.pilot.press(*("space" if char == " " else char for char in text), "enter")

    async def shows(self, text: str) -> None:
        """Wait until a text is on the screen."""
        with anyio.move_on_after(20):
            while text not in self.screen:  # noqa: ASYNC110 (a screen has no event to wait for)
                await anyio.sleep(0.02)
            return
        raise AssertionError(f"{text!r} is not on this screen:\n{self.screen}")

    @property
    def screen(self) -> str:
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip) for strip in strips)

    @property
    def history(self) -> History:
        return self.app.query_one(History)


@asynccontextmanager
async def chat(
    folder: Path, *others: str, size: tuple[int, int] = (80, 24), colours: bool = True
) -> AsyncIterator[Desk]:
    async with devices(folder, "alice", *others) as (_, (alice, *engines)):
        app = ChatApp(alice, UNICODE, colours=colours)
        async with app.run_test(size=size, notifications=True) as pilot:
            await pilot.pause()
            yield Desk(app, pilot, engines)


async def talk(engine: e2ecore.Engine, to: str) -> e2ecore.Conversation:
    """A ready conversation of somebody else with alice."""
    conversation = await engine.conversations.direct(await engine.contacts.find(to))
    await conversation.ready()
    return conversation


async def test_an_empty_window_says_what_to_do(tmp_path: Path) -> None:
    async with chat(tmp_path) as desk:
        await desk.shows("No conversations yet.")
        await desk.shows("online")
        assert not desk.app.query_one(Composer).display


async def test_two_people_talk_and_marks_grow(tmp_path: Path) -> None:
    async with chat(tmp_path, "bob") as desk:
        await desk.press("ctrl+n")
        await desk.write("bob")
        await desk.shows("not verified")
        await desk.write("hello bob")
        await desk.shows("✓✓")
        bob = desk.others[0]
        (conversation,) = await bob.conversations.list()
        assert [one.text for one in await conversation.messages()] == ["hello bob"]
        await conversation.send("hello alice")
        await desk.shows("hello alice")
        marks = [one.mark for one in desk.history.messages if not one.notice]
        assert marks == [Mark.DELIVERED, Mark.RECEIVED]


async def test_what_is_read_on_the_screen_is_not_unread(tmp_path: Path) -> None:
    async with chat(tmp_path, "bob") as desk:
        conversation = await talk(desk.others[0], "alice")
        await conversation.send("one")
        await desk.shows("bob")
        await desk.shows(" 1 ")
        await desk.press("ctrl+down")
        await desk.shows("one")
        await conversation.send("two")
        await desk.shows("two")
        await desk.pilot.pause(0.2)
        assert " 1 " not in desk.screen


async def test_a_burst_arrives_complete_and_in_order(tmp_path: Path) -> None:
    async with chat(tmp_path, "bob") as desk:
        conversation = await talk(desk.others[0], "alice")
        await conversation.send("first")
        await desk.shows("first")
        await desk.press("ctrl+down")
        texts = [f"burst {number}" for number in range(500)]
        for start in range(0, 500, 50):
            await conversation.send_many(texts[start : start + 50])
        with anyio.fail_after(20):
            while desk.history.messages[-1].text != texts[-1]:  # noqa: ASYNC110 (as above)
                await anyio.sleep(0.02)
        shown = [one.text for one in desk.history.messages if not one.notice]
        assert shown == ["first", *texts]


async def test_older_messages_are_paged_in_without_gaps(tmp_path: Path) -> None:
    async with chat(tmp_path, "bob") as desk:
        conversation = await talk(desk.others[0], "alice")
        texts = [f"line {number:03}" for number in range(250)]
        await conversation.send_many(texts)
        await desk.shows("line 249")
        await desk.press("ctrl+down")
        await desk.pilot.pause(0.1)
        assert len(desk.history.messages) < 250
        with anyio.fail_after(20):
            while "line 000" not in desk.screen:
                await desk.press("pageup")
                await desk.pilot.pause(0.02)
        assert [one.text for one in desk.history.messages if not one.notice] == texts


async def test_the_safety_number_is_the_same_on_both_sides_and_can_be_marked(
    tmp_path: Path,
) -> None:
    async with chat(tmp_path, "bob") as desk:
        await desk.press("ctrl+n")
        await desk.write("bob")
        await desk.shows("not verified")
        await desk.press("ctrl+t")
        await desk.shows("Safety number with bob")
        assert isinstance(desk.app.screen, Safety)
        contact = await desk.others[0].contacts.find("alice")
        for group in contact.safety_number().grouped():
            assert group in desk.screen
        await desk.press("v")
        await desk.shows("✓ verified")


async def test_a_group_is_made_changed_and_left(tmp_path: Path) -> None:
    async with chat(tmp_path, "bob", "carol") as desk:
        await desk.press("ctrl+g")
        await desk.write("Trip")
        await desk.write("bob")
        await desk.shows("Trip • ")
        await desk.press("ctrl+o")
        await desk.shows("2 members")
        await desk.press("a")
        await desk.shows("Add to Trip")
        await desk.write("carol")
        await desk.shows("you added carol")
        await desk.press("ctrl+o")
        await desk.shows("3 members")
        await desk.press("r")
        await desk.shows("Remove bob from Trip?")
        await desk.press("y")
        await desk.shows("you removed bob")
        (removed,) = await desk.others[0].conversations.list()
        with anyio.fail_after(20):
            while removed.state is not e2ecore.ConversationState.REMOVED:
                await removed.refresh()
                await anyio.sleep(0.02)
        await desk.press("ctrl+o", "l")
        await desk.shows("Leave Trip?")
        await desk.press("y")
        await desk.shows("Read only: you left.")


async def test_an_unknown_handle_is_a_notice_and_nothing_breaks(tmp_path: Path) -> None:
    async with chat(tmp_path) as desk:
        await desk.press("ctrl+n")
        await desk.write("nobody")
        await desk.shows("Nobody at this relay")
        await desk.press("f1")
        await desk.shows("Behind your messages")
        await desk.press("escape", "ctrl+q")


async def test_hostile_text_cannot_steer_the_terminal(tmp_path: Path) -> None:
    async with chat(tmp_path, "bob") as desk:
        conversation = await talk(desk.others[0], "alice")
        await conversation.send("\x1b[2J\x1b]0;owned\x07[bold]not markup[/bold] \u202egnp.exe")
        await desk.shows("bob")
        await desk.press("ctrl+down")
        await desk.shows("[bold]not markup[/bold]")
        assert "\x1b" not in desk.screen
        assert "\u202e" not in desk.screen


@pytest.mark.parametrize(
    ("size", "colours"), [((40, 12), True), ((80, 24), False), ((120, 40), True)]
)
async def test_every_size_works_with_and_without_colour(
    tmp_path: Path, size: tuple[int, int], *, colours: bool
) -> None:
    async with chat(tmp_path, "bob", size=size, colours=colours) as desk:
        conversation = await talk(desk.others[0], "alice")
        await conversation.send("hello " * 40)
        await desk.pilot.pause(0.3)
        await desk.press("ctrl+down")
        await desk.shows("hello")
        for key in ("f1", "ctrl+t", "ctrl+o", "ctrl+n", "ctrl+g"):
            await desk.press(key)
            await desk.pilot.pause(0.1)
            await desk.press("escape")
        await desk.press("ctrl+l")
        await desk.shows("bob")
        assert desk.app.query_one(Room).uid


async def test_ascii_terminals_get_ascii_signs(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (_, (alice, bob)):
        conversation = await talk(alice, "bob")
        await conversation.send("hello")
        app = ChatApp(alice, ASCII, colours=False)
        async with app.run_test(size=(80, 24)) as pilot:
            desk = Desk(app, pilot, [bob])
            await desk.shows("++")
            assert "✓" not in desk.screen
