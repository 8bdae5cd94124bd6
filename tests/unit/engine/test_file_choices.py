"""What people do with files: stop and go on, send many, keep few, ask again, hear late."""

import io
import os
from pathlib import Path

import anyio
import pytest
from PIL import ExifTags, Image

import e2ecore
from e2ecore import AttachmentForm, AttachmentState, DeletionReason, OutgoingFile
from e2ecore.attachments.format import blob_size
from e2ecore.crypto.chunked import HEADER_BYTES, SEALED_CHUNK_BYTES
from e2ecore.engine.files.file_status import look_for_receipts
from e2ecore.storage.file_cache import CachedFileError, folder_of
from e2ecore.testing.memory_blobs import refusal
from e2ecore.testing.memory_bytes import BLOCK_BYTES
from e2ecore_protocol.blob_http import BlobProblem
from e2ecore_protocol.limits import BLOB_LATE_S, DAY_S
from tests.support.engines import PATIENCE_S, until
from tests.support.files import DATA, Scene, scene, troubled

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The choices do not depend on the loop."""
    return "trio"


async def test_cancelling_a_download_pauses_it_within_one_chunk(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        _, seen = await at.send()
        for stop in (1, 300_000, 700_000):
            with anyio.CancelScope() as scope:

                def told(
                    done: int, _: int, stop: int = stop, one: anyio.CancelScope = scope
                ) -> None:
                    if done >= stop:
                        one.cancel()

                await seen.attachment.download(tmp_path / "out", on_progress=told)
            assert scope.cancelled_caught
            assert not (tmp_path / "out").exists()
            assert not (await at.now(at.other, seen)).is_stored
        await seen.attachment.download(tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == DATA
        again = 3 * (SEALED_CHUNK_BYTES + BLOCK_BYTES) + 8 * HEADER_BYTES
        assert at.way.served <= blob_size(len(DATA)) + again


async def test_a_paused_upload_of_an_album_goes_on_with_the_file_where_it_was(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as at:
        files = [OutgoingFile(io.BytesIO(os.urandom(1_500_000)), f"{n}.bin") for n in range(3)]
        at.relay.blobs.cut_after = 2_000_000
        upload = await at.chat.send_files(files)
        await troubled(upload)
        await upload.pause()
        at.alice._core.desk.upload_signal.set()
        text = await at.chat.send("said meanwhile")
        await text.accepted()
        assert not upload.is_settled
        assert not any(one.attachments for one in await at.chat.messages())
        await upload.resume()
        with anyio.fail_after(PATIENCE_S):
            await upload.sent()
        assert upload.progress == (4_500_000, 4_500_000)
        assert at.way.uploaded <= 3 * blob_size(1_500_000) + 2 * (1 << 20)
        while not (seen := (await until(at.at_bob, e2ecore.MessageReceived)).message).attachments:
            continue
        assert [one.name for one in seen.attachments] == ["0.bin", "1.bin", "2.bin"]


async def test_what_is_paused_while_another_upload_runs_stays(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        at.relay.faults.offline = True
        at.relay.disconnect()
        first = await at.chat.send_file(io.BytesIO(DATA), name="first.bin")
        second = await at.chat.send_file(io.BytesIO(DATA), name="second.bin")
        running = anyio.Event()
        at.alice._core.desk.sending(first.upload_id).on_progress = lambda *_: running.set()
        at.relay.faults.offline = False
        with anyio.fail_after(PATIENCE_S):
            await running.wait()
            await second.pause()
            await first.sent()
        assert (await until(at.at_bob, e2ecore.MessageReceived)).message.attachment.name
        assert not second.is_settled
        assert [one.upload_id for one in await at.chat.uploads()] == [second.upload_id]


async def test_an_album_that_is_cancelled_in_its_middle_is_gone_everywhere(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        files = [OutgoingFile(io.BytesIO(os.urandom(700_000)), f"{n}.bin") for n in range(4)]
        at.relay.blobs.cut_after = 1_500_000
        upload = await at.chat.send_files(files)
        await troubled(upload)
        assert len(at.relay.blobs.live) == 3
        await upload.cancel()
        with pytest.raises(e2ecore.UploadCancelledError):
            await upload.sent()
        await at.acknowledged()
        with anyio.fail_after(PATIENCE_S):
            while list(folder_of(tmp_path / "alice.db").iterdir()):  # noqa: ASYNC110
                await anyio.sleep(0.005)
        assert not any(one.attachments for one in await at.chat.messages())


async def test_an_app_whose_callback_fails_is_not_called_again_and_the_file_is_sent(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as at:
        calls: list[int] = []

        def told(done: int, _: int) -> None:
            calls.append(done)
            raise RuntimeError("a mistake in the app")

        upload = await at.chat.send_file(io.BytesIO(DATA), name="a.bin", on_progress=told)
        with anyio.fail_after(PATIENCE_S):
            await upload.sent()
        assert len(calls) == 1


async def test_the_limit_of_copies_spares_what_is_being_fetched_and_counts_what_is_kept(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as at:
        _, large = await at.send()
        _, small = await at.send(b"x" * 100_000)
        await at.bob.files.set_limit(50_000)
        reached, other_done = anyio.Event(), anyio.Event()

        def told(done: int, _: int) -> None:
            if done:
                reached.set()

        async def fetch_large() -> None:
            await large.attachment.download(tmp_path / "large", on_progress=told)
            other_done.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fetch_large)
            with anyio.fail_after(PATIENCE_S):
                await reached.wait()
                await small.attachment.download(tmp_path / "small")
                await other_done.wait()
        assert (tmp_path / "large").read_bytes() == DATA
        assert (tmp_path / "small").read_bytes() == b"x" * 100_000
        assert await at.bob.files.size() <= 50_000
        await at.bob.files.set_limit(0)
        assert await at.bob.files.size() == 0


async def test_a_damaged_copy_is_noticed_discarded_and_fetched_again(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, seen = await at.send()
        await seen.attachment.download()
        (copy,) = folder_of(tmp_path / "bob.db").iterdir()
        damaged = bytearray(copy.read_bytes())
        damaged[500_000] ^= 1
        copy.write_bytes(damaged)
        await at.acknowledged()
        with pytest.raises(CachedFileError):
            await (await at.now(at.other, seen)).read()
        assert not (await at.now(at.other, seen)).is_stored
        with pytest.raises(e2ecore.AttachmentGoneError):
            await seen.attachment.download(tmp_path / "out")
        await seen.attachment.ask_again()
        await until(at.at_alice, e2ecore.AttachmentAsked)
        await own.attachment.upload_again()
        await until(at.at_bob, e2ecore.AttachmentOffered)
        await (await at.now(at.other, seen)).download(tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == DATA


async def test_who_has_no_copy_any_more_cannot_upload_again_and_nobody_else_is_asked(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as at:
        own, seen = await at.send()
        (blob,) = at.relay.blobs.live.values()
        at.relay.blobs.end(blob, DeletionReason.EXPIRED)
        with pytest.raises(e2ecore.AttachmentGoneError):
            await seen.attachment.download()
        await own.attachment.discard()
        await seen.attachment.ask_again()
        asked = await until(at.at_alice, e2ecore.AttachmentAsked)
        assert asked.message_id == own.message_id
        with pytest.raises(e2ecore.AttachmentNotHereError):
            await own.attachment.upload_again()
        with pytest.raises(e2ecore.AttachmentNotHereError):
            await seen.attachment.upload_again()
        assert (await at.now(at.other, seen)).state is AttachmentState.EXPIRED


async def test_a_receipt_that_comes_late_is_kept_and_missed_only_once(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, _seen = await at.send()
        (blob,) = at.relay.blobs.live.values()
        core = at.alice._core
        present = core.clock_ms
        core.clock_ms = lambda: present() + (7 * DAY_S + BLOB_LATE_S) * 1000 + 60_000
        for _ in range(3):
            await look_for_receipts(core)
        late = await until(at.at_alice, e2ecore.DeletionReceiptLate)
        assert (late.message_id, late.expires_ms) == (own.message_id, blob.expires_ms)
        at.relay.blobs.end(blob, DeletionReason.EXPIRED)
        status = await own.attachment.status()
        assert status.deletion is not None
        deleted = await until(at.at_alice, e2ecore.BlobDeleted)
        assert deleted.deletion == status.deletion == (await at.now(at.chat, own)).deletion


def photo() -> bytes:
    """What a telephone makes: a place, a time, an owner."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.Make] = 6, "canary-of-the-camera"
    exif[ExifTags.IFD.GPSInfo] = {1: "N", 2: (52.0, 31.0, 12.0), 29: "canary-of-the-place"}
    out = io.BytesIO()
    picture = Image.linear_gradient("L").resize((300, 200)).convert("RGB")
    picture.save(out, "JPEG", exif=exif, comment=b"canary-of-the-comment")
    return out.getvalue()


async def arrived(at: Scene, *files: OutgoingFile) -> list[e2ecore.Attachment]:
    upload = await at.chat.send_files(list(files))
    with anyio.fail_after(PATIENCE_S):
        await upload.sent()
    return list((await until(at.at_bob, e2ecore.MessageReceived)).message.attachments)


async def test_pictures_leave_without_places_unless_somebody_says_so(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        whole = photo()
        assert whole.count(b"canary-of-the-") == 3
        clean, kept, plain = await arrived(
            at,
            OutgoingFile(io.BytesIO(whole), "clean.jpg"),
            OutgoingFile(io.BytesIO(whole), "kept.jpg", keep_metadata=True),
            OutgoingFile(io.BytesIO(whole), "plain.jpg", form=AttachmentForm.FILE),
        )
        for one in (clean, kept, plain):
            await one.download()
        assert b"canary" not in await clean.read()
        assert b"canary" not in clean.preview + kept.preview
        assert Image.open(io.BytesIO(await clean.read())).getexif()[ExifTags.Base.Orientation] == 6
        assert (clean.width, clean.height) == (200, 300), "as people see it"
        assert await kept.read() == await plain.read() == whole
        assert (clean.form, plain.form, plain.preview) == (
            AttachmentForm.IMAGE, AttachmentForm.FILE, b"",
        )  # fmt: skip
        for name in ("clean.heic", "clean.svg", "broken.jpg"):
            with pytest.raises(e2ecore.UnknownPictureError):
                await at.chat.send_file(io.BytesIO(b"\xff\xd8\xff broken"), name=name)


async def test_a_picture_leaves_without_places_under_whatever_name(tmp_path: Path) -> None:
    """Also where the system has no list of endings, and where a file has none."""
    async with scene(tmp_path) as at:
        for name in ("photo", "photo.unheard", "photo.txt"):
            (found,) = await arrived(at, OutgoingFile(io.BytesIO(photo()), name))
            await found.download()
            assert b"canary" not in await found.read()
            assert (found.form, found.media_type) == (AttachmentForm.IMAGE, "image/jpeg")
        raw = b"II*\0 canary-of-the-maker"
        with pytest.raises(e2ecore.UnknownPictureError):
            await at.chat.send_file(io.BytesIO(raw), name="raw.dng")
        (kept,) = await arrived(at, OutgoingFile(io.BytesIO(raw), "raw.dng", keep_metadata=True))
        await kept.download()
        assert await kept.read() == raw


async def test_a_voice_note_arrives_with_its_length_and_shape(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        (note,) = await arrived(
            at,
            OutgoingFile(
                io.BytesIO(b"opus"), "note.opus", form=AttachmentForm.VOICE, duration_ms=4_200,
                waveform=bytes(range(128)),
            ),
        )  # fmt: skip
        assert (note.form, note.duration_ms, note.waveform, note.media_type) == (
            AttachmentForm.VOICE, 4_200, bytes(range(128)), "audio/ogg",
        )  # fmt: skip


async def test_messages_with_files_are_found_among_many_others(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        sent = []
        for n in range(3):
            upload = await at.chat.send_file(io.BytesIO(b"x"), name=f"{n}.bin")
            with anyio.fail_after(PATIENCE_S):
                sent.append(await upload.sent())
            for _ in range(3):
                await at.chat.send("talk")

        async def names(before: int | None, limit: int) -> list[str]:
            found = await at.chat.messages_with_files(before, limit)
            return [one.attachment.name for one in found]

        assert await names(None, 10) == ["0.bin", "1.bin", "2.bin"]
        assert await names(None, 2) == ["1.bin", "2.bin"]
        assert await names(sent[2].order, 1) == ["1.bin"]
        assert await names(sent[0].order, 1) == []


async def test_an_album_holds_thirty_two_files_and_no_more(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        many = [OutgoingFile(io.BytesIO(b"x"), f"{n}") for n in range(33)]
        with pytest.raises(e2ecore.TooManyFilesError):
            await at.chat.send_files(many)
        files = await arrived(at, *many[:32])
        assert [one.name for one in files] == [f"{n}" for n in range(32)]


async def test_one_bad_file_of_an_album_sends_none_and_leaves_none(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        good = OutgoingFile(io.BytesIO(DATA), "good.bin")
        with pytest.raises(e2ecore.BadFileError):
            await at.chat.send_files([good, OutgoingFile(tmp_path / "nothing")])
        with anyio.fail_after(PATIENCE_S):
            while list(folder_of(tmp_path / "alice.db").iterdir()):  # noqa: ASYNC110
                await anyio.sleep(0.005)
        assert await at.chat.uploads() == []


@pytest.mark.parametrize("problem", [BlobProblem.GONE, BlobProblem.TOKEN_USED])
async def test_a_file_that_goes_while_it_is_fetched_is_said_to_be_gone(
    tmp_path: Path, problem: BlobProblem
) -> None:
    def alter(block: bytes, at: int) -> bytes:
        if at > 300_000:
            raise refusal(problem)
        return block

    async with scene(tmp_path) as at:
        _, seen = await at.send()
        at.way.alter = alter
        with pytest.raises(e2ecore.AttachmentGoneError):
            await seen.attachment.download(tmp_path / "out")
        await until(at.at_bob, e2ecore.AttachmentExpired)
        assert not (tmp_path / "out").exists()


async def test_deleting_a_message_while_its_file_is_fetched_leaves_no_copy(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        _, seen = await at.send()
        reached = anyio.Event()

        def told(done: int, _: int) -> None:
            if done:
                reached.set()

        async def fetch() -> None:
            with pytest.raises(e2ecore.AttachmentNotHereError):
                await seen.attachment.download(tmp_path / "out", on_progress=told)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fetch)
            with anyio.fail_after(PATIENCE_S):
                await reached.wait()
            await at.other.delete_messages([seen])
        assert not (tmp_path / "out").exists()
        with anyio.fail_after(PATIENCE_S):
            while list(folder_of(tmp_path / "bob.db").iterdir()):  # noqa: ASYNC110
                await anyio.sleep(0.005)


async def test_deleting_a_message_while_its_file_is_uploaded_again_ends_that(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as at:
        own, seen = await at.send()
        (blob,) = at.relay.blobs.live.values()
        at.relay.blobs.end(blob, DeletionReason.EXPIRED)
        at.relay.blobs.cut_after = 300_000
        await own.attachment.upload_again()
        (upload,) = await at.chat.uploads()
        await troubled(upload)
        assert at.relay.blobs.live
        await at.chat.delete_messages([own])
        at.alice._core.desk.duty_signal.set()
        at.alice._core.desk.upload_signal.set()
        with anyio.fail_after(PATIENCE_S):
            with pytest.raises(e2ecore.MessageGoneError):
                await upload.sent()
        await at.acknowledged()
        assert await at.chat.uploads() == []
        with pytest.raises(e2ecore.AttachmentGoneError):
            await seen.attachment.download()
        with anyio.fail_after(PATIENCE_S):
            while list(folder_of(tmp_path / "alice.db").iterdir()):  # noqa: ASYNC110
                await anyio.sleep(0.005)
