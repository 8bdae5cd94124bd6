"""Clocks go wrong, and key packages age. Neither may split a group or lock somebody out."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest

from e2ecore import Engine
from e2ecore.engine.engine import system_clock_ms
from e2ecore.mls.key_package import DEFAULT_LIFETIME_S
from e2ecore.testing import MemoryRelay, devices, open_device
from tests.support.engines import authenticator, epoch_reached, group_of, same, texts

pytestmark = [pytest.mark.anyio, pytest.mark.spec("RFC 9420 §7.3 (Leaf Node Validation)")]

MINUTE_MS: Final = 60_000
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
