"""The power fails at every statement of a send, a receive, a commit and a join.

After each cut the device is opened again with the power on. What was promised must be there, once;
nothing that was not; and the conversation must go on.
"""

import copy
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import pytest

from e2ecore import Conversation, Engine
from e2ecore.engine.engine import system_clock_ms
from e2ecore.testing import MemoryRelay, open_device
from tests.support.engines import PATIENCE_S, authenticator, epoch_reached, group_of, history, same
from tests.support.power import Power, PowerCut, every_cut

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
def anyio_backend() -> str:
    """The database does not care which loop waits for it."""
    return "trio"


class Stage:
    """Alice and Bob in a group, closed, with everything on disk; copied for each cut."""

    def __init__(self, folder: Path) -> None:
        self.origin = folder / "origin"
        self.origin.mkdir()
        self.relay = MemoryRelay(clock_ms=system_clock_ms)
        self._folder = folder
        self._count = 0

    def again(self) -> tuple[Path, MemoryRelay]:
        """Return a fresh copy of both databases and of the relay."""
        self._count += 1
        copied = self._folder / f"run{self._count}"
        shutil.copytree(self.origin, copied)
        shared = [one.state for one in self.relay.people.accounts.values()]
        kept = {id(one): one for one in (*shared, self.relay.blobs.key)}  # values, as they are
        return copied, copy.deepcopy(self.relay, kept)


@contextmanager
def power_may_fail() -> Iterator[None]:
    """Swallow the end of a device whose power fails, however it shows."""
    try:
        yield
    except PowerCut:
        return
    except BaseExceptionGroup as group:
        if group.split(PowerCut)[1] is not None:
            raise


@asynccontextmanager
async def everybody(folder: Path, relay: MemoryRelay, *names: str) -> AsyncIterator[list[Engine]]:
    """Open devices with the power on, and wait until they have caught up."""
    async with AsyncExitStack() as stack:
        engines = [
            await stack.enter_async_context(await open_device(folder / f"{name}.db", relay.dial))
            for name in names
        ]
        with anyio.fail_after(PATIENCE_S):
            for engine in engines:
                await engine.caught_up()
        yield engines


async def make_stage(folder: Path, *names: str) -> Stage:
    """Register everybody and put alice and bob into a group."""
    stage = Stage(folder)
    for name in names:
        async with await open_device(stage.origin / f"{name}.db", stage.relay.dial) as engine:
            await engine.register(name)
    async with everybody(stage.origin, stage.relay, *names) as engines:
        group, other = await group_of(engines[:2])
        await (await group.send("before")).accepted()
        with anyio.fail_after(PATIENCE_S):
            while await history(other) != ["before"]:  # noqa: ASYNC110 - nothing to wait for
                await anyio.sleep(0.01)
    return stage


async def only(engine: Engine) -> Conversation:
    (conversation,) = await engine.conversations.list()
    return conversation


async def cut_device(
    path: Path, relay: MemoryRelay, power: Power, work: Callable[[Engine], Awaitable[None]]
) -> None:
    """Let a device work on a power that fails."""
    with power_may_fail(), anyio.move_on_after(PATIENCE_S):
        async with await open_device(path, relay.dial, connect=power.connect) as engine:
            await work(engine)


async def agree(engines: list[Engine]) -> list[str]:
    """Wait until both have the same history and state, after one more message each way."""
    chats = [await only(one) for one in engines]
    for index, chat in enumerate(chats):
        with anyio.fail_after(PATIENCE_S):
            await (await chat.send(f"after {index}")).accepted()
    found: list[list[str]] = []
    with anyio.move_on_after(PATIENCE_S):
        while True:
            found = [sorted(await history(one)) for one in chats]
            if found[0] == found[1]:
                break
            await anyio.sleep(0.01)
    assert found[0] == found[1]
    for chat in chats:
        await chat.refresh()
    last = max(chat.epoch for chat in chats)
    for chat in chats:
        await epoch_reached(chat, last)
    keys = [await authenticator(one, chat) for one, chat in zip(engines, chats, strict=True)]
    assert keys[0] == keys[1]
    quarantined = [
        one._core.database.readers.read(lambda tx: tx.value(int, "SELECT count(*) FROM quarantine"))
        for one in engines
    ]
    assert quarantined == [0, 0]
    return found[0]


async def test_a_send_is_all_or_nothing_and_arrives_once(tmp_path: Path) -> None:
    stage = await make_stage(tmp_path, "alice", "bob")
    for power in every_cut():
        folder, relay = stage.again()
        promised: list[str] = []

        async def work(
            engine: Engine, power: Power = power, promised: list[str] = promised
        ) -> None:
            await engine.caught_up()
            chat = await only(engine)
            power.arm()
            sent = await chat.send("cut")
            promised.append("cut")
            await sent.accepted()

        await cut_device(folder / "alice.db", relay, power, work)
        async with everybody(folder, relay, "alice", "bob") as engines:
            found = await agree(engines)
        assert found.count("cut") in ({1} if promised else {0, 1}), power
        assert set(found) <= {"before", "cut", "after 0", "after 1"}
        shutil.rmtree(folder)


async def test_a_receive_is_all_or_nothing_and_loses_nothing(tmp_path: Path) -> None:
    stage = await make_stage(tmp_path, "alice", "bob")
    async with everybody(stage.origin, stage.relay, "alice") as (alice,):
        for one in await (await only(alice)).send_many(["1", "2", "3"]):
            await one.accepted()
    for power in every_cut():
        folder, relay = stage.again()

        async def work(engine: Engine, power: Power = power) -> None:
            power.arm()
            await engine.caught_up()

        await cut_device(folder / "bob.db", relay, power, work)
        async with everybody(folder, relay, "alice", "bob") as engines:
            assert await agree(engines) == sorted(["1", "2", "3", "before", "after 0", "after 1"])
        shutil.rmtree(folder)


async def title_is(engine: Engine, title: str) -> None:
    """Wait until a device knows a title."""
    with anyio.fail_after(PATIENCE_S):
        while (await only(engine)).title != title:  # noqa: ASYNC110 - there is nothing to wait for
            await anyio.sleep(0.01)


async def test_a_commit_is_all_or_nothing_and_everybody_agrees(tmp_path: Path) -> None:
    stage = await make_stage(tmp_path, "alice", "bob")
    for power in every_cut():
        folder, relay = stage.again()
        promised: list[int] = []

        async def work(
            engine: Engine, power: Power = power, promised: list[int] = promised
        ) -> None:
            await engine.caught_up()
            chat = await only(engine)
            power.arm()
            change = await chat.rename("new")
            promised.append(change.change_id)
            await change.applied()

        await cut_device(folder / "alice.db", relay, power, work)
        async with everybody(folder, relay, "alice", "bob") as engines:
            if promised:
                await title_is(engines[0], "new")
            await agree(engines)
            titles = {(await only(one)).title for one in engines}
        assert titles in ([{"new"}] if promised else [{"new"}, {"team"}]), power
        shutil.rmtree(folder)


async def test_a_join_is_all_or_nothing_and_comes_about(tmp_path: Path) -> None:
    stage = await make_stage(tmp_path, "alice", "bob", "carol")
    async with everybody(stage.origin, stage.relay, "alice") as (alice,):
        group = await only(alice)
        await (await group.add(await alice.contacts.find("carol"))).applied()
        await (await group.send("hello carol")).accepted()
    for power in every_cut():
        folder, relay = stage.again()

        async def work(engine: Engine, power: Power = power) -> None:
            power.arm()
            await engine.caught_up()

        await cut_device(folder / "carol.db", relay, power, work)
        async with everybody(folder, relay, "alice", "carol") as (alice, carol):
            joined = await same(carol, await only(alice))
            with anyio.fail_after(PATIENCE_S):
                while await history(joined) != ["hello carol"]:  # noqa: ASYNC110 - as above
                    await anyio.sleep(0.01)
        shutil.rmtree(folder)
