"""Groups on a relay in memory: roles, changes, races, leaving, removal."""

from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import ConversationState, Role
from e2ecore.testing import devices
from tests.support.engines import (
    PATIENCE_S,
    group_of,
    history,
    same,
    texts,
    until,
)

pytestmark = pytest.mark.anyio


async def test_everybody_reads_what_one_writes(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (_, engines):
        readers = [one.events() for one in engines]
        group, *_ = await group_of(engines)
        await group.send("hello all")
        for reader in readers[1:]:
            assert await texts(reader, 1) == ["hello all"]


async def test_members_are_added_renamed_and_given_roles(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (_, engines):
        alice, bob, carol = engines
        at_bob, at_carol = bob.events(), carol.events()
        group, at_bobs = await group_of((alice, bob))
        to_carol = await alice.contacts.find("carol")
        await (await group.add(to_carol)).applied()
        await until(at_carol, e2ecore.ConversationAdded)
        assert (await until(at_bob, e2ecore.MemberJoined)).account_id == to_carol.account_id
        await (await group.rename("new title")).applied()
        assert (await until(at_bob, e2ecore.TitleChanged)).title == "new title"
        to_bob = await alice.contacts.find("bob")
        await (await group.set_role(to_bob, Role.ADMIN)).applied()
        assert (await until(at_bob, e2ecore.RoleChanged)).role is Role.ADMIN
        await (await at_bobs.rename("by bob")).applied()
        assert {one.handle: one.role for one in await at_bobs.members() if not one.is_self} == {
            "alice": Role.OWNER,
            "carol": Role.MEMBER,
        }


async def test_a_member_without_the_right_is_told_so(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (_, engines):
        _, at_bobs, _ = await group_of(engines)
        carol = await engines[1].contacts.find("carol")
        with pytest.raises(e2ecore.NotAllowedError):
            await at_bobs.rename("mine")
        with pytest.raises(e2ecore.NotAllowedError):
            await at_bobs.remove(carol)
        with pytest.raises(e2ecore.NotAllowedError):
            await at_bobs.set_role(carol, Role.OWNER)


async def test_nobody_is_added_to_a_direct_conversation(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (_, (alice, *_)):
        chat = await alice.conversations.direct(await alice.contacts.find("bob"))
        await chat.ready()
        with pytest.raises(e2ecore.NotAllowedError):
            await chat.add(await alice.contacts.find("carol"))
        with pytest.raises(e2ecore.NotAllowedError):
            await chat.rename("ours")


async def test_a_removed_member_is_told_and_reads_nothing_more(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (relay, engines):
        alice, bob, carol = engines
        at_bob, at_carol = bob.events(), carol.events()
        group, _, at_carols = await group_of(engines)
        await (await group.remove(await alice.contacts.find("carol"))).applied()
        await until(at_carol, e2ecore.RemovedFromConversation)
        await (await group.send("without carol")).accepted()
        assert await texts(at_bob, 1) == ["without carol"]
        await at_carols.refresh()
        assert at_carols.state is ConversationState.REMOVED
        with pytest.raises(e2ecore.ConversationReadOnlyError):
            await at_carols.send("let me in")
        assert await history(at_carols) == []
        rows = carol._core.database.readers.read(
            lambda tx: tx.value(int, "SELECT count(*) FROM mls_rows")
        )
        assert rows == 0, "keys of the group are still on the disk"
        assert b"without carol" not in relay.stored_bytes()


async def test_a_member_leaves_and_others_complete_it(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (_, engines):
        alice, bob, carol = engines
        at_alice, at_bob = alice.events(), bob.events()
        group, _, at_carols = await group_of(engines)
        change = await at_carols.leave()
        assert at_carols.state is ConversationState.LEFT
        with anyio.fail_after(PATIENCE_S):
            await change.applied()
        left = await until(at_alice, e2ecore.MemberLeft)
        assert carol.account is not None
        assert left.account_id == left.by == carol.account.account_id
        await group.send("she left")
        assert await texts(at_bob, 1) == ["she left"]


async def test_the_last_owner_leaves_and_the_others_own_the_group(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (_, engines):
        group, at_bobs = await group_of(engines)
        with anyio.fail_after(PATIENCE_S):
            await (await group.leave()).applied()
            await (await at_bobs.rename("mine now")).applied()
        await at_bobs.refresh()
        assert at_bobs.title == "mine now"


async def test_the_last_one_leaves_alone(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice") as (_, (alice,)):
        group = await alice.conversations.create_group("me", [])
        with anyio.fail_after(PATIENCE_S):
            await group.ready()
            await (await group.leave()).applied()


async def test_somebody_who_was_removed_is_added_again_and_reads_on(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (_, (alice, bob)):
        at_bob = bob.events()
        group, at_bobs = await group_of((alice, bob))
        to_bob = await alice.contacts.find("bob")
        await (await group.send("before")).accepted()
        await (await group.remove(to_bob)).applied()
        await until(at_bob, e2ecore.RemovedFromConversation)
        await (await group.send("between")).accepted()
        await (await group.add(to_bob)).applied()
        await (await group.send("after")).accepted()
        assert await texts(at_bob, 1) == ["after"]
        assert await history(at_bobs) == ["before", "after"]
        back = await at_bobs.send("back again")
        await back.accepted()


@pytest.mark.slow
async def test_a_conversation_can_be_added_to_while_everybody_talks(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (_, engines):
        alice, bob, carol = engines
        at_bob = bob.events()
        group, at_bobs = await group_of((alice, bob))
        to_carol = await alice.contacts.find("carol")
        sent = []
        async with anyio.create_task_group() as tasks:

            async def talk() -> None:
                for number in range(100):
                    one = await group.send(f"a{number}")
                    sent.append(one)

            async def answer() -> None:
                for number in range(100):
                    await at_bobs.send(f"b{number}")

            tasks.start_soon(talk)
            tasks.start_soon(answer)
            for _ in range(5):
                await (await group.renew_keys()).applied()
            await (await group.add(to_carol)).applied()
        for one in sent:
            await one.accepted()
        assert await texts(at_bob, 100) == [f"a{number}" for number in range(100)]
        await same(carol, group)
