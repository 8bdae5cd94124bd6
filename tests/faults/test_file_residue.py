"""What is left of a file once its message is erased: no key, name, preview or copy, anywhere."""

import io
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest
from PIL import Image

import e2ecore
from e2ecore import Attachment, Conversation, Engine, Message, OutgoingFile
from e2ecore.engine.files.file_showing import decode_item
from e2ecore.storage import attachments
from e2ecore.storage.file_cache import folder_of
from e2ecore.testing.devices import PASSPHRASE
from tests.support.engines import PATIENCE_S, until
from tests.support.files import Scene, scene
from tests.support.pages import plain_pages
from tests.unit.engine.test_remarks import later

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
NAME, CAPTION = "canary-of-the-name", "canary-of-the-caption"
Erase = Callable[[Engine, Conversation, Message], Awaitable[object]]


@pytest.fixture
def anyio_backend() -> str:
    """The database does not care which loop waits for it."""
    return "trio"


def photo() -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(out, "JPEG")
    return out.getvalue()


def canaries(engine: Engine, file: Attachment) -> dict[str, bytes]:
    """All that somebody could use, or learn something from."""
    row = engine._core.read(lambda tx: attachments.get(tx, file.attachment_id))
    assert row is not None
    item = decode_item(row)
    found = {
        "name": NAME.encode(), "caption": CAPTION.encode(), "file key": item.file_key,
        "digest": item.digest, "preview": item.preview[200:260], "key of the copy": row.cache_key,
        "salt": row.salt,
    }  # fmt: skip
    return {what: one for what, one in found.items() if one}


def left(path: Path, wanted: dict[str, bytes]) -> set[str]:
    pages = plain_pages(path, PASSPHRASE)
    return {what for what, one in wanted.items() if one in pages}


def copies(folder: Path) -> int:
    return len(list(folder.iterdir())) if folder.exists() else 0


async def swept(folder: Path) -> None:
    with anyio.fail_after(PATIENCE_S):
        while copies(folder):  # noqa: ASYNC110 - nobody sets an event for it
            await anyio.sleep(0.005)


async def indexed(engine: Engine) -> None:
    with anyio.fail_after(PATIENCE_S):
        while (status := await engine.search_status()).indexed < status.newest:  # noqa: ASYNC110
            await anyio.sleep(0.02)


async def send(at: Scene) -> tuple[Message, Message]:
    """Alice sends a picture with a caption; Bob fetches it."""
    one = OutgoingFile(io.BytesIO(photo()), f"{NAME}.jpg")
    upload = await at.chat.send_files([one], CAPTION)
    with anyio.fail_after(PATIENCE_S):
        await (await upload.sent()).accepted()
    seen = (await until(at.at_bob, e2ecore.MessageReceived)).message
    (own,) = await at.chat.messages_at([(await at.chat.messages())[-1].order])
    await seen.attachment.download()
    await seen.attachment.read(0, 10)
    await at.acknowledged()
    for engine in (at.alice, at.bob):
        await indexed(engine)
    return own, seen


async def by_one(_: Engine, chat: Conversation, message: Message) -> None:
    assert await chat.delete_messages([message]) == 1


async def by_range(_: Engine, chat: Conversation, message: Message) -> None:
    assert await chat.delete_before(message.order + 1)


async def by_conversation(_: Engine, chat: Conversation, _message: Message) -> None:
    assert await chat.clear()


async def by_time(engine: Engine, chat: Conversation, _message: Message) -> None:
    present = engine._core.clock_ms
    engine._core.clock_ms = later(present, 7_200_000)
    await chat.set_retention(3_600_000)
    await chat.set_retention(None)
    engine._core.clock_ms = present


async def test_an_erased_message_leaves_nothing_of_its_file(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        for erase in (by_one, by_range, by_conversation, by_time):
            own, seen = await send(at)
            sides = ((at.alice, at.chat, own, "alice"), (at.bob, at.other, seen, "bob"))
            for engine, chat, message, name in sides:
                path = tmp_path / f"{name}.db"
                wanted = canaries(engine, message.attachment)
                assert {"name", "file key", "preview"} < left(path, wanted), "the search works"
                await erase(engine, chat, message)
                assert left(path, wanted) == set(), (erase.__name__, name)
                await swept(folder_of(path))
        rows = at.alice._core.read(lambda tx: tx.rows(tuple, "SELECT item, size FROM attachments"))
        assert set(rows) <= {(b"", 0)}, "not even how large it was"


async def test_a_recalled_message_leaves_nothing_of_its_file_with_anybody(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, seen = await send(at)
        wanted = {
            **{f"{what} of alice": it for what, it in canaries(at.alice, own.attachment).items()},
            **{f"{what} of bob": it for what, it in canaries(at.bob, seen.attachment).items()},
        }
        await (await at.chat.recall(own)).accepted()
        await until(at.at_bob, e2ecore.MessageRecalled)
        for name in ("alice", "bob"):
            await swept(folder_of(tmp_path / f"{name}.db"))
    for name in ("alice", "bob"):
        assert left(tmp_path / f"{name}.db", wanted) == set()


async def test_a_cancelled_upload_and_a_discarded_copy_leave_no_key(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        _, seen = await send(at)
        key = canaries(at.bob, seen.attachment)["key of the copy"]
        await seen.attachment.discard()
        at.relay.faults.offline = True
        at.relay.disconnect()
        upload = await at.chat.send_file(io.BytesIO(b"never sent"), CAPTION + "2", name=NAME + "2")
        (row,) = at.alice._core.read(lambda tx: attachments.of_parcel(tx, upload.upload_id))
        wanted = {
            "key": row.cache_key, "salt": row.salt, "file key": decode_item(row).file_key,
            "name": (NAME + "2").encode(), "caption": (CAPTION + "2").encode(),
        }  # fmt: skip
        assert left(tmp_path / "alice.db", wanted) == set(wanted)
        await upload.cancel()
    assert left(tmp_path / "alice.db", wanted) == set()
    assert left(tmp_path / "bob.db", {"key": key}) == set()
    for name in ("alice", "bob"):
        assert copies(folder_of(tmp_path / f"{name}.db")) == (name == "alice")


async def test_an_erased_account_leaves_no_folder(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await send(at)
        await at.bob.erase_account()
        assert not folder_of(tmp_path / "bob.db").exists()
        assert not (tmp_path / "bob.db").exists()
