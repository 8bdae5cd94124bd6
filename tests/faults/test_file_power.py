"""The power fails at every statement of an upload and of a download.

Afterwards the device is opened again with the power on: a message with its file comes once and the
file is the same; nothing half is shown as whole; and no copy is left that belongs to nothing.
"""

import io
import os
import shutil
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import Attachment, Engine, Message, MessageKind
from e2ecore.storage import attachments
from tests.faults.test_engine_power import cut_device, everybody, make_stage, only
from tests.support.engines import PATIENCE_S, said
from tests.support.power import Power, every_cut

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
DATA = os.urandom(40_000)


@pytest.fixture
def anyio_backend() -> str:
    """The database does not care which loop waits for it."""
    return "trio"


async def with_files(engine: Engine) -> list[Message]:
    return [one for one in await said(await only(engine)) if one.kind is MessageKind.FILES]


async def settled(engine: Engine) -> None:
    """Wait until no upload is under way, the relay was told all, and the folder is swept."""
    folder = engine._core.desk.cache.folder

    def is_done() -> bool:
        known = {f"{aid}" for aid in engine._core.read(attachments.kept_ids)}
        found = {one.name for one in folder.iterdir()} if folder.exists() else set()
        owing = engine._core.read(lambda tx: attachments.owing(tx, 1))
        under_way = engine._core.read(attachments.parcels)
        return found == known and not owing and not under_way

    with anyio.fail_after(PATIENCE_S):
        while not is_done():  # noqa: ASYNC110 - nobody sets an event for all of it
            await anyio.sleep(0.005)


async def arrived(engine: Engine) -> list[Message]:
    """Wait for the first message with a file; return all there are."""
    with anyio.fail_after(PATIENCE_S):
        while not (found := await with_files(engine)):  # noqa: ASYNC110 - as above
            await anyio.sleep(0.005)
    return found


async def fetched(file: Attachment) -> bytes:
    await file.download()
    return await file.read()


async def test_a_file_is_sent_once_or_never_and_leaves_no_copy_without_a_message(
    tmp_path: Path,
) -> None:
    stage = await make_stage(tmp_path, "alice", "bob")
    for power in every_cut():
        folder, relay = stage.again()
        promised: list[bool] = []

        async def work(engine: Engine, power: Power = power, told: list[bool] = promised) -> None:
            await engine.caught_up()
            chat = await only(engine)
            power.arm()
            upload = await chat.send_file(io.BytesIO(DATA), "look", name="a.bin")
            told.append(True)
            await (await upload.sent()).accepted()

        await cut_device(folder / "alice.db", relay, power, work)
        async with everybody(folder, relay, "alice") as (alice,):
            await settled(alice)
            assert len(await with_files(alice)) == len(relay.blobs.live) <= 1, power
            assert await with_files(alice) or not promised, power
        if relay.blobs.live and power.survives % 4 == 0:  # each time would take too long
            async with everybody(folder, relay, "alice", "bob") as (_, bob):
                (message,) = await arrived(bob)
                assert await fetched(message.attachment) == DATA, power
        shutil.rmtree(folder)


async def test_a_download_is_whole_or_goes_on_and_the_relay_hears_of_it_once_it_is_safe(
    tmp_path: Path,
) -> None:
    stage = await make_stage(tmp_path, "alice", "bob")
    async with everybody(stage.origin, stage.relay, "alice", "bob") as (alice, bob):
        upload = await (await only(alice)).send_file(io.BytesIO(DATA), name="a.bin")
        await upload.sent()
        await arrived(bob)
    for power in every_cut():
        folder, relay = stage.again()
        target = folder / "out"
        promised: list[bool] = []

        async def work(
            engine: Engine,
            power: Power = power,
            target: Path = target,
            told: list[bool] = promised,
        ) -> None:
            await engine.caught_up()
            (message,) = await with_files(engine)
            power.arm()
            await message.attachment.download(target)
            told.append(True)
            while engine._core.read(lambda tx: attachments.owing(tx, 1)):  # noqa: ASYNC110
                await anyio.sleep(0.005)

        await cut_device(folder / "bob.db", relay, power, work)
        assert not [one for one in folder.iterdir() if one.name.endswith(".part")], power
        if promised or target.exists():
            assert target.read_bytes() == DATA, power
        async with everybody(folder, relay, "bob") as (bob,):
            (message,) = await with_files(bob)
            if not relay.blobs.live:
                assert message.attachment.is_stored, "the relay forgot what nobody has"
            assert await fetched(message.attachment) == DATA, power
            await settled(bob)
            assert not relay.blobs.live, power
        shutil.rmtree(folder)


async def test_a_cancelled_upload_leaves_nothing_anywhere(tmp_path: Path) -> None:
    stage = await make_stage(tmp_path, "alice", "bob")
    for power in every_cut():
        folder, relay = stage.again()

        async def work(engine: Engine, power: Power = power) -> None:
            await engine.caught_up()
            chat = await only(engine)
            upload = await chat.send_file(io.BytesIO(DATA), name="a.bin")
            power.arm()
            await upload.pause()
            try:
                await upload.cancel()
            except e2ecore.MessageGoneError:
                return

        await cut_device(folder / "alice.db", relay, power, work)
        async with everybody(folder, relay, "alice") as (alice,):
            for upload in await (await only(alice)).uploads():
                await upload.cancel()
            await settled(alice)
            assert len(await with_files(alice)) == len(relay.blobs.live) <= 1, power
        shutil.rmtree(folder)
