"""A relay that lies: every lie is harmless, or shows as an event that names it."""

from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import ConversationState
from e2ecore.testing import (
    SeededRng,
    devices,
    drop,
    duplicate,
    flip_a_bit,
    replay,
    shuffle,
    swap_logs,
    two_devices,
)
from e2ecore_protocol.frames.accounts import Account
from e2ecore_protocol.frames.delivery import Delivery, EnvelopeKind
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.frames.key_packages import (
    ClaimKeyPackages,
    DeviceKeyPackage,
    KeyPackages,
)
from tests.support.engines import (
    PATIENCE_S,
    authenticator,
    epoch_reached,
    group_of,
    history,
    pair,
    texts,
    until,
)

pytestmark = pytest.mark.anyio


async def test_deliveries_that_come_twice_are_stored_once(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, alice, bob):
        at_bob = bob.events()
        relay.faults.deliveries.append(duplicate)
        chat, other = await pair(alice, bob)
        await chat.send_many([str(number) for number in range(30)])
        assert await texts(at_bob, 30) == [str(number) for number in range(30)]
        assert await history(other) == [str(number) for number in range(30)]


async def test_replays_under_new_numbers_are_stored_once(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, alice, bob):
        at_bob = bob.events()
        chat, other = await pair(alice, bob)
        relay.faults.deliveries.append(replay())
        for number in range(10):
            await (await chat.send(str(number))).accepted()
        await texts(at_bob, 10)
        assert await history(other) == [str(number) for number in range(10)]


async def test_a_dropped_message_is_reported_as_missing(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, alice, bob):
        at_bob = bob.events()
        chat, other = await pair(alice, bob)
        await chat.send("first")
        assert await texts(at_bob, 1) == ["first"]
        relay.faults.deliveries.append(drop(EnvelopeKind.APPLICATION, 2))
        for text in ("lost", "lost too", "third"):
            await (await chat.send(text)).accepted()
        assert (await until(at_bob, e2ecore.MessagesMissing)).count == 2
        assert await texts(at_bob, 1) == ["third"]
        assert await history(other) == ["first", "third"]


async def test_reordered_messages_all_arrive(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, alice, bob):
        at_bob = bob.events()
        chat, _ = await pair(alice, bob)
        await chat.send("first")
        await texts(at_bob, 1)
        relay.faults.deliveries.append(shuffle(SeededRng(7)))
        await chat.send_many([str(number) for number in range(5)])
        assert sorted(await texts(at_bob, 5)) == [str(number) for number in range(5)]


async def test_a_damaged_message_is_set_aside_and_the_rest_goes_on(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, alice, bob):
        at_bob = bob.events()
        chat, _ = await pair(alice, bob)
        relay.faults.deliveries.append(flip_a_bit())
        await chat.send_many(["damaged", "good"])
        found = await until(at_bob, e2ecore.EnvelopeQuarantined)
        assert found.conversation_id == chat.conversation_id
        assert await texts(at_bob, 1) == ["good"]


async def test_envelopes_of_another_conversation_are_set_aside(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (relay, engines):
        alice, bob, _ = engines
        at_bob = bob.events()
        group, _, _ = await group_of(engines)
        chat, other = await pair(alice, bob)
        relay.faults.deliveries.append(swap_logs(group.conversation_id, chat.conversation_id))
        await (await chat.send("for bob alone")).accepted()
        await until(at_bob, e2ecore.EnvelopeQuarantined)
        relay.faults.clear()
        await (await chat.send("again")).accepted()
        assert await texts(at_bob, 1) == ["again"]
        assert await history(other) == ["again"]


@pytest.mark.slow
async def test_a_withheld_commit_is_noticed_and_the_member_is_added_again(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (relay, engines):
        alice, _, carol = engines
        at_carol = carol.events()
        group, _, at_carols = await group_of(engines)
        carols_device = carol.account.device_id if carol.account else b""
        withhold = drop(EnvelopeKind.COMMIT, 1)

        def from_carol(device: bytes, items: Sequence[Delivery]) -> list[Delivery]:
            return withhold(device, items) if device == carols_device else list(items)

        relay.faults.deliveries.append(from_carol)
        await (await group.renew_keys()).applied()
        await (await group.send("carol cannot read this")).accepted()
        healing = await until(at_carol, e2ecore.ConversationHealing)
        assert healing.conversation_id == group.conversation_id
        waiting = await at_carols.send("written while ill")
        await until(at_carol, e2ecore.ConversationHealed)
        await (await group.send("welcome back")).accepted()
        with anyio.fail_after(PATIENCE_S):
            await waiting.accepted()
        assert "welcome back" in await texts(at_carol, 1)
        await group.refresh()
        await epoch_reached(at_carols, group.epoch)
        assert await authenticator(alice, group) == await authenticator(carol, at_carols)


async def test_a_damaged_commit_is_healed_too(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (relay, engines):
        alice, _, carol = engines
        at_carol = carol.events()
        group, _, at_carols = await group_of(engines)
        carols_device = carol.account.device_id if carol.account else b""
        damage = flip_a_bit(1, EnvelopeKind.COMMIT)

        def for_carol(device: bytes, items: Sequence[Delivery]) -> list[Delivery]:
            return damage(device, items) if device == carols_device else list(items)

        relay.faults.deliveries.append(for_carol)
        await (await group.renew_keys()).applied()
        await until(at_carol, e2ecore.ConversationHealing)
        await until(at_carol, e2ecore.ConversationHealed)
        await at_carols.refresh()
        assert at_carols.state is ConversationState.ACTIVE
        await (await group.send("welcome back")).accepted()
        assert await texts(at_carol, 1) == ["welcome back"]
        del alice


async def test_a_shortened_account_chain_is_not_used(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, alice, _):
        at_alice = alice.events()

        def shorten(_device: bytes, frame: Frame) -> Frame:
            if isinstance(frame, Account):
                return Account(frame.request, frame.account_id, frame.handle, frame.entries[:1], 0)
            return frame

        await alice.contacts.find("bob")
        relay.faults.answers.append(shorten)
        contact = await alice.contacts.find("bob")
        assert (await until(at_alice, e2ecore.ContactChainInvalid)).account_id == contact.account_id
        assert contact.device_ids, "what was known has been forgotten"


async def test_a_forged_account_chain_is_refused_with_an_event(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, alice, _):
        at_alice = alice.events()

        def forge(_device: bytes, frame: Frame) -> Frame:
            if isinstance(frame, Account):
                damaged = frame.entries[-1][:-1] + bytes((frame.entries[-1][-1] ^ 1,))
                return Account(
                    frame.request,
                    frame.account_id,
                    frame.handle,
                    (*frame.entries[:-1], damaged),
                    frame.head_seq,
                )
            return frame

        relay.faults.answers.append(forge)
        with pytest.raises(e2ecore.ChainInvalidError):
            await alice.contacts.find("bob")
        await until(at_alice, e2ecore.ContactChainInvalid)


async def test_a_key_package_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "mallory") as (relay, engines):
        alice, bob, mallory = engines
        at_alice = alice.events()
        assert bob.account is not None
        assert mallory.account is not None
        link = alice._core.need_link()
        of_mallory = await link.request(
            ClaimKeyPackages(0, (mallory.account.account_id,)), KeyPackages
        )
        forged = DeviceKeyPackage(
            bob.account.account_id, bob.account.device_id, of_mallory.packages[0].key_package
        )

        def swap(_device: bytes, frame: Frame) -> Frame:
            if isinstance(frame, KeyPackages):
                return KeyPackages(frame.request, (forged,))
            return frame

        relay.faults.answers.append(swap)
        chat = await alice.conversations.direct(await alice.contacts.find("bob"))
        sent = await chat.send("for bob only")
        with pytest.raises(e2ecore.PeerError):
            await chat.ready()
        failed = await until(at_alice, e2ecore.IntentFailed)
        assert failed.conversation_id == chat.conversation_id
        with pytest.raises(e2ecore.MessageRefusedError):
            await sent.accepted()
        relay.faults.clear()
        again, other = await pair(alice, bob)
        assert again.conversation_id != chat.conversation_id
        await again.send("for bob only")
        with anyio.fail_after(PATIENCE_S):
            while await history(other) != ["for bob only"]:  # noqa: ASYNC110 - nothing to wait for
                await anyio.sleep(0.01)
        assert await mallory.conversations.list() == []
