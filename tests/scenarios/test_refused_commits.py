"""A member has the relay take commits that others refuse or cannot open: the group goes on.

The relay counts commits and cannot read them. Whatever one member sends, the others end in one
state, can talk and can change the group, and know whom they have to thank for it.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import Conversation, Engine, Role
from e2ecore.mls.group import Group
from e2ecore.mls.proposals import Proposal, Remove
from e2ecore.testing import MemoryRelay, devices, open_device
from tests.support.engines import PATIENCE_S, group_of, history, same, until
from tests.support.hostile import (
    address_of,
    check_alive,
    deafen,
    leaf_of,
    make_commit,
    place_commit,
    place_of,
    settled,
    spoiled_for,
)

pytestmark = [pytest.mark.anyio, pytest.mark.clause("GB42012-8.2")]


def nothing(_group: Group) -> Iterable[Proposal]:
    return ()


@asynccontextmanager
async def four(
    folder: Path,
) -> AsyncIterator[tuple[MemoryRelay, dict[Engine, Conversation], Engine, Conversation]]:
    """Alice, bob and carol, who are honest, and mallory, who is not."""
    async with devices(folder, "alice", "bob", "carol", "mallory") as (relay, engines):
        views = await group_of(engines)
        *honest, mallory = engines
        yield relay, dict(zip(honest, views, strict=False)), mallory, views[-1]


async def test_a_commit_that_nobody_can_open_is_void(tmp_path: Path) -> None:
    async with four(tmp_path) as (relay, views, mallory, at_mallorys):
        readers = [engine.events() for engine in views]
        await deafen(relay, mallory)
        await place_commit(mallory, at_mallorys, b"no commit at all")
        for reader in readers:
            found = await until(reader, e2ecore.MemberMisbehaved)
            assert found.error == "VotedDownError"
            assert not found.is_proven
            assert mallory.account is not None
            assert found.account_id == mallory.account.account_id
        await check_alive(views, "afterwards")


async def test_people_talk_on_while_most_are_away_and_a_commit_is_in_dispute(
    tmp_path: Path,
) -> None:
    async with devices(tmp_path, "alice", "mallory") as (relay, (alice, mallory)):
        async with (
            await open_device(tmp_path / "bob.db", relay.dial) as bob,
            await open_device(tmp_path / "carol.db", relay.dial) as carol,
        ):
            for engine, name in ((bob, "bob"), (carol, "carol")):
                await engine.register(name)
            group, _, _, at_mallorys = await group_of((alice, bob, carol, mallory))
        events = alice.events()
        await deafen(relay, mallory)
        await place_commit(mallory, at_mallorys, b"no commit at all")
        await until(events, e2ecore.ConversationHealing)
        await (await group.send("still here")).accepted()
        async with (
            await open_device(tmp_path / "bob.db", relay.dial) as bob,
            await open_device(tmp_path / "carol.db", relay.dial) as carol,
        ):
            views = {alice: group, bob: await same(bob, group), carol: await same(carol, group)}
            await check_alive(views, "together")
            for view in (views[bob], views[carol]):
                assert "still here" in await history(view)


async def test_commits_without_end_are_all_void(tmp_path: Path) -> None:
    async with four(tmp_path) as (relay, views, mallory, at_mallorys):
        number = (await place_of(mallory, at_mallorys))[1]
        await deafen(relay, mallory)
        for more in range(20):
            await place_commit(mallory, at_mallorys, b"%d" % more, number=number + more)
        await check_alive(views, "afterwards")


async def test_a_commit_without_the_right_is_skipped_and_the_rest_goes_on(tmp_path: Path) -> None:
    async with four(tmp_path) as (relay, views, mallory, at_mallorys):
        readers = [engine.events() for engine in views]
        made = await make_commit(mallory, at_mallorys, lambda _: (Remove(0),))
        await deafen(relay, mallory)
        await place_commit(mallory, at_mallorys, made.commit)
        for reader in readers:
            found = await until(reader, e2ecore.MemberMisbehaved)
            assert (found.error, found.is_proven) == ("CommitNotAllowedError", True)
        await check_alive(views, "afterwards")


@pytest.mark.parametrize("most", [False, True], ids=["a minority", "most"])
async def test_a_commit_that_some_cannot_open_splits_nobody(tmp_path: Path, *, most: bool) -> None:
    """Mallory, an admin, removes Zed, and seals the new keys wrongly for some.

    Four judge the commit, Zed among them, who could only read that he is gone: two who cannot open
    it are not most of them, three are.
    """
    names = ("alice", "bob", "carol", "zed", "mallory")
    async with devices(tmp_path, *names) as (relay, engines):
        alice, bob, carol, zed, mallory = engines
        group = (await group_of((alice, bob, carol, zed)))[0]
        contact = await alice.contacts.find("mallory")
        await (await group.add(contact)).applied()
        await (await group.set_role(contact, Role.ADMIN)).applied()
        views = {engine: await same(engine, group) for engine in (alice, bob, carol)}
        at_mallorys = await same(mallory, group)
        everybody = {**views, zed: await same(zed, group), mallory: at_mallorys}
        await settled(everybody)
        leaves = {who: await leaf_of(alice, group, who) for who in (alice, bob, carol, zed)}
        wanted = {leaves[one] for one in ((alice, bob, carol) if most else (carol,))}
        spoiled: set[int] = set()
        with spoiled_for(frozenset(wanted), spoiled):
            made = await make_commit(mallory, at_mallorys, lambda _: (Remove(leaves[zed]),))
        unable = {leaf for who, leaf in leaves.items() if who is not zed} & spoiled
        if len(unable) != (3 if most else 1):
            pytest.skip("this tree does not tell these members apart")
        await deafen(relay, mallory)
        await place_commit(mallory, at_mallorys, made.commit, removed=(await address_of(zed),))
        still = {**views, zed: everybody[zed]} if most else views
        await check_alive(still, "afterwards")


async def test_a_member_whom_the_relay_was_told_to_forget_asks_for_its_route_back(
    tmp_path: Path,
) -> None:
    async with four(tmp_path) as (relay, views, mallory, at_mallorys):
        alice, bob, _ = views
        at_alice, at_bob = alice.events(), bob.events()
        made = await make_commit(mallory, at_mallorys, nothing)
        address = await address_of(bob)
        await deafen(relay, mallory)
        await place_commit(mallory, at_mallorys, made.commit, removed=(address,))
        assert (await until(at_alice, e2ecore.MemberMisbehaved)).error == "RouteFaultError"
        assert (await until(at_bob, e2ecore.ConversationHealing)).error == "RouteFaultError"
        await until(at_bob, e2ecore.ConversationHealed)
        assert relay.logs[at_mallorys.conversation_id].is_member(address.device_id)
        await check_alive(views, "afterwards")


async def test_a_member_that_was_cut_off_unseen_finds_out_when_it_connects(tmp_path: Path) -> None:
    """Not even the relay says so: the route is simply gone."""
    async with four(tmp_path) as (relay, views, mallory, at_mallorys):
        _, bob, _ = views
        events = bob.events()
        address = await address_of(bob)
        await deafen(relay, mallory)
        del relay.logs[at_mallorys.conversation_id].readers[address.device_id]
        relay.disconnect()
        await until(events, e2ecore.ConversationHealed)
        assert relay.logs[at_mallorys.conversation_id].is_member(address.device_id)
        await check_alive(views, "afterwards")


async def test_a_stranger_in_the_route_is_shown_the_door(tmp_path: Path) -> None:
    names = ("alice", "bob", "carol", "mallory", "eve")
    async with devices(tmp_path, *names) as (relay, engines):
        *members, eve = engines
        views = await group_of(members)
        *honest, mallory = members
        address = await address_of(eve)
        made = await make_commit(mallory, views[-1], nothing)
        events = honest[0].events()
        await deafen(relay, mallory)
        await place_commit(
            mallory, views[-1], made.commit, added=(address,), welcome=b"not for you"
        )
        assert (await until(events, e2ecore.MemberMisbehaved)).error == "RouteFaultError"
        log = relay.logs[views[0].conversation_id]
        with anyio.fail_after(PATIENCE_S):
            while log.is_member(address.device_id):  # noqa: ASYNC110 - a relay tells nobody
                await anyio.sleep(0.02)
        await check_alive(dict(zip(honest, views, strict=False)), "afterwards")
