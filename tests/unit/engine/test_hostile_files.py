"""A relay that lies about files: each lie has a name, nothing wrong is shown, nothing is lost."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import AttachmentState, DeletionReason, Upload
from e2ecore.attachments.format import blob_size
from e2ecore.crypto.chunked import HEADER_BYTES, SEALED_CHUNK_BYTES
from e2ecore.crypto.rng import system_rng
from e2ecore.crypto.signing import ED25519
from e2ecore.storage.file_cache import folder_of
from e2ecore.testing.memory_blobs import refusal
from e2ecore.testing.memory_bytes import BLOCK_BYTES
from e2ecore.transport.blobs import UploadState
from e2ecore_protocol.blob_http import BlobProblem
from e2ecore_protocol.frames.blobs import (
    BlobCreated,
    BlobGranted,
    BlobStates,
    DeletionReceipt,
    LiveBlob,
    promise_message,
)
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.limits import DAY_S
from tests.support.engines import PATIENCE_S, until
from tests.support.files import DATA, Scene, scene, troubled

pytestmark = pytest.mark.anyio
SIZE = blob_size(len(DATA))


@pytest.fixture
def anyio_backend() -> str:
    """What is believed does not depend on the loop."""
    return "trio"


async def goes_on(at: Scene, upload: Upload) -> None:
    """Behave again: what was not believed is sent after all, once."""
    at.relay.faults.clear()
    at.way.tell = lambda state: state
    at.alice._core.desk.upload_signal.set()
    with anyio.fail_after(PATIENCE_S):
        await upload.sent()
    seen = (await until(at.at_bob, e2ecore.MessageReceived)).message
    await seen.attachment.download()
    assert await seen.attachment.read() == DATA
    said = [one.message_id for one in await at.other.messages()]
    assert len(set(said)) == len(said)
    assert said[-1] == seen.message_id
    assert await at.chat.uploads() == []


OFFSETS: dict[str, Callable[[UploadState], UploadState]] = {
    "ahead of the end": lambda _: UploadState(SIZE + 1, is_complete=False),
    "far ahead": lambda _: UploadState(1 << 62, is_complete=True),
    "complete too early": lambda _: UploadState(100, is_complete=True),
    "it never moves": lambda _: UploadState(0, is_complete=False),
    "never complete": lambda state: state._replace(is_complete=False),
}


async def test_an_offset_that_cannot_be_is_not_believed_and_not_followed(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        for name, lie in OFFSETS.items():
            at.way.tell, at.way.uploaded = lie, 0
            upload = await at.chat.send_file(io.BytesIO(DATA), name="a.bin")
            error = await troubled(upload)
            assert isinstance(error, e2ecore.RelayProtocolError | e2ecore.BlobRefusedError), name
            assert at.way.uploaded <= SIZE, "nothing is sent again and again"
            await goes_on(at, upload)


async def test_an_offset_that_shrinks_is_not_followed(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        told = iter([500_000, 400_000, 300_000, *[0] * 100])
        at.way.tell = lambda _: UploadState(next(told), is_complete=False)
        at.relay.blobs.max_bytes = 1 << 30
        upload = await at.chat.send_file(io.BytesIO(DATA), name="a.bin")
        assert isinstance(await troubled(upload), e2ecore.TransientError | e2ecore.PeerError)
        assert at.way.uploaded <= SIZE
        await goes_on(at, upload)


async def test_a_relay_that_forgets_an_upload_gets_it_anew_under_another_key(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as at:
        at.relay.blobs.cut_after = 300_000
        upload = await at.chat.send_file(io.BytesIO(DATA), name="a.bin")
        await troubled(upload)
        (blob,) = at.relay.blobs.live.values()
        at.relay.blobs.live.clear()
        await goes_on(at, upload)
        assert blob.share not in {one.share for one in at.relay.blobs.live.values()}


async def test_an_upload_whose_time_at_the_relay_is_over_goes_to_another_blob(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as at:
        at.relay.blobs.cut_after = 300_000
        upload = await at.chat.send_file(io.BytesIO(DATA), name="a.bin")
        await troubled(upload)
        (blob,) = at.relay.blobs.live.values()
        at.relay.blobs.end(blob, DeletionReason.UNFINISHED)
        await goes_on(at, upload)


def created(lie: Callable[[BlobCreated], BlobCreated]) -> Callable[[bytes, Frame], Frame]:
    return lambda _, answer: lie(answer) if isinstance(answer, BlobCreated) else answer


def granted(lie: Callable[[BlobGranted], BlobGranted]) -> Callable[[bytes, Frame], Frame]:
    return lambda _, answer: lie(answer) if isinstance(answer, BlobGranted) else answer


async def test_a_promise_that_is_none_stops_an_upload_and_erases_nothing(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.send(b"the key is known")
        at.relay.blobs.live.clear()
        for lie in ("forged", "of another size", "too long", "by another key"):

            def told(frame: BlobCreated, lie: str = lie) -> BlobCreated:
                (blob,) = at.relay.blobs.live.values()
                key, expires_ms, size = at.relay.blobs.key, frame.expires_ms, blob.size
                if lie == "by another key":
                    key = ED25519.generate(system_rng)
                size += lie == "of another size"
                expires_ms += 1_000 * DAY_S * (lie == "too long")
                name = at.alice._core.server_name
                signed = key.sign(promise_message(name, blob.blob_id, size, expires_ms))
                signed = bytes(64) if lie == "forged" else signed
                return replace(frame, expires_ms=expires_ms, promise=signed, receipt_key=key.public)

            at.relay.faults.answers.append(created(told))
            at.way.uploaded = 0
            upload = await at.chat.send_file(io.BytesIO(DATA), name="a.bin")
            error = await troubled(upload)
            assert isinstance(error, e2ecore.PromiseInvalidError | e2ecore.ReceiptKeyChangedError)
            assert not at.way.uploaded, lie
            await goes_on(at, upload)
            await at.acknowledged()


GRANTS: list[tuple[Callable[[BlobGranted], BlobGranted], type[Exception]]] = [
    (lambda one: replace(one, size=one.size + 1), e2ecore.AttachmentSizeError),
    (lambda one: replace(one, size=blob_size(0)), e2ecore.AttachmentSizeError),
    (lambda one: replace(one, promise=bytes(64)), e2ecore.PromiseInvalidError),
    (lambda one: replace(one, expires_ms=1), e2ecore.PromiseInvalidError),
    (lambda one: replace(one, receipt_key=bytes(32)), e2ecore.ReceiptKeyChangedError),
    (lambda one: replace(one, share=bytes(32)), e2ecore.AttachmentKeyError),
    (lambda one: replace(one, fetch_token=bytes(32)), e2ecore.BlobRefusedError),
]


async def test_a_grant_that_lies_gives_nothing(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        _, first = await at.send(b"the key is known")
        await first.attachment.download()
        _, seen = await at.send()
        for lie, error in GRANTS:
            at.relay.faults.answers.append(granted(lie))
            with pytest.raises(error):
                await seen.attachment.download(tmp_path / "out")
            assert not (tmp_path / "out").exists()
            at.relay.faults.clear()
        await seen.attachment.download(tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == DATA


REFUSALS = (
    BlobProblem.TOKEN_EXPIRED,
    BlobProblem.TOKEN_UNKNOWN,
    BlobProblem.INTERNAL,
    BlobProblem.BUSY,
)


def flipped(place: int) -> Callable[[bytes, int], bytes]:
    """One bit of the blob is another."""

    def alter(block: bytes, at: int) -> bytes:
        if not at <= place < at + len(block):
            return block
        changed = bytearray(block)
        changed[place - at] ^= 1 << place % 8
        return bytes(changed)

    return alter


async def test_one_flipped_bit_anywhere_shows_nothing_at_all(tmp_path: Path) -> None:
    chunks = range(HEADER_BYTES, SIZE, SEALED_CHUNK_BYTES)
    places = {0, 30, HEADER_BYTES - 1, SIZE - 1, *chunks, *(at + 16_395 for at in chunks[:-1])}
    async with scene(tmp_path) as at:
        _, seen = await at.send()
        for place in sorted(places):
            at.way.alter = flipped(place)
            with pytest.raises(e2ecore.AttachmentDamagedError):
                await seen.attachment.download(tmp_path / "out")
            assert not (tmp_path / "out").exists(), place
            assert not list(folder_of(tmp_path / "bob.db").iterdir()), place
            assert not (await at.now(at.other, seen)).is_stored
        assert at.relay.blobs.live, "it was never acknowledged"


async def test_chunks_that_are_swapped_or_left_out_show_nothing(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        _, seen = await at.send()
        (blob,) = at.relay.blobs.live.values()
        right, one = bytes(blob.data), SEALED_CHUNK_BYTES
        first, second = (
            right[HEADER_BYTES + n * one : HEADER_BYTES + (n + 1) * one] for n in (0, 1)
        )
        rest = right[HEADER_BYTES + 2 * one :]
        head = right[:HEADER_BYTES]
        for wrong in (
            head + second + first + rest,
            head + first + first + rest,
            head + second + rest + first,
            right[:-one],
            right[:HEADER_BYTES],
            bytes(len(right)),
        ):
            blob.data = bytearray(wrong)
            with pytest.raises((e2ecore.AttachmentDamagedError, e2ecore.BlobRefusedError)):
                await seen.attachment.download(tmp_path / "out")
            assert not (tmp_path / "out").exists()
        blob.data = bytearray(right)
        await seen.attachment.download(tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == DATA


async def test_a_refusal_in_the_middle_keeps_what_was_fetched(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        _, seen = await at.send()
        begun: list[int] = []
        for number, problem in enumerate(REFUSALS, 1):

            def alter(block: bytes, place: int, number: int = number) -> bytes:
                if place > number * 200_000:
                    raise refusal(problem)  # noqa: B023 - the one of this round
                return block

            at.way.alter = alter
            with pytest.raises(e2ecore.BlobRefusedError) as raised:
                await seen.attachment.download(on_progress=lambda one, _: begun.append(one))
            assert raised.value.code == problem
        at.way.alter = None
        begun.clear()
        await seen.attachment.download(on_progress=lambda one, _: begun.append(one))
        assert begun[0] > len(REFUSALS) * 200_000 - SEALED_CHUNK_BYTES, "not runs, whole chunks"
        again = BLOCK_BYTES + SEALED_CHUNK_BYTES + 2 * HEADER_BYTES  # the block refused, and a rest
        assert at.way.served <= SIZE + len(REFUSALS) * again
        assert await seen.attachment.read() == DATA


async def test_a_deletion_receipt_that_is_forged_is_not_kept(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, seen = await at.send()
        (blob_id,) = at.relay.blobs.live
        forged = DeletionReceipt(blob_id, 1, 1, bytes(64))

        def lie(_device: bytes, answer: Frame) -> Frame:
            if isinstance(answer, BlobStates):
                return replace(answer, live=(), deleted=(forged,))
            return answer

        at.relay.faults.answers.append(lie)
        for file in (own.attachment, seen.attachment):
            with pytest.raises(e2ecore.AttachmentGoneError):
                await file.status()
        assert (await at.now(at.chat, own)).deletion is None
        assert (await at.now(at.other, seen)).state is AttachmentState.REMOTE
        at.relay.faults.clear()
        await seen.attachment.download()
        assert (await until(at.at_alice, e2ecore.BlobDeleted)).deletion is not None


async def test_what_a_relay_says_of_other_blobs_is_passed_over(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, _ = await at.send()

        def lie(_device: bytes, answer: Frame) -> Frame:
            if isinstance(answer, BlobStates):
                return replace(answer, live=(LiveBlob(bytes(16), 1, 1, 9, 9, 1),))
            return answer

        at.relay.faults.answers.append(lie)
        with pytest.raises(e2ecore.AttachmentGoneError):
            await own.attachment.status()
