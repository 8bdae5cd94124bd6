"""What concerns nobody but the user of the chat window: what is stored of them, what disturbs."""

from pathlib import Path

import pytest

from cli_demo.naming import short
from e2ecore import Purpose
from e2ecore.testing import devices
from e2ecore.testing.devices import PASSPHRASE, open_device
from tests.support.chat_window import talking, window_on
from tests.support.engines import agree
from tests.support.linked import link

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


async def test_people_are_shown_by_the_names_that_the_user_gave_them(tmp_path: Path) -> None:
    async with talking(tmp_path) as (desk, bobs):
        await bobs.send("hello alice")
        await desk.shows("hello alice")
        await desk.write("/call Robert")
        await desk.shows("Robert (bob)")
        assert [one.author for one in desk.messages] == ["Robert (bob)"]
        await desk.press("ctrl+o")
        await desk.press("n")
        await desk.shows("What do you call bob?")
        await desk.press("ctrl+u")
        await desk.write("Bobby")
        await desk.shows("Bobby (bob)")
        await desk.write("/call off")
        await desk.shows("bob")
        assert "Bobby" not in desk.screen
        await desk.write("/forward bob")


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


@pytest.mark.clause("GB42012-8.1.1d")
async def test_a_device_that_was_linked_is_told_at_once_and_with_each_start(tmp_path: Path) -> None:
    async with (
        devices(tmp_path, "alice") as (relay, (phone,)),
        await open_device(tmp_path / "laptop.db", relay.dial) as laptop,
    ):
        await agree(phone, Purpose.MULTI_DEVICE_SYNC)
        async with window_on(phone, size=(120, 40)) as desk:
            device = await link(phone, laptop)
            await desk.shows(short(device))
        async with window_on(phone, size=(120, 40)) as desk:
            await desk.shows(short(device))
        await phone.devices.seen()
        async with window_on(phone, size=(120, 40)) as desk:
            await desk.shows("alice")
            assert short(device) not in desk.screen
