"""A relay that is set back to an old state: told, made good as far as possible, never a loop."""

import copy
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import ConversationState, Engine
from e2ecore.engine.running.job import Job
from e2ecore.testing import MemoryRelay, open_device, two_devices
from e2ecore.transport.errors import RelayUnreachableError
from e2ecore.transport.login import FrameChannel
from tests.support.engines import PATIENCE_S, group_of, history, pair, said, same, texts, until
from tests.support.linked import comes_true, phone_laptop_bob, settled
from tests.unit.engine.test_two_people import add_second_device

pytestmark = pytest.mark.anyio


class Backup:
    """The relay's data of a moment."""

    def __init__(self, relay: MemoryRelay) -> None:
        self._relay = relay
        self._logs = copy.deepcopy(relay.logs)
        people = relay.people
        self._accounts = {
            name: replace(one, entries=list(one.entries)) for name, one in people.accounts.items()
        }
        self._handles = dict(people._handles)
        self._packages = copy.deepcopy(people._packages)
        self._last_resorts = dict(people._last_resorts)

    def restore(self) -> None:
        people = self._relay.people
        self._relay.logs = self._logs
        people.accounts, people._handles = self._accounts, self._handles
        people._packages, people._last_resorts = self._packages, self._last_resorts
        self._relay.disconnect()


async def back_online(*engines: Engine) -> None:
    for engine in engines:
        await engine.reconnect()
        await engine.caught_up()


async def test_messages_flow_again_after_the_relay_was_set_back(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, alice, bob):
        at_alice, at_bob = alice.events(), bob.events()
        chat, other = await pair(alice, bob)
        await (await chat.send("before")).accepted()
        assert await texts(at_bob, 1) == ["before"]
        backup = Backup(relay)
        for number in range(5):
            await (await chat.send(f"forgotten {number}")).accepted()
        await texts(at_bob, 5)
        backup.restore()
        await back_online(alice, bob)
        told = await until(at_bob, e2ecore.RelaySetBack)
        assert told.conversation_ids == (chat.conversation_id,)
        await (await chat.send("after")).accepted()
        await (await other.send("and back")).accepted()
        assert await texts(at_bob, 1) == ["after"]
        assert await texts(at_alice, 1) == ["and back"]
        said = ["before", *(f"forgotten {number}" for number in range(5)), "after", "and back"]
        assert sorted(await history(other)) == sorted(said)


async def test_changes_and_messages_go_on_after_commits_were_forgotten(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, alice, bob):
        at_alice, at_bob = alice.events(), bob.events()
        group, view = await group_of((alice, bob))
        backup = Backup(relay)
        for _ in range(3):
            await (await group.renew_keys()).applied()
        await (await group.send("in the newest epoch")).accepted()
        assert await texts(at_bob, 1) == ["in the newest epoch"]
        backup.restore()
        for engine, reader in ((alice, at_alice), (bob, at_bob)):
            await back_online(engine)
            await until(reader, e2ecore.RelaySetBack)
        with anyio.fail_after(PATIENCE_S):
            await (await group.send("after")).accepted()
            await (await group.renew_keys()).applied()
            await (await view.send("and back")).accepted()
        assert await texts(at_bob, 1) == ["after"]
        assert await texts(at_alice, 1) == ["and back"]


async def test_an_account_that_the_relay_forgot_is_registered_again(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, _, bob):
        backup = Backup(relay)
        async with await open_device(tmp_path / "carol.db", relay.dial) as carol:
            await carol.register("carol")
            await carol.caught_up()
            at_carol = carol.events()
            backup.restore()
            await carol.reconnect()
            told = await until(at_carol, e2ecore.RelaySetBack)
            assert told.forgot_account
            await back_online(carol, bob)
            assert (await carol.contacts.find("bob")).handle == "bob"
            chat = await bob.conversations.direct(await bob.contacts.find("carol"))
            await chat.send("found again")
            await same(carol, chat)
            assert await texts(at_carol, 1) == ["found again"]


async def test_a_conversation_that_the_relay_forgot_is_lost_and_begun_anew(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, alice, bob):
        at_alice, at_bob = alice.events(), bob.events()
        backup = Backup(relay)
        chat, other = await pair(alice, bob)
        await chat.send("before")
        assert await texts(at_bob, 1) == ["before"]
        backup.restore()
        for engine, reader in ((alice, at_alice), (bob, at_bob)):
            await back_online(engine)
            lost = await until(reader, e2ecore.ConversationLost)
            assert lost.conversation_id == chat.conversation_id
        await chat.refresh()
        assert chat.state is ConversationState.LOST
        with pytest.raises(e2ecore.ConversationReadOnlyError):
            await chat.send("to nobody")
        again, seen = await pair(alice, bob)
        assert again.conversation_id != chat.conversation_id
        await (await again.send("here again")).accepted()
        assert await texts(at_bob, 1) == ["here again"]
        found = await bob.conversations.direct(await bob.contacts.find("alice"))
        assert found.conversation_id == seen.conversation_id
        assert await history(other) == ["before"]


async def test_what_waits_for_a_lost_conversation_fails_at_once(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, alice, bob):
        at_alice = alice.events()
        backup = Backup(relay)
        group, _ = await group_of((alice, bob))
        relay.faults.offline = True
        relay.disconnect()
        waiting = await group.send_many(["never", "ever"])
        change = await group.rename("never")
        relay.faults.clear()
        backup.restore()
        await alice.reconnect()
        await until(at_alice, e2ecore.ConversationLost)
        with anyio.fail_after(PATIENCE_S):
            for one in waiting:
                with pytest.raises(e2ecore.MessageRefusedError):
                    await one.accepted()
            with pytest.raises(e2ecore.ChangeFailedError):
                await change.applied()
        states = {one.state for one in await said(group)}
        assert states == {e2ecore.MessageState.FAILED}


async def test_leaving_a_conversation_that_the_relay_forgot_succeeds(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, alice, bob):
        backup = Backup(relay)
        _, view = await group_of((alice, bob))
        relay.faults.offline = True
        relay.disconnect()
        change = await view.leave()
        relay.faults.clear()
        backup.restore()
        await bob.reconnect()
        with anyio.fail_after(PATIENCE_S):
            await change.applied()
        assert view.state is ConversationState.LEFT


async def test_a_lost_conversation_goes_on_when_the_relay_has_it_again(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, alice, bob):
        at_alice, at_bob = alice.events(), bob.events()
        old = Backup(relay)
        chat, other = await pair(alice, bob)
        newest = Backup(relay)
        old.restore()
        for engine, reader in ((alice, at_alice), (bob, at_bob)):
            await back_online(engine)
            await until(reader, e2ecore.ConversationLost)
        newest.restore()
        for engine, reader in ((alice, at_alice), (bob, at_bob)):
            await back_online(engine)
            await until(reader, e2ecore.ConversationHealed)
        await (await chat.send("found")).accepted()
        await (await other.send("again")).accepted()
        assert await texts(at_bob, 1) == ["found"]
        assert await texts(at_alice, 1) == ["again"]


async def test_entries_of_our_chain_that_the_relay_forgot_are_given_to_it_again(
    tmp_path: Path,
) -> None:
    async with two_devices(tmp_path) as (relay, alice, bob):
        assert alice.account is not None
        name = alice.account.account_id
        backup = Backup(relay)
        await add_second_device(alice)
        relay.disconnect()
        await back_online(alice)
        newest = list(relay.people.accounts[name].entries)
        await chain_known(alice, len(newest))
        backup.restore()
        assert len(relay.people.accounts[name].entries) < len(newest)
        await back_online(alice, bob)
        with anyio.fail_after(PATIENCE_S):
            while relay.people.accounts[name].entries != newest:  # noqa: ASYNC110 - tells nobody
                await anyio.sleep(0.01)


async def chain_known(engine: Engine, length: int) -> None:
    """Wait until a device has its own chain in full."""

    def work(job: Job) -> int:
        chain = job.state.chain(job.tx, job.own.account_id)
        return 0 if chain is None else chain.head_seq + 1

    with anyio.fail_after(PATIENCE_S):
        while await engine._core.jobs.run(work) < length:  # noqa: ASYNC110 - a chain tells nobody
            await anyio.sleep(0.01)


async def test_what_was_cleared_before_does_not_take_new_messages_along(tmp_path: Path) -> None:
    async with phone_laptop_bob(tmp_path) as (relay, phone, laptop, bob):
        at_phone, at_laptop = phone.events(), laptop.events()
        chat, other = await pair(phone, bob)
        await settled(phone)
        await (await other.send("before")).accepted()
        await texts(at_phone, 1)
        await texts(at_laptop, 1)
        backup = Backup(relay)
        for number in range(5):
            await (await other.send(f"forgotten {number}")).accepted()
        await texts(at_phone, 5)
        await texts(at_laptop, 5)
        await chat.clear()
        there = await same(laptop, chat)

        async def is_cleared() -> bool:
            return await history(there) == []

        await comes_true(is_cleared)
        backup.restore()
        await back_online(phone, laptop, bob)
        await until(at_phone, e2ecore.RelaySetBack)
        await until(at_laptop, e2ecore.RelaySetBack)
        await (await other.send("after")).accepted()
        assert await texts(at_phone, 1) == ["after"]
        assert await texts(at_laptop, 1) == ["after"]


async def unreachable() -> FrameChannel:
    """The way to a relay, cut."""
    raise RelayUnreachableError("cut")


async def test_a_message_that_comes_before_the_set_back_is_known_is_not_taken_for_cleared(
    tmp_path: Path,
) -> None:
    async with phone_laptop_bob(tmp_path) as (relay, phone, laptop, bob):
        at_phone, at_laptop = phone.events(), laptop.events()
        chat, other = await pair(phone, bob)
        await settled(phone)
        await (await other.send("before")).accepted()
        await texts(at_phone, 1)
        await texts(at_laptop, 1)
        backup = Backup(relay)
        for number in range(5):
            await (await other.send(f"forgotten {number}")).accepted()
        await texts(at_phone, 5)
        await texts(at_laptop, 5)
        await chat.mark_read()
        await chat.clear()
        there = await same(laptop, chat)

        async def is_cleared() -> bool:
            return await history(there) == []

        await comes_true(is_cleared)
        for engine in (phone, laptop):
            engine._core.dial = unreachable
        backup.restore()
        await back_online(bob)
        await (await other.send("in that very second")).accepted()
        for engine, reader in ((phone, at_phone), (laptop, at_laptop)):
            engine._core.dial = relay.dial
            await back_online(engine)
            assert await texts(reader, 1) == ["in that very second"]
        for one in (chat, there):
            await one.refresh()
            assert await history(one) == ["in that very second"]
            assert one.unread == 1
        await other.send("and one more")
        assert await texts(at_phone, 1) == ["and one more"]
        assert await texts(at_laptop, 1) == ["and one more"]
        await there.clear()
        assert await history(there) == []
