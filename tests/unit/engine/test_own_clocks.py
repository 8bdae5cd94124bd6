"""What devices of one account do is ordered by the relay's clock, which they share."""

from pathlib import Path

import pytest

import e2ecore
from e2ecore import Engine
from e2ecore.engine.engine import system_clock_ms
from e2ecore.storage import ops
from e2ecore.sync import hlc
from e2ecore.testing import devices
from e2ecore.testing.devices import open_device
from tests.support.engines import agree, pair, same
from tests.support.linked import comes_true, link, seated, settled

pytestmark = [pytest.mark.anyio, pytest.mark.clause("GB42012-8.1.1d")]
AHEAD_MS = 12 * 60_000
"""As far as a relay still takes it, and too far for an op."""


def fast() -> int:
    """The clock of one device."""
    return system_clock_ms() + AHEAD_MS


def times(engine: Engine) -> list[int]:
    return [time for time, _ in engine._core.read(ops.items)]


async def test_a_clock_that_is_fast_is_put_right_by_the_relays(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (relay, (phone, bob)):
        chat, _ = await pair(phone, bob)
        await agree(phone, e2ecore.Purpose.MULTI_DEVICE_SYNC)
        async with await open_device(tmp_path / "laptop.db", relay.dial) as laptop:
            await link(phone, laptop)
            await same(laptop, chat)
            await settled(phone)
            await seated(laptop, 2)
        opened = await open_device(tmp_path / "laptop.db", relay.dial, clock_ms=fast)
        async with opened as laptop:
            await laptop.caught_up()
            there = await laptop.conversations.get(chat.conversation_id)
            await there.mute(1_900_000_000_000)

            async def heard() -> bool:
                await chat.refresh()
                return chat.muted_until_ms == 1_900_000_000_000

            await comes_true(heard)
            assert times(laptop) == times(phone)
            assert not any(hlc.is_ahead(time, system_clock_ms()) for time in times(laptop))
