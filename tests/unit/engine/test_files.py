"""Files: sent, fetched, kept, resumed, gone."""

import io
import os
from pathlib import Path
from typing import BinaryIO

import anyio
import pytest

import e2ecore
from e2ecore import (
    AttachmentState,
    DeletionReason,
    MessageKind,
    OutgoingFile,
)
from e2ecore.attachments.format import SEALED_RUN_BYTES, blob_size
from e2ecore.crypto.chunked import HEADER_BYTES
from e2ecore.engine.files import attaching
from e2ecore.engine.files.file_status import look_for_receipts
from e2ecore.testing import MemoryRelay
from e2ecore_protocol.limits import BLOB_LATE_S, DAY_S
from tests.support.engines import PATIENCE_S, until
from tests.support.files import DATA, scene

pytestmark = pytest.mark.anyio


async def test_a_file_comes_as_it_was_sent_and_the_relay_forgets_it(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, seen = await at.send()
        assert (seen.kind, seen.text) == (MessageKind.FILES, "look")
        file = seen.attachment
        assert (file.name, file.media_type, file.size) == (
            "report.pdf", "application/pdf", len(DATA),
        )  # fmt: skip
        assert (file.state, file.is_stored) == (AttachmentState.REMOTE, False)
        told: list[tuple[int, int]] = []
        target = tmp_path / "here.pdf"
        assert await file.download(target, on_progress=lambda *both: told.append(both)) == target
        assert target.read_bytes() == DATA
        assert told[-1] == (len(DATA), len(DATA))
        stored = await until(at.at_bob, e2ecore.AttachmentStored)
        assert stored.message_id == seen.message_id
        await at.acknowledged()
        gone = await until(at.at_alice, e2ecore.BlobDeleted)
        assert gone.deletion.reason is DeletionReason.ALL_FETCHED
        now = await at.now(at.chat, own)
        assert (now.state, now.deletion) == (AttachmentState.UPLOADED, gone.deletion)
        assert (await at.now(at.other, seen)).state is AttachmentState.STORED
        assert await (await at.now(at.other, seen)).read(256, 4) == bytes(range(4))


@pytest.mark.clause("GOV-15")
async def test_nothing_is_fetched_before_somebody_asks(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.send()
        await at.other.send("thanks")
        await until(at.at_alice, e2ecore.MessageReceived)
        assert at.way.served == 0


@pytest.mark.parametrize("size", [0, 1, 16_384, 262_144, 262_145, 524_288])
async def test_a_file_of_any_size_comes(tmp_path: Path, size: int) -> None:
    async with scene(tmp_path) as at:
        data = os.urandom(size)
        _, seen = await at.send(data)
        await seen.attachment.download(tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == data


async def test_an_album_is_one_message(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        files = [OutgoingFile(io.BytesIO(bytes([n]) * n), f"{n}.bin") for n in range(1, 5)]
        upload = await at.chat.send_files(files, "four")
        await upload.sent()
        seen = (await until(at.at_bob, e2ecore.MessageReceived)).message
        assert [one.name for one in seen.attachments] == ["1.bin", "2.bin", "3.bin", "4.bin"]
        await seen.attachments[2].download()
        assert await seen.attachments[2].read() == b"\3\3\3"


async def test_an_upload_that_is_cut_off_goes_on_where_it_was(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        at.relay.blobs.cut_after = 300_001
        _, seen = await at.send()
        assert at.way.uploaded <= 2 * 1_100_000
        await seen.attachment.download(tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == DATA


async def test_a_download_that_is_cut_off_goes_on_within_one_run(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        _, seen = await at.send()
        at.relay.blobs.cut_after = 600_000
        with pytest.raises(e2ecore.TransientError):
            await seen.attachment.download(tmp_path / "out")
        assert not (tmp_path / "out").exists()
        await seen.attachment.download(tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == DATA
        assert at.way.served <= blob_size(len(DATA)) + 2 * HEADER_BYTES + SEALED_RUN_BYTES


async def test_a_message_that_is_not_uploaded_survives_and_is_sent_later(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        at.relay.faults.offline = True
        at.relay.disconnect()
        upload = await at.chat.send_file(io.BytesIO(DATA), name="later.bin")
        assert not upload.is_settled
        assert [one.upload_id for one in await at.chat.uploads()] == [upload.upload_id]
        at.relay.faults.offline = False
        with anyio.fail_after(PATIENCE_S):
            await upload.sent()
        assert await at.chat.uploads() == []


async def test_an_upload_is_paused_resumed_and_cancelled(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        at.relay.faults.offline = True
        at.relay.disconnect()
        first = await at.chat.send_file(io.BytesIO(DATA), name="first.bin")
        second = await at.chat.send_file(io.BytesIO(b"x"), name="second.bin")
        third = await at.chat.send_file(io.BytesIO(b"y"), name="third.bin")
        await first.pause()
        await second.cancel()
        with pytest.raises(e2ecore.UploadCancelledError):
            await second.sent()
        at.relay.faults.offline = False
        with anyio.fail_after(PATIENCE_S):
            await third.sent()
        assert not first.is_settled
        await first.resume()
        with anyio.fail_after(PATIENCE_S):
            await first.sent()
        names = [(await until(at.at_bob, e2ecore.MessageReceived)).message for _ in range(2)]
        assert [one.attachment.name for one in names] == ["third.bin", "first.bin"]
        with pytest.raises(e2ecore.MessageGoneError):
            await first.cancel()


async def test_a_cancelled_upload_leaves_nothing_at_the_relay(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        at.relay.blobs.cut_after = 1_000
        upload = await at.chat.send_file(io.BytesIO(DATA), name="x.bin")
        with anyio.fail_after(PATIENCE_S):
            while not at.way.uploaded:  # noqa: ASYNC110  nobody sets an event for it
                await anyio.sleep(0.005)
        await upload.cancel()
        await at.acknowledged()


@pytest.mark.parametrize("what", ["bytes", "head", "more", "other"])
async def test_a_relay_that_serves_something_else_is_found_out(tmp_path: Path, what: str) -> None:
    def alter(block: bytes, at: int) -> bytes:
        if what == "bytes":
            return block[:-1] + bytes((block[-1] ^ 1,)) if at > 100_000 else block
        if what == "head":
            return bytes(len(block)) if at == 0 else block
        if what == "more":
            return block + b"more"
        return bytes(len(block))

    async with scene(tmp_path) as at:
        _, seen = await at.send()
        at.way.alter = alter
        with pytest.raises(e2ecore.AttachmentDamagedError):
            await seen.attachment.download(tmp_path / "out")
        assert not (tmp_path / "out").exists()
        at.way.alter = None
        await seen.attachment.download(tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == DATA


async def test_a_wrong_share_opens_nothing(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        _, seen = await at.send()
        (blob,) = at.relay.blobs.live.values()
        right, blob.share = blob.share, bytes(32)
        with pytest.raises(e2ecore.AttachmentKeyError):
            await seen.attachment.download()
        blob.share = right
        await seen.attachment.download()


async def test_blobs_that_are_swapped_between_messages_are_found_out(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        _, one = await at.send(b"one")
        _, two = await at.send(b"two")
        first, second = at.relay.blobs.live.values()
        first.data, second.data = second.data, first.data
        for seen in (one, two):
            with pytest.raises(e2ecore.AttachmentKeyError):
                await seen.attachment.download()


async def test_what_has_expired_is_said_to_be_and_can_be_asked_for(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, seen = await at.send()
        (blob,) = at.relay.blobs.live.values()
        at.relay.blobs.end(blob, DeletionReason.EXPIRED)
        at.relay.expire()
        with pytest.raises(e2ecore.AttachmentGoneError):
            await seen.attachment.download()
        assert (await until(at.at_bob, e2ecore.AttachmentExpired)).message_id == seen.message_id
        assert (await at.now(at.other, seen)).state is AttachmentState.EXPIRED
        await seen.attachment.ask_again()
        asked = await until(at.at_alice, e2ecore.AttachmentAsked)
        assert asked.account_id == at.bob.account.account_id  # type: ignore[union-attr]
        await own.attachment.upload_again()
        await until(at.at_bob, e2ecore.AttachmentOffered)
        again = await at.now(at.other, seen)
        await again.download(tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == DATA


async def test_the_relay_says_who_still_needs_a_file(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, _seen = await at.send()
        status = await own.attachment.status()
        assert (status.recipients, status.waiting, status.is_complete) == (1, 1, True)
        (blob,) = at.relay.blobs.live.values()
        assert status.expires_ms == blob.expires_ms == (await at.now(at.chat, own)).expires_ms


async def test_a_receipt_that_does_not_come_is_missed(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, _seen = await at.send()
        at.relay.blobs.live.clear()
        core = at.alice._core
        present = core.clock_ms
        late_ms = (7 * DAY_S + BLOB_LATE_S) * 1000 + 60_000
        await look_for_receipts(core)
        core.clock_ms = lambda: present() + late_ms
        await look_for_receipts(core)
        late = await until(at.at_alice, e2ecore.DeletionReceiptLate)
        assert late.message_id == own.message_id


async def test_a_relay_with_another_receipt_key_is_not_believed(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        _, first = await at.send(b"first")
        await first.attachment.download()
        _, seen = await at.send()
        at.relay.blobs.key = MemoryRelay(clock_ms=at.alice._core.clock_ms).blobs.key
        with pytest.raises(e2ecore.ReceiptKeyChangedError):
            await seen.attachment.download()


async def test_recalling_a_message_deletes_its_files_everywhere(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, seen = await at.send()
        await seen.attachment.download()
        await at.chat.recall(own)
        await until(at.at_bob, e2ecore.MessageRecalled)
        await at.acknowledged()
        with pytest.raises(e2ecore.AttachmentNotHereError):
            await seen.attachment.read()


async def test_deleting_a_message_that_was_not_fetched_lets_the_relay_forget(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as at:
        _, seen = await at.send()
        await at.other.delete_messages([seen])
        at.bob._core.desk.duty_signal.set()
        await at.acknowledged()


async def test_local_copies_stay_within_their_limit(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        seen = [(await at.send(bytes([n]) * 100_000))[1] for n in range(3)]
        for one in seen:
            await one.attachment.download()
        await seen[0].attachment.read(0, 1)
        await at.bob.files.set_limit(250_000)
        stored = [(await at.now(at.other, one)).is_stored for one in seen]
        assert stored == [True, False, True]
        assert await at.bob.files.size() == 200_000
        assert len(list((tmp_path / "bob.db.files").iterdir())) == 2


async def test_who_only_sends_keeps_no_more_copies_than_the_limit(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.alice.files.set_limit(250_000)
        own = [(await at.send(bytes([n]) * 100_000))[0] for n in range(3)]

        async def kept() -> list[bool]:
            return [(await at.now(at.chat, one)).is_stored for one in own]

        with anyio.fail_after(PATIENCE_S):
            while await kept() != [False, True, True]:  # noqa: ASYNC110 - a task does it behind us
                await anyio.sleep(0.005)
        assert await at.alice.files.size() == 200_000


async def test_a_local_copy_says_nothing_without_its_row(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.send(b"a secret " * 1000)
        (copy,) = (tmp_path / "alice.db.files").iterdir()
        assert b"secret" not in copy.read_bytes()
        assert copy.stat().st_mode & 0o077 == 0


async def test_a_file_in_a_folder_gets_a_harmless_name_of_its_own(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        _, seen = await at.send(b"x", ".bashrc")
        folder = tmp_path / "downloads"
        folder.mkdir()
        paths = [await seen.attachment.download(folder) for _ in range(2)]
        assert paths == [folder / "_.bashrc", folder / "_ (2).bashrc"]
        with pytest.raises(e2ecore.FileExistsHereError):
            await seen.attachment.download(folder / "_.bashrc")


async def test_what_cannot_be_sent_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        sparse = tmp_path / "sparse"
        with sparse.open("wb") as file:
            file.truncate(10 << 30)
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        for source, error in (
            (sparse, e2ecore.AttachmentTooLargeError),
            (pipe, e2ecore.BadFileError),
            (tmp_path, e2ecore.BadFileError),
            (tmp_path / "nothing", e2ecore.BadFileError),
        ):
            with pytest.raises(error):
                await at.chat.send_file(source)
        with pytest.raises(e2ecore.BadAttachmentNameError):
            await at.chat.send_file(io.BytesIO(b"x"), name="../x")
        with pytest.raises(e2ecore.TooManyFilesError):
            await at.chat.send_files([])
        with pytest.raises(e2ecore.CaptionTooLongError):
            await at.chat.send_file(io.BytesIO(b"x"), "x" * 65_537, name="x")
        assert await at.chat.uploads() == []


@pytest.mark.parametrize("change", ["grows", "shrinks", "is written to"])
async def test_a_file_that_changes_while_it_is_read_is_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    path = tmp_path / "changing.bin"
    path.write_bytes(DATA)
    read = attaching._read

    def and_change(file: BinaryIO, size: int) -> bytes:
        found = read(file, size)
        if change == "grows":
            with path.open("ab") as more:
                more.write(b"more")
        elif change == "shrinks":
            os.truncate(path, 100)
        else:
            os.utime(path, ns=(1, 1))
        return found

    monkeypatch.setattr(attaching, "_read", and_change)
    async with scene(tmp_path) as at:
        with pytest.raises(e2ecore.FileChangedError):
            await at.chat.send_file(path)
        assert await at.chat.uploads() == []
        assert not list((tmp_path / "alice.db.files").iterdir())
