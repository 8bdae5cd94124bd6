"""Second devices that no consent covers, with a relay and with a client that lie for them."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore.engine.engine import system_clock_ms
from e2ecore.engine.membership import inviting
from e2ecore.engine.own_devices import lapsing
from e2ecore.engine.running.job import Job
from e2ecore.ids import AccountId, DeviceId
from e2ecore.messaging.identity import LeafIdentity
from e2ecore.messaging.intents import IntentKind, Wish
from e2ecore.mls.members import Member
from e2ecore.storage import intents
from e2ecore.testing import devices
from e2ecore.testing.devices import open_device
from e2ecore_protocol.limits import MAX_CLOCK_DIFFERENCE_MS
from tests.support.engines import group_of, pair, same, texts, until
from tests.support.lies import add_device, consent, grow_chain, keys_of
from tests.support.linked import link, settled

pytestmark = [pytest.mark.anyio, pytest.mark.clause("GB42012-8.1.1d")]
HOUR_MS = 3_600_000


class Clock:
    """Everybody's clock; it can be put forward."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def __call__(self) -> int:
        return system_clock_ms() + self.ahead_ms


async def test_a_device_is_not_heard_once_the_consent_for_it_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The relay goes on serving it: the other clients refuse, and the first device takes it out."""
    clock = Clock()
    async with devices(tmp_path, "alice", "bob", clock_ms=clock) as (relay, (phone, bob)):
        monkeypatch.setattr(relay.people, "covered_ms", lambda _device: None)
        await phone.consents.grant(
            e2ecore.shipped_notice(e2ecore.Purpose.MULTI_DEVICE_SYNC),
            controller=e2ecore.Controller("The Operator", "privacy@relay.example"),
            expires_ms=clock() + HOUR_MS,
        )
        opened = await open_device(tmp_path / "laptop.db", relay.dial, clock_ms=clock)
        async with opened as laptop:
            await link(phone, laptop)
            at_bob = bob.events()
            chat, _ = await pair(phone, bob)
            there = await same(laptop, chat)
            await settled(phone)
            await (await there.send("in time")).accepted()
            assert await texts(at_bob, 1) == ["in time"]
            clock.ahead_ms = HOUR_MS + MAX_CLOCK_DIFFERENCE_MS + 1
            await (await there.send("too late")).accepted()
            set_aside = await until(at_bob, e2ecore.EnvelopeQuarantined)
            assert set_aside.error == "LapsedDeviceError"
            await chat.refresh()
            epoch = chat.epoch
            relay.disconnect()
            await phone.reconnect()
            with anyio.fail_after(120):
                while chat.epoch == epoch:
                    await anyio.sleep(0.02)
                    await chat.refresh()
            shown = {one.is_this: one.counts for one in await phone.devices.list()}
            assert shown == {True: True, False: False}
            await (await chat.send("from the first device")).accepted()
            assert await texts(at_bob, 1) == ["from the first device"]


async def test_a_commit_of_a_device_whose_consent_is_over_has_no_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither has what it wants to change, though the relay takes it and it is well signed."""
    clock = Clock()
    async with devices(tmp_path, "alice", "bob", clock_ms=clock) as (relay, (phone, bob)):
        monkeypatch.setattr(relay.people, "covered_ms", lambda _device: None)
        await phone.consents.grant(
            e2ecore.shipped_notice(e2ecore.Purpose.MULTI_DEVICE_SYNC),
            controller=e2ecore.Controller("The Operator", "privacy@relay.example"),
            expires_ms=clock() + HOUR_MS,
        )
        opened = await open_device(tmp_path / "laptop.db", relay.dial, clock_ms=clock)
        async with opened as laptop:
            await link(phone, laptop)
            at_bob = bob.events()
            group, at_bobs = await group_of([phone, bob])
            there = await same(laptop, group)
            await settled(phone)
            clock.ahead_ms = HOUR_MS + MAX_CLOCK_DIFFERENCE_MS + 1
            await there.rename("theirs now")
            assert (await until(at_bob, e2ecore.EnvelopeQuarantined)).error == "ForeignLeafError"
            await at_bobs.refresh()
            assert at_bobs.title == "team"


@pytest.mark.parametrize("was_given", [False, True])
async def test_no_client_takes_the_leaf_of_a_device_without_consent_from_a_modified_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, was_given: bool
) -> None:
    """Bob's client seats a second device of his, and the relay plays along: Alice's refuses.

    There was no consent to it ever, or it is over.
    """
    clock = Clock()
    async with devices(tmp_path, "alice", "bob", clock_ms=clock) as (relay, (alice, bob)):
        at_alice = alice.events()
        chat, _ = await pair(alice, bob)
        own = await keys_of(bob)
        if was_given:
            await grow_chain(relay, bob, replace(consent(), expires_ms=clock() + HOUR_MS))
        device_id = await add_device(relay, bob, own.identity)
        clock.ahead_ms = 2 * HOUR_MS

        def vouch(_job: Job, _leaves: Iterable[Member]) -> None:
            """Take any leaf."""

        monkeypatch.setattr(inviting, "check_leaves", vouch)
        monkeypatch.setattr(relay, "_key_of", lambda _address: b"")
        who = LeafIdentity(AccountId(own.account_id), DeviceId(device_id))

        def seat(job: Job) -> None:
            mirror = job.state.find(job.tx, chat.conversation_id)
            assert mirror is not None
            wish = replace(Wish(IntentKind.SEAT), devices=(who,))
            intents.add(job.tx, mirror.cid, wish.kind, wish.encode(), job.now_ms)
            job.effects.intents.add(mirror.cid)

        await bob._core.jobs.run(seat)
        assert (await until(at_alice, e2ecore.EnvelopeQuarantined)).error == "ForeignLeafError"

        def seated(job: Job) -> set[bytes]:
            mirror = job.state.find(job.tx, chat.conversation_id)
            assert mirror is not None
            return {one.device_id for one in mirror.by_leaf.values()}

        assert device_id not in await alice._core.jobs.run(seated)


async def test_devices_are_removed_the_moment_the_consent_for_them_is_over(tmp_path: Path) -> None:
    """Nobody has to come or to ask: there is a timer."""
    clock = Clock()
    async with devices(tmp_path, "alice", "bob", clock_ms=clock) as (relay, (phone, bob)):
        opened = await open_device(tmp_path / "laptop.db", relay.dial, clock_ms=clock)
        async with opened as laptop:
            await phone.consents.grant(
                e2ecore.shipped_notice(e2ecore.Purpose.MULTI_DEVICE_SYNC),
                controller=e2ecore.Controller("The Operator", "privacy@relay.example"),
                expires_ms=clock() + HOUR_MS,
            )
            await link(phone, laptop)
            chat, _ = await pair(phone, bob)
            at_laptop, at_phone = laptop.events(), phone.events()
            assert laptop.account is not None
            device_id = laptop.account.device_id
            assert 0 < (lapsing.left_ms(phone._core) or 0) <= HOUR_MS
            clock.ahead_ms = HOUR_MS
            phone._core.upkeep.to_lapse.set()  # the hour that it waits for is over
            told = await until(at_laptop, e2ecore.ThisDeviceRemoved)
            assert told.reason is e2ecore.RemovalReason.CONSENT_EXPIRED
            assert (await until(at_phone, e2ecore.DeviceErased)).device_id == device_id
            assert lapsing.left_ms(phone._core) is None
            await settled(phone)
            await (await chat.send("and the first one goes on")).accepted()


@pytest.mark.parametrize("years", [1, -1])
async def test_a_clock_that_jumps_by_a_year_removes_no_device(years: int, tmp_path: Path) -> None:
    clock = Clock()
    async with devices(tmp_path, "bob") as (relay, _):
        opened = await open_device(tmp_path / "alice.db", relay.dial, clock_ms=clock)
        async with (
            opened as phone,
            await open_device(tmp_path / "laptop.db", relay.dial) as laptop,
        ):
            await phone.register("alice")
            await phone.consents.grant(
                e2ecore.shipped_notice(e2ecore.Purpose.MULTI_DEVICE_SYNC),
                controller=e2ecore.Controller("The Operator", "privacy@relay.example"),
                expires_ms=clock() + 300 * 24 * HOUR_MS,
            )
            await link(phone, laptop)
            at_phone = phone.events()
            clock.ahead_ms = years * 365 * 24 * HOUR_MS
            phone._core.upkeep.to_lapse.set()
            if years < 0:
                relay.disconnect()
            while not isinstance(
                (await until(at_phone, e2ecore.ConnectionChanged)).error, e2ecore.ClockSkewError
            ):
                pass
            clock.ahead_ms = 0
            await phone.reconnect()
            await phone.caught_up()
            assert [one.removed_ms for one in await phone.devices.list()] == [None, None]
            assert laptop.account is not None
