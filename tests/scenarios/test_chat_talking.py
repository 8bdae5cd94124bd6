"""The chat window, driven by keys, upon real engines that talk through a relay in memory."""

from pathlib import Path

import anyio
import pytest

import e2ecore
from cli_demo.chat.safety import Safety
from cli_demo.views import ASCII, Mark
from e2ecore.testing import devices
from tests.support.chat_window import chat, talk, talking, window_on
from tests.support.engines import PATIENCE_S

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def anyio_backend() -> str:
    """Textual runs on asyncio only."""
    return "asyncio"


async def test_an_empty_window_says_what_to_do(tmp_path: Path) -> None:
    async with chat(tmp_path) as desk:
        await desk.shows("No conversations yet.")
        await desk.shows("online")
        assert not desk.composer.display


async def test_two_people_talk_and_marks_grow(tmp_path: Path) -> None:
    async with chat(tmp_path, "bob") as desk:
        await desk.press("ctrl+n")
        await desk.shows("New conversation")
        await desk.write("bob")
        await desk.shows("not verified")
        await desk.write("hello bob")
        await desk.shows("✓✓")
        bob = desk.others[0]
        (conversation,) = await bob.conversations.list()
        assert [one.text for one in await conversation.messages()] == ["hello bob"]
        await conversation.send("hello alice")
        await desk.shows("hello alice")
        assert [one.mark for one in desk.messages] == [Mark.DELIVERED, Mark.RECEIVED]


async def test_what_is_read_on_the_screen_is_not_unread(tmp_path: Path) -> None:
    async with chat(tmp_path, "bob") as desk:
        conversation = await talk(desk.others[0], "alice")
        await conversation.send("one")
        await desk.shows(" 1 ")
        await desk.press("ctrl+down")
        await desk.hides(" 1 ")
        await desk.shows("one")
        await conversation.send("two")
        await desk.shows("two")
        await desk.pilot.pause(0.2)
        assert " 1 " not in desk.screen


async def test_the_safety_number_is_the_same_on_both_sides_and_can_be_marked(
    tmp_path: Path,
) -> None:
    async with talking(tmp_path) as (desk, _):
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
        await desk.shows("New group")
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
        with anyio.fail_after(PATIENCE_S):
            while removed.state is not e2ecore.ConversationState.REMOVED:
                await removed.refresh()
                await anyio.sleep(0.02)
        await desk.press("ctrl+o")
        await desk.shows("2 members")
        await desk.press("l")
        await desk.shows("Leave Trip?")
        await desk.press("y")
        await desk.shows("Read only: you left.")


async def test_an_unknown_handle_is_a_notice_and_nothing_breaks(tmp_path: Path) -> None:
    async with chat(tmp_path) as desk:
        await desk.press("ctrl+n")
        await desk.shows("New conversation")
        await desk.write("nobody")
        await desk.shows("Nobody at this relay")
        await desk.press("f1")
        await desk.shows("new line")
        await desk.press("escape", "ctrl+q")


async def test_hostile_text_cannot_steer_the_terminal(tmp_path: Path) -> None:
    async with talking(tmp_path) as (desk, conversation):
        await conversation.send("\x1b[2J\x1b]0;owned\x07[bold]not markup[/bold] \u202egnp.exe")
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
        await desk.until(lambda: bool(desk.window._rows), "the conversation")
        await desk.press("ctrl+down")
        await desk.shows("hello")
        for key in ("f1", "ctrl+t", "ctrl+o", "ctrl+n", "ctrl+g"):
            await desk.press(key)
            await desk.until(lambda: desk.app.screen is not desk.window, key)
            await desk.press("escape")
            await desk.until(lambda: desk.app.screen is desk.window, "the window")
        await desk.press("ctrl+l")
        await desk.shows("bob")
        assert desk.room.uid


async def test_ascii_terminals_get_ascii_signs(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (_, (alice, bob)):
        conversation = await talk(alice, "bob")
        await conversation.send("hello")
        async with window_on(alice, bob, symbols=ASCII, colours=False) as desk:
            await desk.shows("++")
            assert desk.screen.isascii()
            await desk.press("ctrl+o")
            await desk.shows("2 members")
            assert desk.screen.isascii()
