"""What the window tells of guardians; voice notes in it, sent from a file and drawn."""

from pathlib import Path

import pytest

from tests.support.chat_window import talking, window_on
from tests.support.family_engines import homes
from tests.support.sounds import RATE, recorded

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def anyio_backend() -> str:
    """Textual runs on asyncio only."""
    return "asyncio"


async def test_a_child_and_a_guardian_see_what_the_other_one_decides(tmp_path: Path) -> None:
    async with homes(tmp_path) as home:
        async with window_on(home.child, size=(100, 30)) as desk:
            await home.mark()
            await desk.shows("This account is that of somebody under 14")
            link_id = await home.link()
            await desk.shows("parent is your guardian now.")
            consent_id = await home.ask()
            await home.parent.guardians.approve(consent_id)
            await desk.shows("parent agrees as well.")
        async with window_on(home.parent, size=(100, 30)) as desk:
            await home.ask()
            await desk.shows("child asks for your yes:")
            await home.child.guardians.release(link_id)
            await desk.shows("child wants this to end")


async def test_a_voice_note_is_drawn_with_its_length(tmp_path: Path) -> None:
    silence, shout = [0.0] * (3 * RATE), [0.9, -0.9] * (RATE // 2)
    recorded(tmp_path / "note.wav", silence + shout)
    async with talking(tmp_path, size=(100, 30)) as (desk, bobs):
        await desk.write(f"/voice {tmp_path}/none.wav")
        await desk.shows("There is no file")
        await desk.write(f"/voice {tmp_path}/note.wav")
        await desk.shows("voice note, 0:04, 62.5 KiB")
        await desk.shows(f"{'▁' * 30}{'█' * 10}")
        (got,) = await bobs.messages(limit=1)
        assert got.attachments[0].duration_ms == 4_000
        await desk.shows("(1 voice note)")
        (tmp_path / "bad.wav").write_bytes(b"RIFF")
        await desk.write(f"/voice {tmp_path}/bad.wav")
        await desk.shows("is damaged, or no")
