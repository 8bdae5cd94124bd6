"""Pinned messages: the same for all members, changed by who may, and by the last word."""

from pathlib import Path

import pytest

import e2ecore
from e2ecore import Conversation, Engine
from e2ecore.messaging.pins import PinAheadError, PinNotAllowedError
from e2ecore.testing.devices import devices
from e2ecore_protocol.content import Pin, Recall, Role, Text
from e2ecore_protocol.limits import MAX_CLOCK_DIFFERENCE_MS, MAX_PINS
from tests.support.engines import epoch_reached, group_of, said, texts, until
from tests.unit.engine.test_hostile_remarks import done, say
from tests.unit.engine.test_remarks import newest, scene

pytestmark = pytest.mark.anyio


async def pinned(chat: Conversation) -> list[str]:
    return [one.text for one in await chat.pinned_messages()]


async def test_both_of_two_pin_and_unpin(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        first, _ = await at.say("first")
        _, second = await at.say("second")
        assert await pinned(at.chat) == []
        await at.chat.pin_message(first)
        changed = await until(at.at_bob, e2ecore.PinChanged)
        assert (changed.message_id, changed.is_pinned) == (first.message_id, True)
        assert changed.account_id == first.sender
        await at.other.pin_message(second.order)
        assert (await until(at.at_alice, e2ecore.PinChanged)).order == second.order
        assert await pinned(at.chat) == await pinned(at.other) == ["second", "first"]
        await at.other.unpin_message(first.order)
        assert not (await until(at.at_alice, e2ecore.PinChanged)).is_pinned
        assert await pinned(at.chat) == await pinned(at.other) == ["second"]


async def test_a_message_that_was_taken_back_or_erased_is_not_pinned(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, seen = await at.say("taken back")
        kept, here = await at.say("erased here")
        for one in (own, kept):
            await at.chat.pin_message(one)
            await until(at.at_bob, e2ecore.PinChanged)
        await at.chat.recall(own)
        await until(at.at_bob, e2ecore.MessageRecalled)
        assert await pinned(at.other) == ["erased here"]
        await at.other.delete_messages([here])
        assert (await pinned(at.other), await pinned(at.chat)) == ([], ["erased here"])
        left = "SELECT count(*) FROM pins"
        assert at.bob._core.read(lambda tx: tx.value(int, left)) == 0
        for call in (at.other.pin_message(here), at.other.pin_message(seen)):
            with pytest.raises(e2ecore.MessageGoneError):
                await call


async def test_in_a_group_only_admins_and_owners_pin(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (_, (alice, bob)):
        at_alice, at_bob = alice.events(), bob.events()
        group, at_bobs = await group_of((alice, bob))
        sent = await group.send("rules")
        await texts(at_bob, 1)
        (seen,) = await said(at_bobs)
        with pytest.raises(e2ecore.NotAllowedError):
            await at_bobs.pin_message(seen)
        pin = Pin(seen.message_id, seen.sender, seen.sent_ms, 1)
        await say(bob, at_bobs, pin)
        aside = await until(at_alice, e2ecore.EnvelopeQuarantined)
        assert aside.error == PinNotAllowedError.__name__
        assert await pinned(group) == []
        to_bob = await alice.contacts.find("bob")
        await (await group.set_role(to_bob, Role.ADMIN)).applied()
        await group.refresh()
        await epoch_reached(at_bobs, group.epoch)
        await at_bobs.pin_message(seen)
        assert (await until(at_alice, e2ecore.PinChanged)).order == sent.order
        assert await pinned(group) == ["rules"]


async def test_pins_in_any_order_and_twice_end_alike(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, _ = await at.say("words")
        pins = [Pin(own.message_id, own.sender, ms, ms % 2) for ms in (2, 5, 3, 4, 5)]
        await say(at.alice, at.chat, *pins)
        await done(at)
        assert await pinned(at.other) == ["words"]
        await at.other.unpin_message((await said(at.other))[0])
        assert await pinned(at.other) == []


async def test_nobody_pins_so_that_others_cannot_undo_it(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, seen = await at.say("words")
        far = own.sent_ms + 2 * MAX_CLOCK_DIFFERENCE_MS
        for changed_ms in (far, (1 << 63) - 1):
            await say(at.alice, at.chat, Pin(own.message_id, own.sender, changed_ms, 1))
            aside = await until(at.at_bob, e2ecore.EnvelopeQuarantined)
            assert aside.error == PinAheadError.__name__
        near = own.sent_ms + MAX_CLOCK_DIFFERENCE_MS // 2
        await say(at.alice, at.chat, Pin(own.message_id, own.sender, near, 1))
        await until(at.at_bob, e2ecore.PinChanged)
        await at.other.unpin_message(seen)
        await done(at)
        assert await pinned(at.other) == []


async def test_a_pin_before_its_message_waits_and_one_of_a_recalled_message_is_nothing(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as at:
        own, _ = await at.say("gone")
        who = own.sender
        await say(
            at.alice, at.chat, Recall(own.message_id, own.sent_ms),
            Pin(own.message_id, who, own.sent_ms + 9, 1), Pin(b"u" * 16, who, 1, 1),
        )  # fmt: skip
        await done(at)
        assert await pinned(at.other) == []
        said_early = (Pin(b"v" * 16, who, 1, 1), text_of(b"v" * 16))
        await say(at.alice, at.chat, *said_early, counters=(2, 1))
        await done(at, "again")
        assert await pinned(at.other) == ["pinned already"]


def text_of(uid: bytes) -> Text:
    return Text(uid, 1, "pinned already")


async def test_of_many_pinned_messages_those_pinned_last_are_shown(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice") as (_, (alice,)):
        group = await alice.conversations.create_group("g", [])
        sent = await group.send_many([str(number) for number in range(MAX_PINS + 3)])
        for number, one in enumerate(sent):
            await pin_at(alice, group, one.order, 1_000 + number)
        shown = await pinned(group)
        assert shown == [str(number) for number in range(MAX_PINS + 2, 2, -1)]
        assert (await newest(group)).text == shown[0]


async def pin_at(engine: Engine, chat: Conversation, order: int, now_ms: int) -> None:
    """Pin by a clock that stands at a time."""
    state = engine._core.state
    before, state.clock_ms = state.clock_ms, lambda: now_ms
    await chat.pin_message(order)
    state.clock_ms = before
