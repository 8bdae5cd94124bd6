"""Albums on slow lines: what waits at the relay grows old while the rest still comes."""

import io
from collections.abc import AsyncIterable, Callable
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

import e2ecore
from e2ecore import DeletionReason, OutgoingFile
from e2ecore.engine.files.parcelling import plan_parcel
from e2ecore.storage.attachments import AttachmentRow, FileState
from e2ecore.testing.seeded import VirtualClock
from e2ecore.transport.blobs import BlobTicket, UploadState
from e2ecore_protocol.limits import BLOB_UPLOAD_S, DAY_S
from tests.support.engines import PATIENCE_S, until
from tests.support.files import Scene, Way, scene, troubled

HOUR_MS = 3_600_000
DAY_MS = 1000 * DAY_S


@pytest.fixture
def anyio_backend() -> str:
    """The clock is simulated; the loop does not matter."""
    return "trio"


class SlowWay(Way):
    """Each file takes a time of its own; whoever waits here is not made to wait for real."""

    def __init__(self, at: Scene, clock: VirtualClock, takes_ms: Callable[[int], int]) -> None:
        super().__init__(at.relay.blob_channel)
        self.count = 0
        self._at, self._clock, self._takes_ms = at, clock, takes_ms
        at.alice._core.desk.channel = self

    async def upload_state(self, ticket: BlobTicket, /) -> UploadState:
        self._at.alice._core.desk.upload_signal.set()  # what breaks off is tried again at once
        return await super().upload_state(ticket)

    async def upload(
        self, ticket: BlobTicket, offset: int, data: AsyncIterable[bytes], *, completes: bool
    ) -> UploadState:
        while len(self._at.got) < await self._sent():  # noqa: ASYNC110  bob sets no event
            await anyio.sleep(0.005)
        self._clock.advance(ms=self._takes_ms(self.count))
        self.count += 1
        return await super().upload(ticket, offset, data, completes=completes)

    async def _sent(self) -> int:
        return sum(bool(one.attachments) for one in await self._at.chat.messages())


def album(count: int) -> list[OutgoingFile]:
    return [OutgoingFile(io.BytesIO(bytes([n]) * 1000), f"{n}.bin") for n in range(count)]


async def arrived(at: Scene, count: int) -> list[e2ecore.Message]:
    """Wait for messages that bring so many files; bob fetches each one at once, and it opens."""
    with anyio.fail_after(PATIENCE_S):
        while sum(len(one.attachments) for one in at.got) < count:
            message = (await until(at.at_bob, e2ecore.MessageReceived)).message
            for file in message.attachments:
                await file.download()
                assert await file.read() == bytes([int(file.name.partition(".")[0])]) * 1000
            at.got.append(message)
    return at.got


@pytest.mark.anyio
async def test_an_album_whose_first_file_expires_while_the_rest_comes_arrives_whole(
    tmp_path: Path,
) -> None:
    """A night without connection in the middle: eight days, and the relay keeps files for seven."""
    clock = VirtualClock()
    async with scene(tmp_path, clock_ms=clock) as at:
        SlowWay(at, clock, lambda n: 8 * DAY_MS if n == 2 else HOUR_MS)
        # The third upload ends after its own time at the relay too: that file goes anew as well.
        upload = await at.chat.send_files(album(4), "all of it")
        with anyio.fail_after(PATIENCE_S):
            await upload.sent()
        (message,) = await arrived(at, 4)
        assert message.text == "all of it"
        assert [one.name for one in message.attachments] == ["0.bin", "1.bin", "2.bin", "3.bin"]
        for file in message.attachments:
            assert file.expires_ms is None or file.expires_ms > clock() + 3 * DAY_MS
        assert upload.progress == (4000, 4000)
        await at.acknowledged()


@pytest.mark.anyio
async def test_an_album_that_takes_longer_than_the_relay_keeps_files_comes_in_parts(
    tmp_path: Path,
) -> None:
    clock = VirtualClock()
    async with scene(tmp_path, clock_ms=clock) as at:
        way = SlowWay(at, clock, lambda _: 20 * HOUR_MS)
        upload = await at.chat.send_files(album(12), "all of it")
        found = await arrived(at, 12)
        last = await upload.sent()
        assert [one.name for message in found for one in message.attachments] == [
            f"{n}.bin" for n in range(12)
        ]
        assert [one.text for one in found] == ["all of it", *[""] * (len(found) - 1)]
        assert 2 <= len(found) <= 4, "no more messages than must be"
        assert way.count == 12, "nothing was uploaded twice"
        assert found[-1].message_id == last.message_id
        assert upload.progress == (12_000, 12_000)
        assert await at.chat.uploads() == []


@pytest.mark.anyio
async def test_what_the_relay_deleted_before_the_message_is_uploaded_again(tmp_path: Path) -> None:
    clock = VirtualClock()
    async with scene(tmp_path, clock_ms=clock) as at:

        def takes_ms(count: int) -> int:
            if count == 1:  # the first one is there
                (blob,) = [one for one in at.relay.blobs.live.values() if one.complete]
                at.relay.blobs.end(blob, DeletionReason.OPERATOR)
            return HOUR_MS

        SlowWay(at, clock, takes_ms)
        upload = await at.chat.send_files(album(3))
        with anyio.fail_after(PATIENCE_S):
            await upload.sent()
        (message,) = await arrived(at, 3)
        assert len(message.attachments) == 3


@pytest.mark.anyio
async def test_a_copy_that_was_replaced_at_the_relay_is_told_to_go(tmp_path: Path) -> None:
    clock = VirtualClock()
    async with scene(tmp_path, clock_ms=clock) as at:
        at.relay.blobs.cut_after = 1500
        upload = await at.chat.send_files(album(2))
        await troubled(upload)
        await upload.pause()
        clock.advance(days=6)  # a day is left: too little for who looks now and then
        before = {one.blob_id for one in at.relay.blobs.live.values() if one.complete}
        assert len(before) == 1
        await upload.resume()
        with anyio.fail_after(PATIENCE_S):
            await upload.sent()
            while before & set(at.relay.blobs.live):  # noqa: ASYNC110  nobody sets an event for it
                await anyio.sleep(0.005)
        assert len(at.relay.blobs.live) == 2
        await arrived(at, 2)


def on_the_way(at: Scene) -> tuple[bytes, int]:
    """The only upload at the relay, and how far it is."""
    (blob,) = at.relay.blobs.live.values()
    return blob.blob_id, len(blob.data)


async def come_further(at: Scene, clock: VirtualClock, upload: e2ecore.Upload, hours: int) -> None:
    """The line is down for so long; then a bit more comes through."""
    await upload.pause()
    clock.advance(ms=hours * HOUR_MS)
    _, before = on_the_way(at)
    at.relay.blobs.cut_after = 200
    await upload.resume()
    with anyio.fail_after(PATIENCE_S):
        while at.relay.blobs.cut_after is not None:  # noqa: ASYNC110 - nobody sets an event for it
            await anyio.sleep(0.005)
    assert on_the_way(at)[1] == before + 200


@pytest.mark.anyio
async def test_a_file_that_takes_days_on_the_line_goes_on_where_it_was(tmp_path: Path) -> None:
    clock = VirtualClock()
    async with scene(tmp_path, clock_ms=clock) as at:
        at.relay.blobs.cut_after = 200
        upload = await at.chat.send_files(album(1))
        await troubled(upload)
        blob_id, _ = on_the_way(at)
        for _ in range(3):
            await come_further(at, clock, upload, 20)
        assert on_the_way(at) == (blob_id, 800), "more than two days, and no byte twice"
        at.alice._core.desk.upload_signal.set()
        with anyio.fail_after(PATIENCE_S):
            await upload.sent()
        assert on_the_way(at)[0] == blob_id
        await arrived(at, 1)


@pytest.mark.anyio
async def test_an_upload_that_stood_still_for_a_day_begins_anew(tmp_path: Path) -> None:
    clock = VirtualClock()
    async with scene(tmp_path, clock_ms=clock) as at:
        at.relay.blobs.cut_after = 500
        upload = await at.chat.send_files(album(1))
        await troubled(upload)
        await upload.pause()
        (blob_id, _) = on_the_way(at)
        clock.advance(ms=1000 * BLOB_UPLOAD_S)
        await upload.resume()
        with anyio.fail_after(PATIENCE_S):
            await upload.sent()
        assert not isinstance(upload.trouble, e2ecore.UploadTooSlowError)
        assert on_the_way(at)[0] != blob_id
        await arrived(at, 1)


@pytest.mark.anyio
async def test_a_line_too_slow_for_one_file_is_said_to_be(tmp_path: Path) -> None:
    clock = VirtualClock()
    async with scene(tmp_path, clock_ms=clock) as at:
        at.relay.blobs.cut_after = 500
        upload = await at.chat.send_files(album(1))
        await troubled(upload)
        await upload.pause()
        clock.advance(days=7)
        await upload.resume()
        with anyio.fail_after(PATIENCE_S):
            while not isinstance(upload.trouble, e2ecore.UploadTooSlowError):
                assert not upload.is_settled
                await anyio.sleep(0.005)
            at.alice._core.desk.upload_signal.set()
            await upload.sent()


def row(aid: int, state: FileState, made_ms: int, life_ms: int) -> AttachmentRow:
    return AttachmentRow(
        aid, 0, aid, 1, bytes(16), b"x", 1000, state, used_ms=made_ms, expires_ms=made_ms + life_ms
    )


@given(
    st.lists(st.integers(1, 300), min_size=1, max_size=12),
    st.dictionaries(st.integers(0, 60), st.integers(1, 400), max_size=6),
)
def test_every_file_is_sent_alive_and_there_is_an_end(
    takes: list[int], gaps: dict[int, int]
) -> None:
    """Whatever each upload takes and however long the line is down in between.

    The relay keeps each file for 300. An upload that takes longer than that itself never ends at a
    relay; so none does here.
    """
    life, now, steps = 300, 0, 0
    rows = [row(n + 1, FileState.WAITING, 0, 0) for n in range(len(takes))]
    brought, renewed, sent = 0, set[int](), list[int]()
    while rows:
        now += gaps.get(steps, 0)
        steps += 1
        assert steps < 100, "it never ends"
        plan = plan_parcel(rows, now, brought=brought, renewed=renewed)
        for one in plan.renew:
            renewed.add(one.aid)
            rows[rows.index(one)] = row(one.aid, FileState.WAITING, 0, 0)
        if plan.send:
            for one in plan.send:
                assert one.expires_ms > now or one.aid == brought
                rows.remove(one)
                sent.append(one.aid)
            renewed.clear()
        elif plan.bring is not None:
            made, now = now, now + takes[plan.bring.aid - 1] - 1
            done = row(plan.bring.aid, FileState.UPLOADED, made, life)
            rows[rows.index(plan.bring)] = done
            brought = done.aid
    assert sorted(sent) == [n + 1 for n in range(len(takes))]
