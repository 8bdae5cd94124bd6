"""Files in the chat window that are stopped before they are sent, and that are sent on."""

from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

import e2ecore
from tests.scenarios.test_chat_files import DATA, scene
from tests.support.engines import PATIENCE_S

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def anyio_backend() -> str:
    """Textual runs on asyncio only."""
    return "asyncio"


async def test_a_large_file_can_be_stopped_while_it_is_read_and_files_are_sent_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(tmp_path) as at:
        group = await at.desk.alice.conversations.create_group(
            "team", [await at.desk.alice.contacts.find("bob")]
        )
        (tmp_path / "a.bin").write_bytes(DATA)
        reading: list[e2ecore.Reading] = []
        files = at.desk.window.desk.messages.files
        send = files.send

        async def slowly(
            uid: str, wanted: Sequence[e2ecore.OutgoingFile], said: str, by: e2ecore.Reading
        ) -> e2ecore.Upload:
            reading.append(by)
            by.pause()  # the file would be read in no time
            return await send(uid, wanted, said, by)

        monkeypatch.setattr(files, "send", slowly)
        await at.desk.write(f"/send {tmp_path}/a.bin")
        await at.desk.shows("being read")
        await at.desk.write("/pause")
        await at.desk.shows("paused")
        assert reading[0].is_paused
        await at.desk.write("/cancel")
        await at.desk.hides("↑ u1")
        await at.desk.write(f"/send {tmp_path}/a.bin")
        await at.desk.shows("↑ u2 a.bin")
        await at.desk.write("/pause")
        await at.desk.shows("paused")
        await at.desk.write("/resume")
        assert (await at.bob_got()).attachment.name == "a.bin"
        await at.desk.hides("↑ u2")
        await at.desk.write("/forward +team")
        await at.desk.shows("Forwarded to team")
        with anyio.fail_after(PATIENCE_S):
            while not any(one.attachments for one in await group.messages()):  # noqa: ASYNC110
                await anyio.sleep(0.02)
