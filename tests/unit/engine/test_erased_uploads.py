"""What a user has erased is not uploaded any more, and what the relay has of it goes."""

import io
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import DeletionReason, Upload
from e2ecore.storage.file_cache import folder_of
from e2ecore.testing import devices
from e2ecore.testing.devices import open_device
from e2ecore.testing.memory_relay import MemoryRelay
from tests.support.engines import PATIENCE_S, pair
from tests.support.files import DATA, Scene, scene, troubled

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Erasing does not depend on the loop."""
    return "trio"


async def nothing_left(relay: MemoryRelay, folder: Path) -> None:
    """Wait until neither relay nor device has anything of it."""
    with anyio.fail_after(PATIENCE_S):
        while relay.blobs.live or list(folder_of(folder / "alice.db").iterdir()):  # noqa: ASYNC110
            await anyio.sleep(0.005)


async def begun(at: Scene) -> Upload:
    """An upload of which the relay has a part."""
    at.relay.blobs.cut_after = 300_000
    upload = await at.chat.send_file(io.BytesIO(DATA), "my secret", name="x.bin")
    await troubled(upload)
    assert at.relay.blobs.live
    return upload


async def test_clearing_a_conversation_ends_its_uploads_and_no_others(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        group = await at.alice.conversations.create_group(
            "team", [await at.alice.contacts.find("bob")]
        )
        upload = await begun(at)
        at.relay.faults.offline = True
        at.relay.disconnect()
        other = await group.send_file(io.BytesIO(DATA), name="other.bin")
        await at.chat.clear()
        assert await at.chat.uploads() == []
        with pytest.raises(e2ecore.MessageGoneError):
            await upload.sent()
        at.way.uploaded = 0
        at.relay.faults.offline = False
        with anyio.fail_after(PATIENCE_S):
            await other.sent()
        assert at.way.uploaded < 2 * len(DATA)
        assert not any(one.attachments for one in await at.chat.messages())


async def test_an_upload_that_runs_is_cut_off_when_its_conversation_is_cleared(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as at:
        running, gate = anyio.Event(), anyio.Event()
        upload = await at.chat.send_file(
            io.BytesIO(DATA * 3), name="x.bin", on_progress=lambda *_: running.set()
        )
        with anyio.fail_after(PATIENCE_S):
            await running.wait()
            await at.chat.clear()
            with pytest.raises(e2ecore.MessageGoneError):
                await upload.sent()
        gate.set()
        sent = at.way.uploaded
        await nothing_left(at.relay, tmp_path)
        assert at.way.uploaded <= sent + (1 << 20), "one block may have been on its way"
        assert not await at.chat.messages()


async def left_half(folder: Path, act: Callable[[e2ecore.Conversation], Awaitable[int]]) -> None:
    """Half of a file is at the relay, the device is offline, something is erased; it comes back."""
    async with devices(folder, "bob") as (relay, (bob,)):
        async with await open_device(folder / "alice.db", relay.dial) as alice:
            await alice.register("alice")
            await alice.caught_up()
            chat, _ = await pair(alice, bob)
            relay.blobs.cut_after = 300_000
            alice._core.desk.channel = relay.blob_channel
            upload = await chat.send_file(io.BytesIO(DATA), "my secret", name="x.bin")
            await troubled(upload)
            uid = chat.conversation_id
        assert [one.complete for one in relay.blobs.live.values()] == [False]
        async with await open_device(folder / "alice.db", None) as offline:
            again = await offline.conversations.get(uid)
            assert len(await again.uploads()) == 1
            await act(again)
            assert await again.uploads() == []
        async with await open_device(folder / "alice.db", relay.dial) as online:
            await nothing_left(relay, folder)
            (receipt,) = relay.blobs.receipts.values()
            assert receipt.reason == DeletionReason.RECALLED
            assert await (await online.conversations.get(uid)).uploads() == []


async def test_what_was_cleared_offline_is_recalled_after_a_restart(tmp_path: Path) -> None:
    await left_half(tmp_path, lambda chat: chat.clear())


async def test_a_cancelled_upload_is_recalled_after_a_restart(tmp_path: Path) -> None:
    async def cancel(chat: e2ecore.Conversation) -> int:
        (upload,) = await chat.uploads()
        await upload.cancel()
        return 1

    await left_half(tmp_path, cancel)


async def test_deleting_a_message_ends_the_upload_of_its_file_at_once(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, _ = await at.send()
        (blob,) = at.relay.blobs.live.values()
        at.relay.blobs.end(blob, DeletionReason.EXPIRED)
        at.relay.blobs.cut_after = 300_000
        await own.attachment.upload_again()
        (upload,) = await at.chat.uploads()
        await troubled(upload)
        at.relay.faults.offline = True
        at.relay.disconnect()
        await at.chat.delete_messages([own])
        assert await at.chat.uploads() == [], "although nobody is connected"
        with pytest.raises(e2ecore.MessageGoneError):
            await upload.sent()
        at.relay.faults.offline = False
        await nothing_left(at.relay, tmp_path)
