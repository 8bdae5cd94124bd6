"""Clocks go wrong, and key packages age. Neither may split a group or lock somebody out."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import anyio
import pytest

import e2ecore
from e2ecore import Engine
from e2ecore.engine.account.accounts import KEY_PACKAGES_WANTED
from e2ecore.engine.engine import system_clock_ms
from e2ecore.mls.key_package import DEFAULT_LIFETIME_S, KeyPackage
from e2ecore.testing import MemoryRelay, devices, open_device, two_devices
from e2ecore_protocol.frames.conversations import DeviceAddress
from e2ecore_protocol.frames.delivery import EnvelopeKind
from e2ecore_protocol.frames.notices import KeyPackagesLow
from e2ecore_protocol.limits import KEY_PACKAGES_LOW
from tests.support.engines import (
    PATIENCE_S,
    authenticator,
    epoch_reached,
    group_of,
    pair,
    same,
    texts,
    until,
)
from tests.support.lies import kinds_delivered

pytestmark = [pytest.mark.anyio, pytest.mark.spec("RFC 9420 §7.3 (Leaf Node Validation)")]

MINUTE_MS: Final = 60_000
DAY_MS: Final = 24 * 60 * MINUTE_MS
LIFETIME_MS: Final = DEFAULT_LIFETIME_S * 1_000


class Clock:
    """The relay's clock, and clocks that differ from it."""

    def __init__(self) -> None:
        self.passed_ms = 0

    def __call__(self) -> int:
        return system_clock_ms() + self.passed_ms

    def wrong_by(self, minutes: int) -> Callable[[], int]:
        return lambda: self() + minutes * MINUTE_MS


async def test_somebody_joins_a_group_whose_members_joined_long_ago(tmp_path: Path) -> None:
    clock = Clock()
    async with devices(tmp_path, "alice", "bob", clock_ms=clock) as (relay, (alice, bob)):
        group, _ = await group_of((alice, bob))
        clock.passed_ms = LIFETIME_MS + 24 * 60 * MINUTE_MS
        opened = await open_device(tmp_path / "carol.db", relay.dial, clock_ms=clock)
        async with opened as carol:
            await carol.register("carol")
            at_carol = carol.events()
            await (await group.add(await alice.contacts.find("carol"))).applied()
            at_carols = await same(carol, group)
            await (await group.send("welcome")).accepted()
            assert await texts(at_carol, 1) == ["welcome"]
            assert await authenticator(alice, group) == await authenticator(carol, at_carols)
            del bob


async def test_members_whose_clocks_differ_judge_a_commit_alike(tmp_path: Path) -> None:
    """A key package that is still good by one clock and over by all the others."""
    clock = Clock()
    relay = MemoryRelay(clock_ms=clock)
    async with AsyncExitStack() as stack:

        async def member(name: str, minutes: int) -> Engine:
            path, wrong = tmp_path / f"{name}.db", clock.wrong_by(minutes)
            engine = await open_device(path, relay.dial, clock_ms=wrong)
            await stack.enter_async_context(engine)
            await engine.register(name)
            return engine

        alice, bob = await member("alice", -12), await member("bob", +12)
        carol = await member("carol", 0)
        group, at_bobs = await group_of((alice, bob))
        kinds = kinds_delivered(relay)
        clock.passed_ms = LIFETIME_MS + 6 * MINUTE_MS
        await (await group.add(await alice.contacts.find("carol"))).applied()
        at_carols = await same(carol, group)
        await group.refresh()
        await epoch_reached(at_bobs, group.epoch)
        states = [
            await authenticator(engine, view)
            for engine, view in ((alice, group), (bob, at_bobs), (carol, at_carols))
        ]
        assert len(set(states)) == 1
        assert EnvelopeKind.READD_REQUEST not in kinds, "somebody refused the commit"


async def test_who_connects_once_a_month_can_always_be_added(tmp_path: Path) -> None:
    clock = Clock()
    async with devices(tmp_path, "alice", "bob", clock_ms=clock) as (relay, (alice, bob)):
        for engine in (alice, bob):
            engine.events()  # the first reader gets what was before
        for passed in (LIFETIME_MS - 10 * DAY_MS, LIFETIME_MS + 10 * DAY_MS):
            clock.passed_ms = passed
            readers = [engine.events() for engine in (alice, bob)]
            relay.disconnect()
            for engine, reader in zip((alice, bob), readers, strict=True):
                await engine.reconnect()
                await until(reader, e2ecore.CaughtUp)
                await published_again(relay, engine, clock)
        chat, _ = await pair(alice, bob)
        at_bob = bob.events()
        await chat.send("still there")
        assert await texts(at_bob, 1) == ["still there"]


AWAY_MS: Final = 400 * DAY_MS


async def away_and_back(relay: MemoryRelay, path: Path, clock: Clock) -> Engine:
    """Open the device of somebody who was away; the relay knows their new keys then."""
    engine = await open_device(path, relay.dial, clock_ms=clock)
    await engine.__aenter__()
    await engine.caught_up()
    await published_again(relay, engine, clock)
    return engine


@pytest.fixture
async def absent(tmp_path: Path) -> AsyncIterator[tuple[MemoryRelay, Clock, Engine, Engine]]:
    """Alice and bob are here; carol registered, and was then away."""
    clock = Clock()
    async with devices(tmp_path, "alice", "bob", clock_ms=clock) as (relay, (alice, bob)):
        async with await open_device(tmp_path / "carol.db", relay.dial, clock_ms=clock) as carol:
            await carol.register("carol")
            await carol.caught_up()
        yield relay, clock, alice, bob


async def move_on(relay: MemoryRelay, clock: Clock, passed_ms: int, *engines: Engine) -> None:
    """Let time pass; those who are here connect again and publish fresh keys."""
    clock.passed_ms += passed_ms
    for engine in engines:
        engine.events()
        reader = engine.events()
        relay.disconnect()
        await engine.reconnect()
        await until(reader, e2ecore.CaughtUp)
    for engine in engines:
        await published_again(relay, engine, clock)


async def test_who_was_away_for_half_a_year_can_still_be_added(
    absent: tuple[MemoryRelay, Clock, Engine, Engine], tmp_path: Path
) -> None:
    relay, clock, alice, bob = absent
    await move_on(relay, clock, 180 * DAY_MS, alice, bob)
    group, _ = await group_of((alice, bob))
    await (await group.add(await alice.contacts.find("carol"))).applied()
    await (await group.send("welcome")).accepted()
    carol = await away_and_back(relay, tmp_path / "carol.db", clock)
    at_carol = carol.events()  # the first reader gets what was before
    try:
        await same(carol, group)
        assert await texts(at_carol, 1) == ["welcome"]
    finally:
        await carol.__aexit__(None, None, None)


async def test_who_was_away_for_longer_is_waited_for_and_added_when_back(
    absent: tuple[MemoryRelay, Clock, Engine, Engine], tmp_path: Path
) -> None:
    relay, clock, alice, bob = absent
    await move_on(relay, clock, AWAY_MS, alice, bob)
    at_alice, at_bob = alice.events(), bob.events()
    contact = await alice.contacts.find("carol")
    people = [await alice.contacts.find("bob"), contact]
    group = await alice.conversations.create_group("team", people)
    with anyio.fail_after(PATIENCE_S):
        await group.ready()
    waiting = await until(at_alice, e2ecore.WaitingForContact)
    assert waiting.account_id == contact.account_id
    await same(bob, group)
    await (await group.send("without her")).accepted()
    assert await texts(at_bob, 1) == ["without her"]
    chat = await alice.conversations.direct(contact)
    assert (await until(at_alice, e2ecore.WaitingForContact)).account_id == contact.account_id
    await chat.send("for you alone")
    carol = await away_and_back(relay, tmp_path / "carol.db", clock)
    at_carol = carol.events()
    try:
        relay.disconnect()
        await alice.reconnect()
        with anyio.fail_after(PATIENCE_S):
            await chat.ready()
        await same(carol, chat)
        await same(carol, group)
        assert await texts(at_carol, 1) == ["for you alone"]
    finally:
        await carol.__aexit__(None, None, None)


async def test_the_wish_to_add_somebody_who_is_away_can_be_withdrawn(
    absent: tuple[MemoryRelay, Clock, Engine, Engine],
) -> None:
    relay, clock, alice, bob = absent
    await move_on(relay, clock, AWAY_MS, alice, bob)
    at_alice = alice.events()
    group, _ = await group_of((alice, bob))
    contact = await alice.contacts.find("carol")
    change = await group.add(contact)
    await until(at_alice, e2ecore.WaitingForContact)
    await (await group.remove(contact)).applied()
    with anyio.fail_after(PATIENCE_S), pytest.raises(e2ecore.ChangeFailedError):
        await change.applied()


async def test_a_last_resort_is_replaced_as_soon_as_it_was_used(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, alice, bob):
        assert bob.account is not None
        device = bob.account.device_id
        relay.people._packages[device].clear()
        before = relay.people._last_resorts[device]
        await pair(alice, bob)
        with anyio.fail_after(PATIENCE_S):
            while True:
                if relay.people._last_resorts[device] != before:
                    break
                await anyio.sleep(0.01)


async def published_again(relay: MemoryRelay, engine: Engine, clock: Clock) -> None:
    """Wait until everything that the relay would hand out is good for some more weeks."""
    assert engine.account is not None
    device = engine.account.device_id
    with anyio.fail_after(PATIENCE_S):
        while True:
            packages = [
                *relay.people._packages[device],
                relay.people._last_resorts.get(device, b""),
            ]
            if not packages[-1]:
                await anyio.sleep(0.01)
                continue
            leaves = [KeyPackage.decode(one).leaf_node for one in packages]
            ends = [one.lifetime.not_after * 1_000 for one in leaves if one.lifetime is not None]
            if len(ends) == len(packages) and min(ends) > clock() + 29 * DAY_MS:
                return
            await anyio.sleep(0.01)


async def test_key_packages_that_run_out_are_replaced_at_once(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, _, bob):
        assert bob.account is not None
        waiting = relay.people._packages[bob.account.device_id]
        del waiting[KEY_PACKAGES_LOW:]
        address = DeviceAddress(bob.account.account_id, bob.account.device_id)
        draft = KeyPackagesLow(KEY_PACKAGES_LOW)
        relay._notice(address, draft)
        relay._stream()
        with anyio.fail_after(PATIENCE_S):
            while True:
                if len(waiting) >= KEY_PACKAGES_WANTED:
                    break
                await anyio.sleep(0.01)
