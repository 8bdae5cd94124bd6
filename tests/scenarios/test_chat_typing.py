"""Who is typing, in the chat window."""

from pathlib import Path

import pytest

import e2ecore
from tests.support.chat_window import talking
from tests.support.engines import agree, until

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def anyio_backend() -> str:
    """Textual runs on asyncio only."""
    return "asyncio"


async def test_the_window_shows_who_types_and_lets_others_know_who_agreed(tmp_path: Path) -> None:
    async with talking(tmp_path) as (desk, bobs):
        (bob,) = desk.others
        at_bob = bob.events()
        await agree(bob, e2ecore.Purpose.TYPING)
        await bobs.typing()
        await desk.shows("bob is typing ...")
        await bobs.send("here it is")
        await desk.shows("here it is")
        await desk.hides("typing ...")
        await desk.press("h")  # Alice has not agreed
        await agree(desk.alice, e2ecore.Purpose.TYPING)
        await desk.press("i")
        began = await until(at_bob, e2ecore.TypingChanged)
        assert began.is_typing
        assert bobs.typists == (began.account_id,)
        await desk.press("backspace", "backspace")
        assert not (await until(at_bob, e2ecore.TypingChanged)).is_typing
        assert not bobs.typists
