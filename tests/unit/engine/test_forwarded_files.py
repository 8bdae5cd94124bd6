"""Files sent on to another conversation: the same content, under other keys, in other blobs."""

import io
import os
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import AttachmentForm, Conversation, DeletionReason, Message, OutgoingFile
from e2ecore.engine.files.file_showing import decode_item
from e2ecore.engine.talk.showing import message_of
from e2ecore.storage import attachments
from e2ecore.storage.file_cache import folder_of
from e2ecore.testing.devices import open_device
from tests.support.databases import message
from tests.support.engines import PATIENCE_S, group_of, until
from tests.support.files import DATA, Scene, scene
from tests.unit.engine.test_file_choices import photo

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """What is sent on does not depend on the loop."""
    return "trio"


async def elsewhere(at: Scene) -> tuple[Conversation, Conversation]:
    """Another conversation, as bob and as alice see it."""
    bobs, alices = await group_of([at.bob, at.alice])
    return bobs, alices


async def sent_on(at: Scene, message: Message, to: Conversation) -> Message:
    """Bob sends files on; return what alice gets."""
    with anyio.fail_after(PATIENCE_S):
        upload = await to.forward_files(message)
        await upload.sent()
    while True:
        found = (await until(at.at_alice, e2ecore.MessageReceived)).message
        if found.attachments:
            return found


def secrets(at: Scene, aid: int) -> set[bytes]:
    """All that opens or names one file of bob's: blob, its key, key of the local copy."""
    row = at.bob._core.read(lambda tx: attachments.get(tx, aid))
    assert row is not None
    return {row.blob_id, decode_item(row).file_key, row.cache_key}


async def test_an_album_is_sent_on_under_keys_and_blobs_of_its_own(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        bobs, _ = await elsewhere(at)
        voice = OutgoingFile(
            io.BytesIO(b"opus"), "note.opus", form=AttachmentForm.VOICE, duration_ms=4_200,
            waveform=bytes(range(9)),
        )  # fmt: skip
        album = [OutgoingFile(io.BytesIO(photo()), "a.jpg"), voice]
        with anyio.fail_after(PATIENCE_S):
            await (await at.chat.send_files(album, "look")).sent()
        seen = (await until(at.at_bob, e2ecore.MessageReceived)).message
        for one in seen.attachments:
            await one.download()
        await at.acknowledged()
        served = at.way.served
        got = await sent_on(at, seen, bobs)
        assert at.way.served == served, "what is here is not fetched again"
        assert (got.text, len(got.attachments)) == ("look", 2)
        assert (seen.forwards, got.forwards) == (0, 1)
        for before, after in zip(seen.attachments, got.attachments, strict=True):
            await after.download()
            assert await after.read() == await before.read()
            for field in ("name", "media_type", "form", "size", "digest", "width", "height",
                          "duration_ms", "waveform", "preview"):  # fmt: skip
                assert getattr(before, field) == getattr(after, field)
        (own,) = await bobs.messages(limit=1)
        assert own.forwards == 1
        for before, after in zip(seen.attachments, own.attachments, strict=True):
            assert not secrets(at, before.attachment_id) & secrets(at, after.attachment_id)


async def test_what_is_not_here_is_fetched_first_and_what_is_gone_is_said_to_be(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as at:
        bobs, _ = await elsewhere(at)
        _, seen = await at.send()
        got = await sent_on(at, seen, bobs)
        await got.attachment.download()
        assert await got.attachment.read() == DATA
        _, missed = await at.send()
        for blob in list(at.relay.blobs.live.values()):
            at.relay.blobs.end(blob, DeletionReason.EXPIRED)
        before = len(await bobs.messages())
        with pytest.raises(e2ecore.AttachmentGoneError):
            await bobs.forward_files(missed)
        assert await bobs.uploads() == []
        assert len(await bobs.messages()) == before


async def test_of_an_album_with_one_file_gone_nothing_is_sent_on(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        bobs, _ = await elsewhere(at)
        album = [OutgoingFile(io.BytesIO(DATA), name) for name in ("a", "b")]
        with anyio.fail_after(PATIENCE_S):
            await (await at.chat.send_files(album)).sent()
        seen = (await until(at.at_bob, e2ecore.MessageReceived)).message
        await seen.attachments[0].download()
        for blob in list(at.relay.blobs.live.values()):
            at.relay.blobs.end(blob, DeletionReason.EXPIRED)
        with pytest.raises(e2ecore.AttachmentGoneError):
            await bobs.forward_files(seen)
        assert await bobs.uploads() == []
        with anyio.fail_after(PATIENCE_S):
            while len(list(folder_of(tmp_path / "bob.db").iterdir())) > 1:  # noqa: ASYNC110
                await anyio.sleep(0.005)


async def test_a_damaged_copy_is_not_sent_on(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        bobs, _ = await elsewhere(at)
        _, seen = await at.send()
        await seen.attachment.download()
        await at.acknowledged()
        (copy,) = folder_of(tmp_path / "bob.db").iterdir()
        damaged = bytearray(copy.read_bytes())
        damaged[500_000] ^= 1
        copy.write_bytes(damaged)
        with pytest.raises(e2ecore.AttachmentGoneError):
            await bobs.forward_files(seen)
        assert await bobs.uploads() == []


@pytest.mark.parametrize("size", [0, 1, 262_144, 262_145])
async def test_a_file_of_any_size_is_sent_on(tmp_path: Path, size: int) -> None:
    async with scene(tmp_path) as at:
        data = os.urandom(size)
        _, seen = await at.send(data)
        with anyio.fail_after(PATIENCE_S):
            await (await at.other.forward_files(seen)).sent()
        while not (got := (await until(at.at_alice, e2ecore.MessageReceived)).message).attachments:
            continue
        await got.attachment.download()
        assert await got.attachment.read() == data


async def test_own_files_are_sent_on_from_the_own_copy(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, _ = await at.send()
        with anyio.fail_after(PATIENCE_S):
            upload = await at.chat.forward_files(own, "once more")
            await upload.sent()
        seen = (await until(at.at_bob, e2ecore.MessageReceived)).message
        await seen.attachment.download()
        assert (seen.text, await seen.attachment.read()) == ("once more", DATA)
        with anyio.fail_after(PATIENCE_S):
            await (await at.other.forward_files(seen)).sent()
        (again,) = await at.other.messages(limit=1)
        assert (own.forwards, seen.forwards, again.forwards) == (0, 1, 2)
        text = await at.chat.send("no file")
        (said,) = await at.chat.messages_at([text.order])
        with pytest.raises(e2ecore.AttachmentNotHereError):
            await at.chat.forward_files(said)


async def test_that_files_were_forwarded_is_still_said_after_an_export(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        _, seen = await at.send()
        with anyio.fail_after(PATIENCE_S):
            await (await at.other.forward_files(seen)).sent()
        await at.bob.my_data.export(tmp_path / "bob.zip")
        async with await open_device(tmp_path / "carol.db", at.relay.dial) as carol:
            await carol.register("carol")
            await carol.my_data.import_file(tmp_path / "bob.zip")
            (chat,) = await carol.conversations.list()
            assert [one.forwards for one in await chat.messages() if one.attachments] == [0, 1]


def test_what_a_foreign_file_says_beside_files_breaks_nothing() -> None:
    row = message(1, 1)._replace(kind=int(e2ecore.MessageKind.FILES), ext=b"junk")
    assert message_of(bytes(16), row, bytes(20), ()).forwards == 0
