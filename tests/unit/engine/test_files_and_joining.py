"""Files and people who join while they are on their way."""

import io
from collections.abc import AsyncIterable
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore.testing import devices
from e2ecore.transport.blobs import BlobChannel, BlobTicket, UploadState
from tests.support.engines import PATIENCE_S, epoch_reached, group_of, until
from tests.support.files import DATA, Way

pytestmark = pytest.mark.anyio


class _HeldUp(Way):
    """Keeps the first upload waiting."""

    def __init__(self, inner: BlobChannel) -> None:
        super().__init__(inner)
        self.arrived, self.gate = anyio.Event(), anyio.Event()

    async def upload(
        self, ticket: BlobTicket, offset: int, data: AsyncIterable[bytes], *, completes: bool
    ) -> UploadState:
        self.arrived.set()
        await self.gate.wait()
        return await super().upload(ticket, offset, data, completes=completes)


async def test_who_joins_during_an_upload_can_fetch_what_is_said_then(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (relay, (alice, bob, carol)):
        chat, _ = await group_of([alice, bob])
        way = alice._core.desk.channel = _HeldUp(relay.blob_channel)
        at_carol = carol.events()
        with anyio.fail_after(PATIENCE_S):
            upload = await chat.send_file(io.BytesIO(DATA), name="plan.bin")
            await way.arrived.wait()
            before = chat.epoch
            await chat.add(await alice.contacts.find("carol"))
            await epoch_reached(chat, before + 1)
            way.gate.set()
            await upload.sent()
        received = (await until(at_carol, e2ecore.MessageReceived)).message
        carol._core.desk.channel = relay.blob_channel
        await received.attachment.download(tmp_path / "plan.bin")
        assert (tmp_path / "plan.bin").read_bytes() == DATA


async def test_a_file_that_ended_before_its_message_is_uploaded_again(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (relay, (alice, bob, _)):
        chat, _ = await group_of([alice, bob])
        way = alice._core.desk.channel = _HeldUp(relay.blob_channel)
        at_bob = bob.events()
        with anyio.fail_after(PATIENCE_S):
            upload = await chat.send_file(io.BytesIO(b"first"), name="one")
            await way.arrived.wait()
            (blob,) = relay.blobs.live.values()
            relay.blobs.end(blob, e2ecore.DeletionReason.OPERATOR)
            way.gate.set()
            await upload.sent()
        received = (await until(at_bob, e2ecore.MessageReceived)).message
        bob._core.desk.channel = relay.blob_channel
        await received.attachment.download(tmp_path / "one")
        assert (tmp_path / "one").read_bytes() == b"first"
