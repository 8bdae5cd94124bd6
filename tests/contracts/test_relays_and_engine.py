"""One story, told over the relay in memory and over the real one, with TLS and a disk.

What holds for one must hold for the other: that is what makes the relay in memory worth testing on.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import Conversation, ConversationState, Engine, Role
from e2ecore.engine.engine import system_clock_ms
from e2ecore.testing import MemoryRelay, open_device
from e2ecore.transport.dialing import dial
from e2ecore.transport.login import Dial, FrameChannel
from e2ecore_protocol.frames.conversations import Conversations, ListConversations
from e2ecore_relay.server.config import RelayConfig
from e2ecore_relay.server.relay import running
from tests.support.engines import (
    PATIENCE_S,
    agree,
    authenticator,
    epoch_reached,
    group_of,
    history,
    pair,
    same,
    texts,
    until,
)
from tests.support.hostile import (
    address_of,
    check_alive,
    make_commit,
    place_commit,
    place_of,
)

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
NAMES = ("alice", "bob", "carol", "dave", "erin")


@pytest.fixture
def anyio_backend() -> str:
    """The relay's HTTP side runs on trio only."""
    return "trio"


@asynccontextmanager
async def in_memory(_folder: Path) -> AsyncIterator[Dial]:
    yield MemoryRelay(clock_ms=system_clock_ms).dial


@asynccontextmanager
async def real(folder: Path) -> AsyncIterator[Dial]:
    async with running(RelayConfig(data=folder, port=0, http_port=0)) as relay:

        async def connect() -> FrameChannel:
            return await dial(relay.url, ca_file=folder / "development-ca.pem")

        yield connect


Relays = Callable[[Path], "AsyncIterator[Dial]"]


@pytest.fixture(params=[in_memory, real])
async def relay(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Dial]:
    """Each relay in turn."""
    async with request.param(tmp_path / "relay") as connect:
        yield connect


@asynccontextmanager
async def everybody(folder: Path, relay: Dial, *names: str) -> AsyncIterator[list[Engine]]:
    """Open devices, registered once."""
    async with AsyncExitStack() as stack:
        engines: list[Engine] = []
        for name in names:
            opened = await open_device(folder / f"{name}.db", relay)
            engine = await stack.enter_async_context(opened)
            if engine.account is None:
                await engine.register(name)
            with anyio.fail_after(PATIENCE_S):
                await engine.caught_up()
            engines.append(engine)
        yield engines


async def test_two_people_talk(tmp_path: Path, relay: Dial) -> None:
    async with everybody(tmp_path, relay, "alice", "bob") as (alice, bob):
        at_alice, at_bob = alice.events(), bob.events()
        chat, other = await pair(alice, bob)
        for one in await chat.send_many([str(number) for number in range(500)]):
            await one.accepted()
        assert await texts(at_bob, 500) == [str(number) for number in range(500)]
        await (await other.send("all here")).accepted()
        assert await texts(at_alice, 1) == ["all here"]
        with anyio.fail_after(PATIENCE_S):
            while (await chat.messages())[0].state is not e2ecore.MessageState.DELIVERED:
                await until(at_alice, e2ecore.Delivered)


async def test_who_types_is_seen_by_who_is_there_and_by_nobody_later(
    tmp_path: Path, relay: Dial
) -> None:
    async with everybody(tmp_path, relay, "alice", "bob", "carol") as (alice, bob, carol):
        at_alice, at_carol = alice.events(), carol.events()
        group, at_bobs, at_carols = await group_of((alice, bob, carol))
        await epoch_reached(at_bobs, group.epoch)
        await agree(bob, e2ecore.Purpose.TYPING)
        assert await at_bobs.typing()
        for reader in (at_alice, at_carol):
            assert (await until(reader, e2ecore.TypingChanged)).is_typing
        assert group.typists == at_carols.typists
        await at_bobs.send("said")
        for reader in (at_alice, at_carol):
            assert not (await until(reader, e2ecore.TypingChanged)).is_typing
    async with everybody(tmp_path, relay, "alice", "bob") as (alice, bob):
        at_alice = alice.events()
        again = await bob.conversations.get(group.conversation_id)
        assert await again.typing()  # the agreement outlasts the engine
        assert (await until(at_alice, e2ecore.TypingChanged)).is_typing
        assert await again.typing(on=False)
        async with everybody(tmp_path, relay, "carol") as (carol,):
            view = await carol.conversations.get(group.conversation_id)
            assert not view.typists


async def test_a_group_lives_through_joining_leaving_removal_and_absence(
    tmp_path: Path, relay: Dial
) -> None:
    async with everybody(tmp_path, relay, *NAMES[:4]) as (alice, bob, carol, dave):
        at_bob, at_carol, at_dave = bob.events(), carol.events(), dave.events()
        group, _, at_carols = await group_of((alice, bob, carol))
        await (await group.add(await alice.contacts.find("dave"))).applied()
        at_daves = await same(dave, group)
        await at_daves.send("I am dave")
        assert await texts(at_bob, 1) == ["I am dave"]
        await (await group.remove(await alice.contacts.find("carol"))).applied()
        await until(at_carol, e2ecore.RemovedFromConversation)
        await group.send("without carol")
        assert await texts(at_dave, 1) == ["without carol"]
        await at_carols.refresh()
        assert at_carols.state is ConversationState.REMOVED
        with anyio.fail_after(PATIENCE_S):
            await (await at_daves.leave()).applied()
        assert "without carol" not in await history(at_carols)
    async with everybody(tmp_path, relay, "alice") as (alice,):
        group = await alice.conversations.get(group.conversation_id)
        for one in await group.send_many([str(number) for number in range(300)]):
            await one.accepted()
        await (await group.rename("while bob is away")).applied()
    async with everybody(tmp_path, relay, "alice", "bob") as (_, bob):
        at_bobs = await bob.conversations.get(group.conversation_id)
        assert at_bobs.title == "while bob is away"
        assert (await history(at_bobs))[-300:] == [str(number) for number in range(300)]


async def test_five_members_commit_at_once(tmp_path: Path, relay: Dial) -> None:
    async with everybody(tmp_path, relay, *NAMES) as engines:
        groups = await group_of(engines)
        for name in NAMES[1:]:
            contact = await engines[0].contacts.find(name)
            await (await groups[0].set_role(contact, Role.ADMIN)).applied()
        with anyio.fail_after(120):
            for number in range(5):
                changes = [await one.rename(f"round {number}") for one in groups]
                for change in changes:
                    await change.applied()
        await all_agree(engines, groups)
        assert {one.title for one in groups} == {"round 4"}


async def test_a_device_that_lost_its_keys_is_added_again(tmp_path: Path, relay: Dial) -> None:
    async with everybody(tmp_path, relay, *NAMES[:3]) as engines:
        alice, _, carol = engines
        at_carol = carol.events()
        groups = await group_of(engines)
        core = carol._core
        mirror = await core.jobs.run(lambda job: job.state.find(job.tx, groups[2].conversation_id))
        assert mirror is not None
        await core.jobs.run(
            lambda job: job.tx.execute(
                "UPDATE mls_rows SET value = zeroblob(length(value)) WHERE gid = ? AND kind = 5",
                (mirror.cid,),
            )
        )
        await core.jobs.run(lambda job: job.state.drop())
        await (await groups[0].renew_keys()).applied()
        await until(at_carol, e2ecore.ConversationHealing)
        await until(at_carol, e2ecore.ConversationHealed)
        await groups[0].send("welcome back")
        assert await texts(at_carol, 1) == ["welcome back"]
        await all_agree(engines, groups)
        del alice


async def all_agree(engines: list[Engine], groups: list[Conversation]) -> None:
    """Wait until all members are in one epoch, and compare their authenticators."""
    for one in groups:
        await one.refresh()
    last = max(one.epoch for one in groups)
    for one in groups:
        await epoch_reached(one, last)
    states = {await authenticator(engine, one) for engine, one in zip(engines, groups, strict=True)}
    assert len(states) == 1


async def test_a_group_lives_through_commits_that_nobody_can_open(
    tmp_path: Path, relay: Dial
) -> None:
    names = ("alice", "bob", "carol", "mallory")
    async with everybody(tmp_path, relay, *names) as engines:
        views = await group_of(engines)
        *honest, mallory = engines
        number = (await place_of(mallory, views[-1]))[1]
        for more in range(3):
            await place_commit(mallory, views[-1], b"noise %d" % more, number=number + more)
        await check_alive(dict(zip(honest, views, strict=False)), "afterwards")


async def test_a_member_that_was_cut_off_gets_its_route_back(tmp_path: Path, relay: Dial) -> None:
    names = ("alice", "bob", "carol", "mallory")
    async with everybody(tmp_path, relay, *names) as engines:
        views = await group_of(engines)
        *honest, mallory = engines
        at_bob = engines[1].events()
        made = await make_commit(mallory, views[-1], lambda _: ())
        await place_commit(mallory, views[-1], made.commit, removed=(await address_of(engines[1]),))
        await until(at_bob, e2ecore.ConversationHealed)
        await check_alive(dict(zip(honest, views, strict=False)), "afterwards")


async def test_a_stranger_in_the_route_is_shown_the_door(tmp_path: Path, relay: Dial) -> None:
    names = ("alice", "bob", "mallory", "eve")
    async with everybody(tmp_path, relay, *names) as engines:
        *members, eve = engines
        views = await group_of(members)
        link = eve._core.need_link()
        made = await make_commit(members[-1], views[-1], lambda _: ())
        stranger = (await address_of(eve),)
        await place_commit(members[-1], views[-1], made.commit, added=stranger, welcome=b"?")
        with anyio.fail_after(PATIENCE_S):
            while True:
                answer = await link.request(ListConversations(0), Conversations)
                if not answer.conversations:
                    break
                await anyio.sleep(0.05)
        await check_alive(dict(zip(members[:-1], views, strict=False)), "afterwards")
