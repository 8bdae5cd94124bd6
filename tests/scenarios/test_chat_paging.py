"""Long histories in the chat window: paged in both directions, without gaps."""

from pathlib import Path

import pytest

from e2ecore.testing import devices
from tests.support.chat_window import arrived, talk, talking, window_on

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def anyio_backend() -> str:
    """Textual runs on asyncio only."""
    return "asyncio"


async def test_older_messages_are_paged_in_without_gaps(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (_, (alice, bob)):
        conversation = await talk(bob, "alice")
        await arrived(alice, conversation)
        texts = [f"line {number:03}" for number in range(200)]
        await conversation.send_many(texts)
        async with window_on(alice, bob) as desk:
            await desk.until(lambda: desk.texts[-1:] == texts[-1:], "the newest")
            while "line 000" not in desk.screen:
                await desk.press("pageup")
            assert desk.texts == texts


async def test_a_place_in_the_middle_is_surrounded_by_its_neighbours(tmp_path: Path) -> None:
    async with talking(tmp_path) as (desk, conversation):
        texts = [f"line {number:03}" for number in range(300)]
        await conversation.send_many(texts)
        await desk.until(lambda: desk.texts[-1:] == texts[-1:], "the newest")
        order = desk.messages[100].order
        await desk.window.open_conversation(desk.room.uid, order)
        await desk.shows("line 100")
        assert desk.texts == texts[70:130]
        assert desk.history.selected == desk.messages[30]
        await conversation.send("one more")
        await desk.pilot.pause(0.2)
        assert desk.texts == texts[70:130]
        while not desk.history.at_end:
            await desk.press("pagedown")
        assert desk.texts == [*texts[70:], "one more"]
        while "line 000" not in desk.screen:
            await desk.press("pageup")
        assert desk.texts == [*texts, "one more"]
