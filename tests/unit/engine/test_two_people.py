"""Two people on a relay in memory: from registration to delivery marks."""

from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

import e2ecore
from e2ecore import MessageState, Verification
from e2ecore.crypto.signing import ED25519
from e2ecore.engine.engine import system_clock_ms
from e2ecore.testing import MemoryRelay, SeededRng, open_device, two_devices
from e2ecore_protocol.chain.bodies import MULTI_DEVICE_SYNC, ConsentGranted, DeviceAdded
from e2ecore_protocol.chain.state import extend
from e2ecore_protocol.frames.accounts import AppendChain
from e2ecore_protocol.frames.session import Ok
from tests.support.engines import agree, group_of, history, pair, same, texts, until

pytestmark = pytest.mark.anyio


async def test_a_message_arrives_and_its_delivery_is_confirmed(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        at_alice, at_bob = alice.events(), bob.events()
        chat, other = await pair(alice, bob)
        sent = await chat.send("hello")
        await sent.accepted()
        received = await until(at_bob, e2ecore.MessageReceived)
        assert received.message.text == "hello"
        assert alice.account is not None
        assert received.message.sender == alice.account.account_id
        assert not received.message.mine
        delivered = await until(at_alice, e2ecore.Delivered)
        assert delivered.upto_counter >= sent.counter
        (message,) = await chat.messages()
        assert (message.text, message.mine, message.state) == (
            "hello",
            True,
            MessageState.DELIVERED,
        )
        await other.refresh()
        assert other.unread == 1
        await other.mark_read()
        assert other.unread == 0


async def test_messages_written_before_the_conversation_exists_follow_in_order(
    tmp_path: Path,
) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        at_bob = bob.events()
        chat = await alice.conversations.direct(await alice.contacts.find("bob"))
        sent = [await chat.send(str(number)) for number in range(20)]
        for one in sent:
            await one.accepted()
        assert await texts(at_bob, 20) == [str(number) for number in range(20)]


async def test_both_begin_at_once_and_end_up_in_one_conversation(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        at_alice, at_bob = alice.events(), bob.events()
        to_bob = await alice.contacts.find("bob")
        to_alice = await bob.contacts.find("alice")
        async with anyio.create_task_group() as tasks:
            chats: list[e2ecore.Conversation] = []

            async def begin(engine: e2ecore.Engine, contact: e2ecore.Contact) -> None:
                chat = await engine.conversations.direct(contact)
                chats.append(chat)
                await (await chat.send("from " + contact.handle)).accepted()  # type: ignore[operator]

            tasks.start_soon(begin, alice, to_bob)
            tasks.start_soon(begin, bob, to_alice)
        assert chats[0].conversation_id == chats[1].conversation_id
        assert await texts(at_alice, 1) == ["from alice"]
        assert await texts(at_bob, 1) == ["from bob"]
        assert len(await alice.conversations.list()) == 1


async def test_what_is_sent_offline_goes_out_after_the_next_start(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, alice, bob):
        at_bob = bob.events()
        chat, _ = await pair(alice, bob)
        relay.faults.offline = True
        relay.disconnect()
        sent = await chat.send_many([str(number) for number in range(600)])
        assert not any(one.is_accepted for one in sent)
        relay.faults.offline = False
        await alice.reconnect()
        await bob.reconnect()
        assert await texts(at_bob, 600) == [str(number) for number in range(600)]
        for one in sent:
            await one.accepted()


async def test_a_device_that_was_closed_catches_up(tmp_path: Path) -> None:
    relay = MemoryRelay(clock_ms=system_clock_ms)
    async with await open_device(tmp_path / "alice.db", relay.dial) as alice:
        await alice.register("alice")
        async with await open_device(tmp_path / "bob.db", relay.dial) as bob:
            await bob.register("bob")
            chat, _ = await pair(alice, bob)
        for one in await chat.send_many([str(number) for number in range(700)]):
            await one.accepted()
        async with await open_device(tmp_path / "bob.db", relay.dial) as bob:
            await bob.caught_up()
            (other,) = await bob.conversations.list()
            assert await history(other) == [str(number) for number in range(700)]
            assert other.unread == 700


async def test_both_see_the_same_safety_number_and_can_verify(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        to_bob = await alice.contacts.find("bob")
        to_alice = await bob.contacts.find("alice")
        number = to_bob.safety_number()
        assert number == to_alice.safety_number()
        assert len(number.digits) == 60
        number.check_scanned(to_alice.safety_number().qr_bytes)
        with pytest.raises(e2ecore.SafetyNumberMismatchError):
            number.check_scanned(b"something else")
        await to_bob.mark_verified()
        assert (await alice.contacts.find("bob")).verification is Verification.VERIFIED
        await to_bob.mark_unverified()
        assert (await alice.contacts.find("bob")).verification is Verification.UNVERIFIED


async def test_a_page_of_history_continues_where_the_last_one_ended(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        chat, _ = await pair(alice, bob)
        await chat.send_many([str(number) for number in range(10)])
        newest = await chat.messages(limit=4)
        older = await chat.messages(before=newest[0].order, limit=4)
        assert [one.text for one in (*older, *newest)] == list("23456789")


async def test_cancelling_the_caller_does_not_take_the_message_back(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        at_bob = bob.events()
        chat, _ = await pair(alice, bob)
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(chat.send, "kept")
                await anyio.lowlevel.checkpoint()
                scope.cancel()
        assert await texts(at_bob, 1) == ["kept"]


async def test_an_error_of_the_app_leaves_the_engine_as_it_is(tmp_path: Path) -> None:
    class OwnError(Exception):
        pass

    with pytest.raises(OwnError):
        async with await open_device(tmp_path / "alice.db", None):
            raise OwnError


async def test_names_reach_everybody_and_can_be_changed(tmp_path: Path) -> None:
    relay = MemoryRelay(clock_ms=system_clock_ms)
    async with (
        await open_device(tmp_path / "a.db", relay.dial) as alice,
        await open_device(tmp_path / "b.db", relay.dial) as bob,
        await open_device(tmp_path / "c.db", relay.dial) as carol,
    ):
        for engine, handle in ((alice, "alice"), (bob, "bob"), (carol, "carol")):
            await engine.register(handle, handle.title())
            await engine.caught_up()
        at_carol = carol.events()
        group, _ = await group_of((alice, bob))
        await (await group.add(await alice.contacts.find("carol"))).applied()
        changed = {(await until(at_carol, e2ecore.ProfileChanged)).display_name for _ in range(2)}
        assert changed == {"Alice", "Bob"}
        await alice.set_display_name("Alice A.")
        assert (await until(at_carol, e2ecore.ProfileChanged)).display_name == "Alice A."
        at_carols = await same(carol, group)
        names = {one.handle: one.display_name for one in await at_carols.members()}
        assert names == {"alice": "Alice A.", "bob": "Bob", "carol": "Carol"}
        with pytest.raises(e2ecore.NameTooLongError):
            await alice.set_display_name("x" * 65)


async def test_when_a_verified_contact_changes_devices_sending_stops(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, alice, bob):
        at_alice = alice.events()
        chat, _ = await pair(alice, bob)
        contact = await alice.contacts.find("bob")
        await contact.mark_verified()
        await agree(alice, e2ecore.Purpose.TYPING)
        assert await chat.typing()
        await add_second_device(bob)
        await contact.refresh()
        changed = await until(at_alice, e2ecore.KeyChanged)
        assert changed.was_verified
        assert contact.verification is Verification.CHANGED
        with pytest.raises(e2ecore.ContactChangedError):
            await chat.send("to whom?")
        assert not await chat.typing(on=False)
        await contact.mark_unverified()
        await (await chat.send("accepted the change")).accepted()
        del relay


async def add_second_device(engine: e2ecore.Engine) -> None:
    """Consent to several devices and name another one in the account chain."""
    core = engine._core
    own = await core.jobs.run(lambda job: job.own)
    chain = await core.jobs.run(lambda job: job.state.chain(job.tx, own.account_id))
    assert chain is not None
    consent = ConsentGranted(bytes(16), MULTI_DEVICE_SYNC, bytes(32), bytes(32), None)
    granted = chain.next_entry(consent, now_ms=system_clock_ms(), sign=own.identity.sign)
    after = extend(chain, [granted], ED25519.verify)
    device = ED25519.generate(SeededRng(1))
    proof = device.sign(after.next_possession_message(device.public))
    added = after.next_entry(
        DeviceAdded(device.public, proof), now_ms=system_clock_ms(), sign=own.identity.sign
    )
    await core.need_link().request(AppendChain(0, (granted.encode(), added.encode())), Ok)
