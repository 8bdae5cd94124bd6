"""Searching in the chat window: found while typing, in Chinese too, and gone to in its place."""

from pathlib import Path

import pytest

from cli_demo.chat.finding import Find
from e2ecore.testing import devices
from tests.support.chat_window import Chat, talk, talking, window_on

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def anyio_backend() -> str:
    """Textual runs on asyncio only."""
    return "asyncio"


async def test_what_is_found_is_shown_in_its_place(tmp_path: Path) -> None:
    async with talking(tmp_path) as (desk, bobs):
        texts = [f"line {number:03}" for number in range(200)]
        texts[40] = "我们星期六去采石场"
        await bobs.send_many(texts)
        await desk.until(lambda: desk.texts[-1:] == texts[-1:], "the messages")
        await desk.press("ctrl+f")
        await desk.shows("Find in bob")
        await desk.type("采石场")
        await desk.shows("1 message. Enter goes there.")
        await desk.shows("我们星期六去采石场")
        await desk.press("enter")
        await desk.until(lambda: selected(desk) == texts[40], "the place")
        assert desk.app.screen is desk.window
        await desk.shows("line 039")
        await desk.press("down")
        await desk.until(lambda: selected(desk) == "line 041", "its neighbour")


def selected(desk: Chat) -> str:
    return desk.history.selected.text if desk.history.selected else ""


async def test_a_search_goes_over_all_conversations_or_one(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (_, (alice, bob, carol)):
        bobs, carols = await talk(bob, "alice"), await talk(carol, "alice")
        await bobs.send("the old quarry")
        await carols.send("which quarry?")
        async with window_on(alice, bob, carol) as desk:
            await desk.until(lambda: len(desk.window._rows) == 2, "both")
            await desk.press("ctrl+down")
            await desk.until(lambda: desk.window.current is not None, "one of them")
            here = desk.window.current
            assert here is not None
            await desk.write("/find quarry")
            await desk.shows(f"Find in {here.title}")
            await desk.shows("1 message. Enter goes there.")
            await desk.press("ctrl+f")
            await desk.shows("Find everywhere")
            await desk.shows("2 messages. Enter goes there.")
            await desk.press("escape")
            await desk.until(lambda: not isinstance(desk.app.screen, Find), "the window")


async def test_nothing_is_found_and_that_is_said(tmp_path: Path) -> None:
    async with talking(tmp_path) as (desk, bobs):
        await bobs.send("hello")
        await desk.shows("hello")
        await desk.press("ctrl+f")
        await desk.type("nowhere")
        await desk.shows("Nothing found.")
        await desk.press("enter", "down")
        await desk.type(" x" * 200)
        await desk.shows("at most 256 characters")
        await bobs.send("meanwhile")
        await desk.until(lambda: desk.texts[-1] == "meanwhile", "what comes meanwhile")
        await desk.press("escape")
        await desk.shows("meanwhile")
