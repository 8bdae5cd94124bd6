"""Conversations pinned, muted and put away: kept here, and in the order of the list."""

from pathlib import Path

import pytest

from e2ecore import Engine
from e2ecore.engine.engine import system_clock_ms
from e2ecore.testing import MemoryRelay, open_device, two_devices
from tests.unit.engine.test_remarks import later

pytestmark = pytest.mark.anyio


async def titles(engine: Engine) -> str:
    return "".join(one.title for one in await engine.conversations.list())


async def test_pinned_conversations_come_first_and_those_put_away_last(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, _):
        chats = {name: await alice.conversations.create_group(name, []) for name in "abcd"}
        for name in "abcd":
            await chats[name].send("x")
        assert await titles(alice) == "dcba"
        await chats["a"].set_pinned(on=True)
        clock_ms = alice._core.clock_ms
        alice._core.clock_ms = later(clock_ms, 5)
        await chats["c"].set_pinned(on=True)
        assert await titles(alice) == "cadb"
        await chats["d"].set_archived(on=True)
        assert await titles(alice) == "cabd"
        await chats["b"].send("x")
        await chats["d"].send("x")
        assert await titles(alice) == "cabd"
        assert (chats["c"].pinned, chats["c"].archived) == (True, False)
        assert (chats["d"].pinned, chats["d"].archived) == (False, True)
        await chats["c"].set_pinned(on=False)
        await chats["d"].set_archived(on=False)
        assert await titles(alice) == "adbc"


async def test_a_conversation_is_muted_for_a_time_or_for_good(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, _):
        chat = await alice.conversations.create_group("a", [])
        assert chat.muted_until_ms is None
        await chat.mute(5_000)
        assert chat.muted_until_ms == 5_000
        await chat.mute()
        assert chat.muted_until_ms == (1 << 63) - 1
        await chat.mute(1 << 70)
        assert chat.muted_until_ms == (1 << 63) - 1
        await chat.unmute()
        assert chat.muted_until_ms is None
        kept = "SELECT count(*) FROM arrangements"
        assert alice._core.read(lambda tx: tx.value(int, kept)) == 0


async def test_arrangements_survive_closing(tmp_path: Path) -> None:
    relay = MemoryRelay(clock_ms=system_clock_ms)
    for turn in range(2):
        async with await open_device(tmp_path / "a.db", relay.dial) as alice:
            if not turn:
                await alice.register("alice")
                chat = await alice.conversations.create_group("a", [])
                await chat.set_pinned(on=True)
                await chat.mute(7)
            (listed,) = await alice.conversations.list()
            assert (listed.pinned, listed.archived, listed.muted_until_ms) == (True, False, 7)
