"""Five devices of one person, each cut off at any time, do everything; then all show the same.

What was erased anywhere shows nowhere at the end, and nowhere again on a device that knew.
"""

import random  # noqa: TID251 - the same deeds each time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

import e2ecore
from e2ecore import Conversation, Engine
from e2ecore.engine.engine import system_clock_ms
from e2ecore.storage import ops
from e2ecore.testing import devices
from e2ecore.testing.devices import open_device
from e2ecore.testing.memory_channel import MemoryChannel
from e2ecore.testing.memory_relay import MemoryRelay
from e2ecore.transport.errors import ConnectionLostError, RelayUnreachableError
from tests.support.engines import agree, history, pair, said, same
from tests.support.linked import comes_true, link, seated, settled

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.clause("GB42012-8.1.1d")]
NAMES = ("laptop", "tablet", "watch", "desktop")
STEPS = 60
AWAY_MS = 100 * 86_400_000
"""How long one of them is away."""
AWAY = range(STEPS // 2, STEPS // 2 + 12)
"""Steps while it is. Nobody else writes then: what waits for 100 days is given up by the relay."""


@pytest.fixture
def anyio_backend() -> str:
    """What is tested does not depend on the loop."""
    return "trio"


class Clock:
    """What everybody's clock says, the relay's as well."""

    ahead_ms = 0

    def __call__(self) -> int:
        return system_clock_ms() + self.ahead_ms


class Line:
    """A device's way to the relay, which can be cut."""

    def __init__(self, relay: MemoryRelay) -> None:
        self.relay = relay
        self.is_cut = False

    async def dial(self) -> MemoryChannel:
        if self.is_cut:
            raise RelayUnreachableError("cut")
        return await self.relay.dial()


class Machine:
    """One of the person's devices."""

    def __init__(self, engine: Engine, line: Line, chat: Conversation) -> None:
        self.engine, self.line, self.chat = engine, line, chat
        self.erased: set[str] = set()

    async def cut(self) -> None:
        self.line.is_cut = True
        self.engine._core.break_link(ConnectionLostError())

    async def mend(self) -> None:
        self.line.is_cut = False
        await self.engine.reconnect()

    async def view(self) -> object:
        """Return what its user sees."""
        chat = self.chat
        await chat.refresh()
        others = [one.text for one in await chat.other_drafts()]
        bob = await self.engine.contacts.get(e2ecore.AccountId(chat.peer or b""))
        return (
            (chat.muted_until_ms, chat.pinned, chat.archived, chat.unread),
            (None if chat.draft is None else chat.draft.text, others),
            (bob.blocked_ms is None, bob.verification, await history(chat)),
            (bob.name, bob.is_contact, await self.engine.settings.all()),
        )


@asynccontextmanager
async def person(folder: Path, clock: Clock) -> AsyncIterator[tuple[list[Machine], Conversation]]:
    """A person with five devices, and what a contact has of the conversation with them."""
    opened = devices(folder, "alice", "bob", clock_ms=clock)
    async with opened as (relay, (phone, bob)), AsyncExitStack() as stack:
        chat, at_bobs = await pair(phone, bob)
        await agree(phone, e2ecore.Purpose.MULTI_DEVICE_SYNC)
        machines = [Machine(phone, Line(relay), chat)]
        for name in NAMES:
            line = Line(relay)
            engine = await stack.enter_async_context(
                await open_device(folder / f"{name}.db", line.dial, clock_ms=clock)
            )
            await link(phone, engine)
            machines.append(Machine(engine, line, await same(engine, chat)))
        await settled(phone)
        for machine in machines:
            await seated(machine.engine, len(machines))
        yield machines, at_bobs


async def erase_one(machine: Machine, dice: random.Random) -> None:
    found = await said(machine.chat)
    if found:
        chosen = dice.choice(found)
        machine.erased.add(chosen.text)
        await machine.chat.delete_messages([chosen])


async def erase_all(machine: Machine, _dice: random.Random) -> None:
    machine.erased.update(one.text for one in await said(machine.chat))
    await machine.chat.clear()


async def arrange(machine: Machine, dice: random.Random) -> None:
    await machine.chat.mute(dice.randrange(1, 10**12))
    await machine.chat.set_archived(on=dice.random() < 0.5)
    await machine.chat.set_pinned(on=dice.random() < 0.5)


async def begin_to_write(machine: Machine, dice: random.Random) -> None:
    await machine.chat.set_draft(dice.choice(("", f"draft {dice.randrange(1000)}")))


async def read(machine: Machine, _dice: random.Random) -> None:
    await machine.chat.mark_read()


async def verify(machine: Machine, dice: random.Random) -> None:
    bob = await machine.engine.contacts.get(e2ecore.AccountId(machine.chat.peer or b""))
    await (bob.mark_verified() if dice.random() < 0.5 else bob.mark_unverified())


async def call(machine: Machine, dice: random.Random) -> None:
    bob = await machine.engine.contacts.get(e2ecore.AccountId(machine.chat.peer or b""))
    name = dice.choice(("", "Robert", "Bobby", "B."))
    await (bob.set_name(name) if dice.random() < 0.8 else bob.forget())


async def set_something(machine: Machine, dice: random.Random) -> None:
    name = dice.choice(("theme", "size"))
    if dice.random() < 0.3:
        await machine.engine.settings.remove(name)
    else:
        await machine.engine.settings.set(name, dice.randrange(1000))


async def come_or_go(machine: Machine, dice: random.Random) -> None:
    await (machine.mend() if machine.line.is_cut and dice.random() < 0.6 else machine.cut())


Action = Callable[[Machine, random.Random], Awaitable[None]]
ACTIONS: tuple[Action, ...] = (
    *(erase_one, erase_one, arrange, begin_to_write, read, read, verify, call, set_something),
    *(come_or_go, come_or_go, come_or_go),
)


async def all_agree(machines: list[Machine]) -> None:
    """Have all of them connected, and wait until they keep and show the same."""
    for machine in machines:
        await machine.mend()

    async def agreed() -> bool:
        kept = [one.engine._core.read(ops.items) for one in machines]
        if any(one != kept[0] for one in kept):
            return False
        views = [await one.view() for one in machines]
        return all(one == views[0] for one in views)

    await comes_true(agreed)


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_they_do_apart_all_devices_come_to_show_the_same(
    tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    clock = Clock()
    async with person(tmp_path, clock) as (machines, at_bobs):
        away = dice.choice(machines)
        for step in range(STEPS):
            if step == AWAY.start:
                await all_agree(machines)
                await away.cut()
            elif step == AWAY.stop:
                clock.ahead_ms += AWAY_MS
            if dice.random() < 0.3 and step not in AWAY:
                await at_bobs.send(f"message {step}")
            machine = dice.choice(machines)
            rare = step in {STEPS // 3, STEPS - 10}
            action = erase_all if rare else dice.choice(ACTIONS)
            if not (step in AWAY and machine is away and action is come_or_go):
                await action(machine, dice)
            assert machine.erased.isdisjoint(await history(machine.chat))
        await all_agree(machines)
        erased = set().union(*(one.erased for one in machines))
        for machine in machines:
            assert erased.isdisjoint(await history(machine.chat))
