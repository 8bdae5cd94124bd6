"""The quarantine of a linked device, and its end: the second confirmation."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import Engine
from e2ecore.crypto.signing import ED25519
from e2ecore.engine.engine import system_clock_ms
from e2ecore.engine.own_devices.confirming import QUARANTINE_MS
from e2ecore.engine.own_devices.handing import (
    BadKeyHandoverError,
    confirmation_of,
    take_key_handover,
)
from e2ecore.engine.own_talk.own_group import own_group, tell_own_devices
from e2ecore.engine.own_talk.own_topic import OwnTopic
from e2ecore.engine.running.job import Job
from e2ecore.mls.key_package import KeyPackageBundle
from e2ecore.storage import account, key_packages, quarantine
from e2ecore.storage.key_packages import KeyPackageState
from e2ecore.testing import devices
from e2ecore.testing.devices import PASSPHRASE, open_device
from e2ecore.testing.memory_relay import MemoryRelay
from e2ecore_protocol.chain.bodies import RemovalReason
from e2ecore_protocol.content.key_handover import (
    KEY_HANDOVER_INFO,
    KeyHandover,
    handover_context,
)
from e2ecore_protocol.frames.accounts import AppendChain
from e2ecore_protocol.frames.session import Ok
from tests.support.engines import PATIENCE_S, agree, pair, same, texts, until
from tests.support.linked import comes_true, link, phone_laptop_bob, run, seated

pytestmark = [pytest.mark.anyio, pytest.mark.clause("GB42012-8.1.1d")]
YEAR_MS = 365 * 24 * 3600 * 1000


class Clock:
    """Everybody's clock, the relay's included."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def __call__(self) -> int:
        return system_clock_ms() + self.ahead_ms


def own(engine: Engine) -> e2ecore.Account:
    assert engine.account is not None
    return engine.account


def holds(engine: Engine) -> bool:
    row = engine._core.read(account.load)
    return row is not None and bool(row.identity_key)


@asynccontextmanager
async def linked(
    folder: Path, clock: Clock
) -> AsyncIterator[tuple[MemoryRelay, Engine, Engine, Engine]]:
    """As ``phone_laptop_bob``, and both devices hear each other."""
    async with phone_laptop_bob(folder, clock_ms=clock) as (relay, phone, laptop, bob):
        await seated(phone, 2)
        await seated(laptop, 2)
        yield relay, phone, laptop, bob


async def anew(relay: MemoryRelay, *engines: Engine) -> None:
    """Connect again: clocks are compared with the relay's."""
    readers = [one.events() for one in engines]
    relay.disconnect()
    for one, reader in zip(engines, readers, strict=True):
        await one.reconnect()
        await until(reader, e2ecore.CaughtUp)


async def confirmed(phone: Engine, laptop: Engine, *, override: bool = False) -> None:
    """Confirm a device, and wait until it has the key."""
    await phone.devices.confirm(own(laptop).device_id, PASSPHRASE, override=override)

    async def check() -> bool:
        return holds(laptop)

    await comes_true(check)


async def test_a_device_is_confirmed_after_a_day_and_not_before(tmp_path: Path) -> None:
    clock = Clock()
    async with linked(tmp_path, clock) as (relay, phone, laptop, _bob):
        device_id = own(laptop).device_id
        with pytest.raises(e2ecore.DeviceInQuarantineError) as early:
            await phone.devices.confirm(device_id, PASSPHRASE)
        assert QUARANTINE_MS - 60_000 < early.value.until_ms - clock() <= QUARANTINE_MS
        with pytest.raises(e2ecore.WrongKeyError):
            await phone.devices.confirm(device_id, "not the passphrase", override=True)
        assert not holds(laptop)
        with pytest.raises(e2ecore.NotHolderError):
            await laptop.devices.confirm(own(phone).device_id, PASSPHRASE)
        clock.ahead_ms = QUARANTINE_MS + 1
        await anew(relay, phone, laptop)
        at_laptop = laptop.events()
        await confirmed(phone, laptop)
        told = await until(at_laptop, e2ecore.DeviceConfirmed)
        assert told == e2ecore.DeviceConfirmed(device_id, own(phone).device_id, early=False)
        for one in (phone, laptop):
            (shown,) = (await one.devices.news()).confirmed
            assert (shown.device_id, shown.confirmed_early) == (device_id, False)
            await one.devices.seen()
            assert not (await one.devices.news()).confirmed


async def test_who_insists_confirms_at_once_and_that_is_told_everywhere(tmp_path: Path) -> None:
    async with linked(tmp_path, Clock()) as (_relay, phone, laptop, _bob):
        await confirmed(phone, laptop, override=True)
        for one in (phone, laptop):
            shown = {two.device_id: two for two in await one.devices.list()}
            assert shown[own(laptop).device_id].confirmed_early
            assert shown[own(phone).device_id].confirmed_ms is None


async def test_a_clock_that_jumps_a_year_does_not_shorten_the_quarantine(tmp_path: Path) -> None:
    """Time is the relay's; a device whose clock differs from it does not even come to it."""
    clock = Clock()
    async with linked(tmp_path, Clock()) as (relay, phone, laptop, _bob):
        phone._core.clock_ms = phone._core.state.clock_ms = clock
        refusals = (e2ecore.DeviceInQuarantineError, e2ecore.ClockSkewError)
        for ahead_ms in (YEAR_MS, -YEAR_MS, YEAR_MS):
            clock.ahead_ms = ahead_ms
            with pytest.raises(refusals):
                await phone.devices.confirm(own(laptop).device_id, PASSPHRASE)
            relay.disconnect()
            with pytest.raises((*refusals, e2ecore.TransientError)):
                await phone.devices.confirm(own(laptop).device_id, PASSPHRASE)
        clock.ahead_ms = 0
        with pytest.raises(e2ecore.DeviceInQuarantineError):
            await phone.devices.confirm(own(laptop).device_id, PASSPHRASE)
        assert not holds(laptop)


async def test_the_first_device_is_lost_and_the_account_is_not(tmp_path: Path) -> None:
    async with (
        devices(tmp_path, "bob") as (relay, (bob,)),
        await open_device(tmp_path / "laptop.db", relay.dial) as laptop,
    ):
        async with await open_device(tmp_path / "phone.db", relay.dial) as phone:
            await phone.register("alice")
            chat, _ = await pair(phone, bob)
            await agree(phone, e2ecore.Purpose.MULTI_DEVICE_SYNC)
            await link(phone, laptop)
            there = await same(laptop, chat)
            await seated(phone, 2)
            await seated(laptop, 2)
            await confirmed(phone, laptop, override=True)
            lost = own(phone).device_id
        await laptop.devices.remove(lost)
        async with await open_device(tmp_path / "tablet.db", relay.dial) as tablet:
            device_id = await link(laptop, tablet)
            live = [one for one in await laptop.devices.list() if one.removed_ms is None]
            assert {one.device_id for one in live} == {own(laptop).device_id, device_id}
            await agree(laptop, e2ecore.Purpose.READ_RECEIPTS)
            await laptop.consents.settled()
            at_bob = bob.events()
            await (await there.send("the phone is gone")).accepted()
            assert await texts(at_bob, 1) == ["the phone is gone"]


async def test_two_devices_that_change_the_account_at_once_both_come_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with linked(tmp_path, Clock()) as (relay, phone, laptop, _bob):
        await confirmed(phone, laptop, override=True)
        seen: list[bytes] = []
        honest = relay.people.append

        def note(account_id: bytes, frame: AppendChain) -> Ok:
            seen.extend(frame.entries)
            return honest(account_id, frame)

        monkeypatch.setattr(relay.people, "append", note)
        async with anyio.create_task_group() as tasks:
            for one, purpose in (
                (phone, e2ecore.Purpose.READ_RECEIPTS),
                (laptop, e2ecore.Purpose.PRESENCE),
            ):
                tasks.start_soon(agree, one, purpose)
        with anyio.fail_after(PATIENCE_S):
            await phone.consents.settled()
            await laptop.consents.settled()
        state = relay.people.accounts[own(phone).account_id].state
        purposes = {one.purpose for one in state.consents.values()}
        assert {"read_receipts", "presence"} <= purposes
        assert len(seen) >= 2


def confirmation(device_id: bytes, by: Engine, time_ms: int = 1) -> KeyHandover:
    """What is said of a device that was confirmed, with nothing in it and no signature."""
    nothing = bytes(32), bytes(1120), bytes(48)
    return KeyHandover(1, device_id, own(by).device_id, 0, time_ms, *nothing)


async def signed_by(engine: Engine, said: KeyHandover) -> KeyHandover:
    """Sign as a device that has the key of the account."""
    return await run(engine, lambda job: said.signed(job.own.account_id, job.own.identity.sign))


def sealed(job: Job, said: KeyHandover) -> KeyHandover:
    """Put a key that is nobody's in, as it should be: sealed to a key package of this device."""
    row = key_packages.in_state(job.tx, KeyPackageState.PUBLISHED)[0]
    package = KeyPackageBundle.decode(row.bundle).key_package
    context = handover_context(job.own.account_id, job.own.device_id, row.ref)
    key = ED25519.generate(job.state.rng).private
    enc, content = job.state.suite.hpke.seal(package.init_key, KEY_HANDOVER_INFO, context, key)
    return replace(said, key_package=row.ref, enc=enc, sealed=content)


async def take(engine: Engine, said: KeyHandover, sender: Engine) -> None:
    """Have an engine take it as sent by a device of the same account."""

    def work(job: Job) -> None:
        mirror = own_group(job)
        assert mirror is not None
        take_key_handover(job, mirror, mirror.devices[own(sender).device_id], said.encode())

    await run(engine, work)


async def shown(engine: Engine, device_id: bytes) -> e2ecore.Device:
    return next(one for one in await engine.devices.list() if one.device_id == device_id)


async def test_nobody_gives_a_device_another_key_than_the_accounts(tmp_path: Path) -> None:
    async with linked(tmp_path, Clock()) as (_relay, phone, laptop, _bob):
        said = await signed_by(phone, confirmation(own(laptop).device_id, phone))
        with pytest.raises(BadKeyHandoverError, match="not here any more"):
            await take(laptop, said, phone)
        other = await run(laptop, lambda job: sealed(job, said))
        with pytest.raises(BadKeyHandoverError, match="another key than the account's"):
            await take(laptop, await signed_by(phone, other), phone)
        assert not holds(laptop)


async def test_a_device_in_quarantine_cannot_say_that_it_was_confirmed(tmp_path: Path) -> None:
    """Neither in its own name nor in that of a device that has the key."""
    async with linked(tmp_path, Clock()) as (_relay, phone, laptop, _bob):
        device_id = own(laptop).device_id
        forged = [confirmation(device_id, one) for one in (laptop, phone)]

        def claim(job: Job) -> None:
            signed = [one.signed(job.own.account_id, job.own.signer.sign) for one in forged]
            told = [one.encode() for one in signed]
            assert tell_own_devices(job, OwnTopic.IDENTITY_KEY, told)

        async def refused() -> bool:
            rows = phone._core.read(quarantine.all_rows)
            return [one.error for one in rows] == 2 * [BadKeyHandoverError.__name__]

        await run(laptop, claim)
        await comes_true(refused)
        assert (await shown(phone, device_id)).confirmed_ms is None
        await agree(phone, e2ecore.Purpose.HISTORY_TRANSFER)
        with pytest.raises(e2ecore.DeviceNotConfirmedError):
            await phone.devices.give_history(device_id)


async def test_what_was_signed_of_a_confirmation_is_told_once_and_the_newest_counts(
    tmp_path: Path,
) -> None:
    async with linked(tmp_path, Clock()) as (_relay, phone, laptop, _bob):
        lost = bytes(16)
        old, new = [await signed_by(phone, confirmation(lost, phone, ms)) for ms in (5, 9)]
        at_laptop = laptop.events()
        for said, sender in ((new, phone), (old, phone), (new, laptop)):
            await take(laptop, said, sender)
        known = await run(laptop, lambda job: confirmation_of(job.tx, lost))
        assert known is not None
        assert known.time_ms == 9
        await take(laptop, await signed_by(phone, confirmation(bytes(15) + b"x", phone)), phone)
        told = [await until(at_laptop, e2ecore.DeviceConfirmed) for _ in range(2)]
        assert [one.device_id for one in told] == [lost, bytes(15) + b"x"]


async def test_a_device_that_comes_later_learns_which_ones_were_confirmed(tmp_path: Path) -> None:
    async with linked(tmp_path, Clock()) as (relay, phone, laptop, _bob):
        await confirmed(phone, laptop, override=True)
        async with await open_device(tmp_path / "tablet.db", relay.dial) as tablet:
            await link(phone, tablet)

            async def learned() -> bool:
                known = await shown(tablet, own(laptop).device_id)
                return known.confirmed_ms is not None

            await comes_true(learned)
            known = [await shown(one, own(laptop).device_id) for one in (phone, tablet)]
            assert known[0].confirmed_ms == known[1].confirmed_ms
            assert (await shown(tablet, own(tablet).device_id)).confirmed_ms is None


async def test_undoing_it_takes_one_call(tmp_path: Path) -> None:
    async with linked(tmp_path, Clock()) as (_relay, phone, laptop, _bob):
        await confirmed(phone, laptop, override=True)
        await phone.devices.remove(own(laptop).device_id)
        shown = {one.device_id: one for one in await phone.devices.list()}
        assert shown[own(laptop).device_id].removed_for is RemovalReason.REMOVED
