"""What concerns nobody but the user of the chat window: what is stored of them, what disturbs."""

from pathlib import Path

import pytest

from e2ecore.testing.devices import PASSPHRASE
from tests.support.chat_window import talking

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def anyio_backend() -> str:
    """Textual runs on asyncio only."""
    return "asyncio"


async def test_what_is_stored_of_us_is_whole_only_after_the_passphrase(tmp_path: Path) -> None:
    async with talking(tmp_path) as (desk, _bobs):
        await desk.write("/name Alice 爱丽丝")
        await desk.shows("You are called Alice 爱丽丝 now.")
        await desk.write("/mydata")
        await desk.shows("handle         a•••")
        await desk.write("a wrong one")
        await desk.shows("does not open")
        await desk.write("/mydata")
        await desk.shows("Passphrase, to see it whole")
        await desk.write(PASSPHRASE)
        await desk.shows("handle         alice")
        await desk.shows("Alice 爱丽丝")
        assert PASSPHRASE not in desk.screen


async def test_a_muted_conversation_does_not_stand_out(tmp_path: Path) -> None:
    async with talking(tmp_path) as (desk, _bobs):
        await desk.write("/mute 8h")
        await desk.shows("This conversation is muted until 20")
        assert desk.window.current is not None
        assert desk.window.current.muted
        await desk.write("/mute")
        await desk.shows("This conversation is not muted.")
        await desk.write("/mute soon")
        await desk.shows("A time is written as")
