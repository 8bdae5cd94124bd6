"""What becomes of a device that was removed: at the relay, and on the device itself."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import Engine, RemovalReason
from e2ecore.crypto.signing import ED25519
from e2ecore.engine.account.own_chain import grow_own_chain, own_chain, store_own_chain
from e2ecore.engine.engine import system_clock_ms
from e2ecore.engine.running.job import Job
from e2ecore.testing import MemoryRelay
from e2ecore.testing.devices import open_device
from e2ecore.testing.memory_channel import Session
from e2ecore_protocol.chain.bodies import DeviceRemoved
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames.accounts import Account
from e2ecore_protocol.frames.delivery import Delivery, EnvelopeKind
from e2ecore_protocol.frames.notices import decode_notice
from e2ecore_protocol.frames.removals import DevicesErased, Erased, device_receipt_message
from e2ecore_protocol.frames.session import GoAway
from e2ecore_protocol.limits import DEVICE_RECEIPT_LATE_S
from tests.support.engines import PATIENCE_S, history, pair, same, until
from tests.support.linked import phone_laptop_bob, settled

pytestmark = [pytest.mark.anyio, pytest.mark.clause("GB42012-8.1.1d")]


@pytest.fixture
def anyio_backend() -> str:
    """What is shown here does not depend on the loop."""
    return "trio"


SYNC = e2ecore.Purpose.MULTI_DEVICE_SYNC


def own(engine: Engine) -> e2ecore.Account:
    assert engine.account is not None
    return engine.account


async def remove(phone: Engine, laptop: bytes, reason: RemovalReason) -> None:
    """Remove a device for whatever reason."""
    core = phone._core

    def entries(job: Job) -> Sequence[bytes]:
        body = DeviceRemoved(laptop, reason)
        chain = own_chain(job)
        return (chain.next_entry(body, now_ms=job.now_ms, sign=job.own.identity.sign).encode(),)

    taken = await grow_own_chain(core, lambda: core.jobs.run(entries))
    await core.jobs.run(lambda job: store_own_chain(job, taken))


def files_of(folder: Path, name: str) -> list[str]:
    """Everything that is left of a database but its lock, which is empty."""
    return sorted(one.name for one in folder.glob(f"{name}.db*") if one.suffix != ".lock")


async def proven(phone: Engine, device_id: bytes) -> e2ecore.Device:
    """Wait for the relay's proof."""
    with anyio.fail_after(PATIENCE_S):
        while True:
            for one in await phone.devices.list():
                if one.device_id == device_id and one.erasure is not None:
                    return one
            await anyio.sleep(0.01)


async def gone(folder: Path, name: str) -> None:
    with anyio.fail_after(PATIENCE_S):
        while files_of(folder, name):  # noqa: ASYNC110 - the engine is closed, nobody tells
            await anyio.sleep(0.01)


async def test_the_relay_signs_that_it_keeps_nothing_for_a_removed_device(tmp_path: Path) -> None:
    async with phone_laptop_bob(tmp_path) as (relay, phone, laptop, bob):
        device_id, at_phone = own(laptop).device_id, phone.events()
        chat, _ = await pair(phone, bob)
        await same(laptop, chat)
        await settled(phone)
        await laptop._core.jobs.run(lambda _job: None)
        await phone.devices.remove(device_id)
        told = await until(at_phone, e2ecore.DeviceErased)
        listed = await proven(phone, device_id)
        assert listed.removed_for is RemovalReason.REMOVED
        assert told == e2ecore.DeviceErased(listed.device_id, told.erasure)
        erasure = told.erasure
        assert listed.erasure == erasure
        assert (erasure.conversations, erasure.server_name) == (2, relay.server_name)
        assert erasure.key_packages > 0
        message = device_receipt_message(
            *(relay.server_name, own(phone).account_id, device_id),
            reason=1,
            erased=Erased(erasure.envelopes, 2, erasure.key_packages, 0),
            time_ms=erasure.deleted_ms,
        )
        ED25519.verify(relay.blobs.key.public, message, erasure.signature)
        assert relay.people.packages_left(device_id) == 0
        assert all(device_id not in log.readers for log in relay.logs.values())


@pytest.mark.clause("GB42012-7.3")
async def test_a_removed_device_says_so_and_erases_itself(tmp_path: Path) -> None:
    async with phone_laptop_bob(tmp_path) as (_relay, phone, laptop, bob):
        at_laptop = laptop.events()
        chat, _ = await pair(phone, bob)
        on_laptop = await same(laptop, chat)
        await phone.devices.remove(own(laptop).device_id)
        told = await until(at_laptop, e2ecore.ThisDeviceRemoved)
        assert told.reason is RemovalReason.REMOVED
        left = [one async for one in at_laptop]
        assert all(isinstance(one, e2ecore.ConnectionChanged) for one in left), "and nothing else"
        with pytest.raises(e2ecore.DeviceErasedError):
            await on_laptop.send("still there?")
        with pytest.raises(e2ecore.DeviceErasedError):
            await history(on_laptop)
        await gone(tmp_path, "laptop")


async def test_a_device_that_was_away_erases_itself_when_it_is_next_opened(tmp_path: Path) -> None:
    async with phone_laptop_bob(tmp_path) as (relay, _phone, laptop, _bob):
        device_id = own(laptop).device_id
    async with await open_device(tmp_path / "alice.db", relay.dial) as phone:
        await phone.devices.remove(device_id)
    async with await open_device(tmp_path / "laptop.db", relay.dial) as laptop:
        told = await until(laptop.events(), e2ecore.ThisDeviceRemoved)
        assert told.account_id == own(phone).account_id
        await gone(tmp_path, "laptop")


async def test_a_device_that_crashed_before_it_was_erased_is_erased_before_it_is_read(
    tmp_path: Path,
) -> None:
    async with phone_laptop_bob(tmp_path) as (relay, phone, laptop, _bob):
        at_laptop = laptop.events()
        laptop._core.upkeep.on_parting = None  # the power goes between decision and deed
        await phone.devices.remove(own(laptop).device_id)
        await until(at_laptop, e2ecore.ThisDeviceRemoved)
        laptop._core.upkeep.is_parting = False
    assert "laptop.db" in files_of(tmp_path, "laptop")
    with pytest.raises(e2ecore.DeviceErasedError):
        await open_device(tmp_path / "laptop.db", relay.dial)
    assert files_of(tmp_path, "laptop") == []


async def test_a_device_whose_account_moved_keeps_its_history(tmp_path: Path) -> None:
    async with phone_laptop_bob(tmp_path) as (relay, phone, laptop, bob):
        at_laptop = laptop.events()
        chat, _ = await pair(phone, bob)
        on_laptop = await same(laptop, chat)
        await settled(phone)
        await (await on_laptop.send("said here")).accepted()
        await remove(phone, own(laptop).device_id, RemovalReason.MOVED)
        while not isinstance(
            (await until(at_laptop, e2ecore.ConnectionChanged)).error, e2ecore.DeviceRevokedError
        ):
            pass
        assert await history(on_laptop) == ["said here"]
        listed = await proven(phone, own(laptop).device_id)
        assert listed.removed_for is RemovalReason.MOVED
    async with await open_device(tmp_path / "laptop.db", relay.dial) as laptop:
        assert laptop.account is not None


async def refused_by(engine: Engine, reader: e2ecore.EventReader, times: int) -> None:
    """Have it connect and be sent away some times."""
    for _ in range(times):
        await engine.reconnect()
        while not isinstance(
            (await until(reader, e2ecore.ConnectionChanged)).error, e2ecore.DeviceRevokedError
        ):
            pass


def lies(relay: MemoryRelay, monkeypatch: pytest.MonkeyPatch, pages: Sequence[Account]) -> None:
    """Have a relay send everybody away as removed, with whatever it calls a proof."""

    def refuse(session: Session, _frame: object) -> None:
        session.push(*pages, GoAway(ErrorCode.DEVICE_REVOKED))
        session.close()

    monkeypatch.setattr(relay, "_authenticate", refuse)
    relay.disconnect()


async def test_a_relay_that_lies_about_a_removal_erases_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with phone_laptop_bob(tmp_path) as (relay, phone, laptop, bob):
        chat, _ = await pair(phone, bob)
        on_laptop = await same(laptop, chat)
        await settled(phone)
        await (await on_laptop.send("kept")).accepted()
        at_laptop, account_id = laptop.events(), own(phone).account_id
        identity = (await phone._core.jobs.run(lambda job: job.own)).identity
        true = relay.people.accounts[account_id]
        body, before = DeviceRemoved(own(laptop).device_id), true.state.head_seq - 1
        forger = ED25519.generate(laptop._core.rng)
        unsigned = true.state.next_entry(body, now_ms=1, sign=forger.sign)
        other_past = replace(true.state, head_seq=before)  # signed by the owner, and yet a fork
        fork = other_past.next_entry(body, now_ms=1, sign=identity.sign)
        for entries in (
            [],
            [*true.entries, unsigned.encode()],
            [*true.entries[:-1], fork.encode()],
            relay.people.accounts[own(bob).account_id].entries,
        ):
            page = Account(0, account_id, None, tuple(entries), len(entries))
            lies(relay, monkeypatch, [page] if entries else [])
            await refused_by(laptop, at_laptop, 1)
        assert await history(on_laptop) == ["kept"]
    async with await open_device(tmp_path / "laptop.db", None) as laptop:
        assert laptop.account is not None


async def test_a_withdrawal_counts_at_once_and_reaches_the_relay_when_it_can(
    tmp_path: Path,
) -> None:
    async with phone_laptop_bob(tmp_path) as (relay, phone, laptop, bob):
        at_laptop, at_bob = laptop.events(), bob.events()
        chat, at_bobs = await pair(phone, bob)
        await same(laptop, chat)
        await settled(phone)
        device_id = own(laptop).device_id
        relay.faults.offline = True
        relay.disconnect()
        assert await phone.consents.withdraw(SYNC) == 1
        assert await phone.consents.in_force(SYNC) is None
        relay.faults.offline = False
        for engine in (phone, laptop, bob):
            await engine.reconnect()
        listed = await proven(phone, device_id)
        assert listed.removed_for is RemovalReason.CONSENT_WITHDRAWN
        told = await until(at_laptop, e2ecore.ThisDeviceRemoved)
        assert told.reason is RemovalReason.CONSENT_WITHDRAWN
        await gone(tmp_path, "laptop")
        await settled(phone)
        await until(at_bob, e2ecore.KeyChanged)
        assert [one.kind for one in await at_bobs.messages()][-1] is e2ecore.MessageKind.NOTICE


async def test_a_proof_that_does_not_come_is_missed_once(tmp_path: Path) -> None:
    ahead_ms = 0

    def clock_ms() -> int:
        return system_clock_ms() + ahead_ms

    async with phone_laptop_bob(tmp_path, clock_ms=clock_ms) as (relay, phone, laptop, _bob):
        account_id, device_id = own(phone).account_id, own(laptop).device_id

        def withhold(_device: bytes, items: Sequence[Delivery]) -> list[Delivery]:
            return [one for one in items if one.kind != EnvelopeKind.NOTICE]

        relay.faults.deliveries.append(withhold)
        await phone.devices.remove(device_id)
        ahead_ms = (DEVICE_RECEIPT_LATE_S + 60) * 1000
    async with await open_device(tmp_path / "alice.db", relay.dial, clock_ms=clock_ms) as phone:
        late = await until(phone.events(), e2ecore.DeviceReceiptLate)
        assert late.device_id == device_id
        assert own(phone).account_id == account_id
    async with await open_device(tmp_path / "alice.db", relay.dial, clock_ms=clock_ms) as phone:
        reader = phone.events()
        await phone.caught_up()
        await phone.devices.list()
    assert not [one async for one in reader if isinstance(one, e2ecore.DeviceReceiptLate)]


@pytest.mark.parametrize("wrong", ["signature", "key"])
async def test_a_proof_that_is_not_signed_is_not_kept(wrong: str, tmp_path: Path) -> None:
    async with phone_laptop_bob(tmp_path) as (relay, phone, laptop, _bob):
        at_phone = phone.events()

        def forge(_device: bytes, items: Sequence[Delivery]) -> list[Delivery]:
            return [forged(one) if one.kind == EnvelopeKind.NOTICE else one for one in items]

        def forged(item: Delivery) -> Delivery:
            notice = decode_notice(item.payload)
            if not isinstance(notice, DevicesErased):
                return item
            (receipt,) = notice.receipts
            if wrong == "key":
                bad = replace(notice, receipt_key=ED25519.generate(phone._core.rng).public)
            else:
                bad = replace(notice, receipts=(receipt._replace(time_ms=1),))
            return item._replace(payload=bad.encode())

        relay.faults.deliveries.append(forge)
        await phone.devices.remove(own(laptop).device_id)
        aside = await until(at_phone, e2ecore.EnvelopeQuarantined)
        assert aside.error == "ReceiptInvalidError"
        assert [one.erasure for one in await phone.devices.list()] == [None, None]
