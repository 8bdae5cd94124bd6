"""A person with two devices, for tests of everything that they share."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import anyio

import e2ecore
from e2ecore import Engine
from e2ecore.engine.engine import system_clock_ms
from e2ecore.engine.own_talk.own_group import own_group
from e2ecore.engine.running.job import Job
from e2ecore.engine.values import ConversationState
from e2ecore.testing import devices
from e2ecore.testing.devices import PASSPHRASE, open_device
from e2ecore.testing.memory_relay import MemoryRelay
from tests.support.engines import PATIENCE_S, agree


async def link(phone: Engine, laptop: Engine, *, moves: bool = False) -> bytes:
    """Link a device as two people would: read the code, compare, confirm. Return its id."""
    done: list[bytes] = []
    begun = phone.devices.move() if moves else phone.devices.link()
    async with begun as linking, anyio.create_task_group() as tasks:

        async def confirm() -> None:
            request = await linking.joined()
            compared.append(request.check_string)
            assert request.moves == moves
            done.append(await linking.confirm(PASSPHRASE))

        compared: list[str] = []
        tasks.start_soon(confirm)
        with anyio.fail_after(PATIENCE_S):
            async with laptop.devices.join(linking.code.text) as joining:
                compared.append(joining.check_string)
                await joining.finished()
    assert len(set(compared)) == 1
    return done[0]


async def move(phone: Engine, laptop: Engine) -> bytes:
    """Move the account to another device. Return its id."""
    return await link(phone, laptop, moves=True)


@asynccontextmanager
async def phone_laptop_bob(
    folder: Path, *, clock_ms: Callable[[], int] = system_clock_ms
) -> AsyncIterator[tuple[MemoryRelay, Engine, Engine, Engine]]:
    """Alice has a phone and a laptop, which is linked; Bob has one device."""
    async with devices(folder, "alice", "bob", clock_ms=clock_ms) as (relay, (phone, bob)):
        await agree(phone, e2ecore.Purpose.MULTI_DEVICE_SYNC)
        opened = await open_device(folder / "laptop.db", relay.dial, clock_ms=clock_ms)
        async with opened as laptop:
            await link(phone, laptop)
            await laptop.caught_up()
            yield relay, phone, laptop, bob


async def settled(engine: Engine) -> None:
    """Wait until every conversation has the devices that it should."""
    with anyio.fail_after(PATIENCE_S):
        while any(one.waiting for one in await engine.devices.list()):  # noqa: ASYNC110 - nobody tells
            await anyio.sleep(0.02)


T = TypeVar("T")


async def run(engine: Engine, work: Callable[[Job], T]) -> T:
    """Do something in an engine's writer thread."""
    return await engine._core.jobs.run(work)


async def comes_true(check: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is so; nobody tells when."""
    with anyio.fail_after(PATIENCE_S):
        while not await check():  # noqa: ASYNC110 - as it says
            await anyio.sleep(0.02)


def seats(job: Job) -> frozenset[bytes]:
    """Return who is in the conversation of the own devices, as one device knows it."""
    mirror = own_group(job)
    if mirror is None or mirror.state != ConversationState.ACTIVE:
        return frozenset()
    return frozenset(one.device_id for one in mirror.by_leaf.values())


async def seated(engine: Engine, count: int) -> frozenset[bytes]:
    """Wait until so many own devices are in their conversation; return which."""

    async def check() -> bool:
        return len(await run(engine, seats)) == count

    await comes_true(check)
    return await run(engine, seats)
