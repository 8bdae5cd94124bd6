"""Paging through a history, the list of conversations, and a view that is kept up to date."""

from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import ChangeReader, Conversation, ConversationChanged, Message, MessageState, blocking
from e2ecore.engine.engine import system_clock_ms
from e2ecore.storage.messages import MAX_PAGE
from e2ecore.testing import MemoryRelay, two_devices
from tests.support.engines import PATIENCE_S, pair, texts

pytestmark = pytest.mark.anyio


class View:
    """What an app keeps: the messages of one conversation, brought up to date by changes alone."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.shown: dict[int, Message] = {}
        self.reads = 0

    async def fill(self) -> None:
        self.shown = {one.order: one for one in await self.conversation.messages(limit=1_000)}

    async def take(self, change: ConversationChanged) -> None:
        if change.conversation_id != self.conversation.conversation_id:
            return
        await self.conversation.refresh()
        unsettled = {
            order for order, one in self.shown.items() if one.state is MessageState.ACCEPTED
        }
        asked = {*change.orders, *(unsettled if change.receipts else ())}
        self.reads += len(asked)
        for order in asked:
            self.shown.pop(order, None)
        for one in await self.conversation.messages_at(sorted(asked)):
            self.shown[one.order] = one

    async def follow(self, reader: ChangeReader, stored: int, state: MessageState) -> None:
        """Take changes until so many messages are shown in a state."""
        with anyio.fail_after(PATIENCE_S):
            async for change in reader:
                await self.take(change)
                if sum(one.state is state for one in self.shown.values()) == stored:
                    return

    async def is_right(self) -> bool:
        stored = await self.conversation.messages(limit=1_000)
        return [self.shown[order] for order in sorted(self.shown)] == stored


async def test_pages_lie_before_after_and_around_a_message_and_at_a_time(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        chat, _ = await pair(alice, bob)
        for number in range(9):
            await chat.send(f"{number}")
            await anyio.sleep(0.003)
        every = await chat.messages()

        def shown(page: list[Message]) -> str:
            return "".join(one.text for one in page)

        orders = [one.order for one in every]
        assert shown(every) == "012345678"
        assert shown(await chat.messages(limit=3)) == "678"
        assert shown(await chat.messages(before=orders[6], limit=3)) == "345"
        assert shown(await chat.messages(after=orders[2], limit=3)) == "345"
        assert shown(await chat.messages(after=orders[8])) == ""
        assert shown(await chat.messages(around=orders[4], limit=4)) == "2345"
        assert shown(await chat.messages(around=orders[0], limit=4)) == "0123"
        assert shown(await chat.messages(at_ms=every[4].sent_ms, limit=4)) == "2345"
        assert shown(await chat.messages(at_ms=0, limit=2)) == "01"
        assert shown(await chat.messages(at_ms=2**53, limit=4)) == "78"
        assert shown(await chat.messages(limit=-1)) == ""
        for beyond in (-1, 2**32, 2**70):
            assert shown(await chat.messages(after=beyond)) in {"", "012345678"}
            assert shown(await chat.messages(before=beyond)) in {"", "012345678"}
        assert shown(await chat.messages_at([orders[3], 5, orders[1], -1, 2**40])) == "13"
        with pytest.raises(e2ecore.TwoCursorsError):
            await chat.messages(before=orders[0], at_ms=0)
        with pytest.raises(e2ecore.TooManyMessagesError):
            await chat.messages_at(range(MAX_PAGE + 1))


async def test_the_list_shows_unread_and_last_message_of_each_conversation(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        at_bob = bob.events()
        chat, other = await pair(alice, bob)
        empty = await alice.conversations.create_group("empty", [])
        assert chat.last_message is None
        await chat.send_many(["one", "two", "three"])
        await texts(at_bob, 3)
        listed = {one.conversation_id: one for one in await alice.conversations.list()}
        assert listed[empty.conversation_id].last_message is None
        last = listed[chat.conversation_id].last_message
        assert last is not None
        assert last.text == "three"
        (at_bobs,) = await bob.conversations.list()
        assert at_bobs.last_message == (await other.messages())[-1]
        assert at_bobs.unread == 3
        await other.refresh()
        assert other.last_message == at_bobs.last_message
        with anyio.fail_after(PATIENCE_S):
            while chat.last_message is None or chat.last_message.state != MessageState.DELIVERED:
                await anyio.sleep(0.01)
                await chat.refresh()
        assert (await alice.conversations.get(chat.conversation_id)).last_message == (
            await chat.messages()
        )[-1]


async def test_changes_alone_keep_a_view_right(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        chat, other = await pair(alice, bob)
        await chat.send("before anybody looks")
        mine, theirs = View(chat), View(other)
        at_alice, at_bob = alice.changes(), bob.changes()
        await mine.fill()
        await theirs.fill()
        await chat.send_many([f"{number}" for number in range(20)])
        await theirs.follow(at_bob, 21, MessageState.RECEIVED)
        await mine.follow(at_alice, 21, MessageState.DELIVERED)
        assert await theirs.is_right()
        assert await mine.is_right()
        assert theirs.reads <= 42
        erased = [order for order in sorted(theirs.shown) if order % 3 == 0]
        await other.delete_messages(erased)
        await theirs.follow(at_bob, 21 - len(erased), MessageState.RECEIVED)
        assert await theirs.is_right()
        await other.mark_read()
        with anyio.fail_after(PATIENCE_S):
            async for change in at_bob:
                await theirs.take(change)
                if theirs.conversation.unread == 0:
                    break


async def test_what_is_not_fetched_is_merged_and_ends_as_read_again(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        chat, _ = await pair(alice, bob)
        few, many = alice.changes(), alice.changes()
        written = [one.order for one in await chat.send_many(["one", "two"])]
        with anyio.fail_after(PATIENCE_S):
            first = await anext(few)
        assert first.conversation_id == chat.conversation_id
        assert set(first.orders) == set(written)
        assert not first.everything
        few.close()
        for _ in range(5):
            await chat.send_many(["more"] * 220)
        with anyio.fail_after(PATIENCE_S):
            all_of_it = await anext(many)
        assert all_of_it.everything
        assert all_of_it.orders == ()
        left = [one async for one in few]
        assert all(one.conversation_id == chat.conversation_id for one in left)
    assert [one async for one in alice.changes()] == []


def test_scripts_page_and_follow_changes_too(tmp_path: Path) -> None:
    relay = MemoryRelay(clock_ms=system_clock_ms)
    with blocking.open(tmp_path / "a.db", passphrase="a long one", relay=relay.dial) as alice:
        alice.register("alice")
        notes = alice.create_group("notes", [])
        alice.wait(notes.ready())
        changes = alice.changes()
        alice.send(notes, "one")
        order = next(one for change in changes for one in change.orders)
        assert [one.text for one in alice.messages_at(notes, [order])] == ["one"]
        assert [one.text for one in alice.messages(notes, around=order)] == ["one"]
