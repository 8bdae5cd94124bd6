"""How giving history ends: stopped, or no longer agreed to, wherever a kill meets it."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import TransferState
from e2ecore.engine.errors import EngineClosedError
from e2ecore.engine.files import fetching
from e2ecore.engine.running.core import Core
from e2ecore.engine.running.job import Job
from e2ecore.engine.taking_along import giving, taking
from e2ecore.storage import attachments
from e2ecore.storage import history_transfers as transfers
from e2ecore.testing.memory_relay import MemoryRelay
from tests.support.linked import comes_true
from tests.unit.engine.test_history_transfer import (
    nothing_left,
    opened,
    prepare,
    reach,
    small_parts,
    words,
)

pytestmark = [pytest.mark.anyio, pytest.mark.clause("GB42012-8.1.1d")]


async def test_taking_the_consent_back_stops_it_and_the_relay_deletes_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay = await prepare(tmp_path)
    small_parts(monkeypatch, 2)
    async with opened(tmp_path, relay, "alice") as (phone, _):
        laptop = next(one.device_id for one in await phone.devices.list() if not one.is_this)
        await phone.devices.give_history(laptop)
        await reach(phone, TransferState.GIVEN)
        assert len(relay.blobs.live) > 1
        await phone.consents.withdraw(e2ecore.Purpose.HISTORY_TRANSFER)
        await reach(phone, TransferState.ENDED)
        await nothing_left(relay)
        assert relay.blobs.receipts
    async with opened(tmp_path, relay, "laptop") as (engine, there):
        await engine.caught_up()
        assert await words(there) == []


async def test_stopping_it_is_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    relay = await prepare(tmp_path)
    small_parts(monkeypatch, 2)
    async with opened(tmp_path, relay, "alice") as (phone, _):
        laptop = next(one.device_id for one in await phone.devices.list() if not one.is_this)
        begun = await phone.devices.give_history(laptop)
        await phone.devices.stop_history(begun.transfer_id)
        await phone.devices.stop_history(bytes(16))
        await reach(phone, TransferState.ENDED)
        await nothing_left(relay)
    async with opened(tmp_path, relay, "alice") as (phone, _):
        assert (await reach(phone, TransferState.ENDED)).state is TransferState.ENDED


async def test_stopping_is_one_step_wherever_a_kill_meets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is at the relay, what is on its way there, and the word that it is over go together."""
    relay = await prepare(tmp_path)
    small_parts(monkeypatch, 2)
    async with opened(tmp_path, relay, "alice") as (phone, _):
        laptop = next(one.device_id for one in await phone.devices.list() if not one.is_this)
        begun = await phone.devices.give_history(laptop)
        await comes_true(lambda: has_blobs(relay))
        core = phone._core
        jobs = core.jobs.run
        done: list[object] = []

        async def once(work: Callable[[Job], object]) -> object:
            if done:
                raise EngineClosedError
            done.append(work)
            return await jobs(work)

        with monkeypatch.context() as patch, suppress(EngineClosedError):
            patch.setattr(core.jobs, "run", once)
            await giving.end_gift(core, begun.transfer_id)
        assert done
        assert core.read(lambda tx: transfers.parts(tx, begun.transfer_id)) == []
        assert core.read(attachments.parcels) == []
    async with opened(tmp_path, relay, "alice"):
        await nothing_left(relay)


async def has_blobs(relay: MemoryRelay) -> bool:
    """Is there a part at the relay?"""
    return bool(relay.blobs.live)


async def test_what_was_announced_is_not_taken_after_the_consent_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay = await prepare(tmp_path)
    small_parts(monkeypatch, 4)
    monkeypatch.setattr(taking, "AGAIN_S", 0.01)
    fetch, is_let = fetching.download, False

    async def late(core: Core, aid: int, to: None, on_progress: None) -> Path | None:
        if not is_let:
            raise e2ecore.PromiseInvalidError  # a relay that lies stops nothing but this
        return await fetch(core, aid, to, on_progress)

    monkeypatch.setattr(fetching, "download", late)

    async def leave_it(*_: object) -> None:
        """Give, but do not recall."""

    async with opened(tmp_path, relay, "alice") as (phone, _):
        laptop = next(one.device_id for one in await phone.devices.list() if not one.is_this)
        await phone.devices.give_history(laptop)
        await reach(phone, TransferState.GIVEN)
        async with opened(tmp_path, relay, "laptop") as (engine, _):
            await reach(engine, TransferState.UNDER_WAY)
        monkeypatch.setattr(giving, "end_gift", leave_it)
        await phone.consents.withdraw(e2ecore.Purpose.HISTORY_TRANSFER)
        await phone.consents.settled()
        async with opened(tmp_path, relay, "laptop") as (engine, there):
            events = engine.events()
            await reach(engine, TransferState.INCOMPLETE)
            is_let = True
            await nothing_left(relay)
            assert await words(there) == []
            with anyio.move_on_after(0):
                async for event in events:
                    assert not isinstance(event, e2ecore.DefectMet)


async def test_a_part_that_is_damaged_does_not_wait_at_the_relay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay = await prepare(tmp_path)
    small_parts(monkeypatch, 4)
    fetch = fetching.download

    async def damaged(*_: object) -> Path | None:
        monkeypatch.setattr(fetching, "download", fetch)
        raise e2ecore.AttachmentDamagedError

    async with opened(tmp_path, relay, "alice") as (phone, chat):
        laptop = next(one.device_id for one in await phone.devices.list() if not one.is_this)
        await phone.devices.give_history(laptop)
        await reach(phone, TransferState.GIVEN)
        monkeypatch.setattr(fetching, "download", damaged)
        async with opened(tmp_path, relay, "laptop") as (engine, there):
            await reach(engine, TransferState.INCOMPLETE)
            assert 0 < len(await words(there)) < len(await words(chat))
            await nothing_left(relay)
