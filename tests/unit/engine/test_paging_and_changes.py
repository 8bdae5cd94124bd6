"""Paging through a history, the list of conversations, and a view that is kept up to date."""

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio
import pytest

import e2ecore
from e2ecore import ChangeReader, Conversation, ConversationChanged, Message, MessageState, blocking
from e2ecore.engine.engine import system_clock_ms
from e2ecore.engine.running.changes import MAX_LISTED
from e2ecore.engine.running.job import Job
from e2ecore.storage import conversations, messages
from e2ecore.storage.conversations import ConversationKind, ConversationState
from e2ecore.storage.messages import MAX_PAGE, MessageRow, message_row_id
from e2ecore.storage.sql import Connection, Params, Row
from e2ecore.testing import MemoryRelay, open_device, two_devices
from tests.support.databases import message
from tests.support.engines import PATIENCE_S, agree, pair, texts

pytestmark = pytest.mark.anyio
R = TypeVar("R")


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


async def test_a_place_in_another_conversation_is_never_taken_for_one_in_this(
    tmp_path: Path,
) -> None:
    async with two_devices(tmp_path) as (_, alice, _bob):
        one, two = [await alice.conversations.create_group(name, []) for name in "ab"]
        for chat in (one, two):
            await chat.ready()
            await chat.send_many(["x", "y"])
        before = [one_.text for one_ in await two.messages()]
        foreign = (await two.messages())[-1]
        refused = [
            one.delete_messages([foreign]), one.react(foreign, "x"), one.edit(foreign, "z"),
            one.recall(foreign), one.pin_message(foreign), one.send_rich("z", reply_to=foreign),
            one.set_draft("z", reply_to=foreign), one.poll(foreign), one.revisions(foreign),
        ]  # fmt: skip
        for verb in refused:
            with pytest.raises(e2ecore.MessageElsewhereError):
                await verb
        beyond = (1 << 32) + foreign.order  # the row id of the same message, seen from the first
        assert await one.delete_messages([beyond, -1, 1 << 70]) == 0
        assert await one.revisions(beyond) == []
        for verb in (one.recall(beyond), one.poll(beyond)):
            with pytest.raises(e2ecore.MessageGoneError):
                await verb
        assert await one.delete_before(-1) == 0
        assert await one.delete_before(1 << 40) == len(before)
        assert await one.messages() == []
        assert one.last_message is None
        assert [one_.text for one_ in await two.messages()] == before


async def test_the_list_asks_as_often_for_many_conversations_as_for_few(tmp_path: Path) -> None:
    asked: list[str] = []
    here = threading.get_ident()  # the list reads in the caller's thread, the writer in its own

    def note(sql: str) -> None:
        if threading.get_ident() == here:
            asked.append(sql)

    class Counting(Connection):
        __slots__ = ()

        def rows(self, make: Callable[[Row], R], sql: str, params: Params = ()) -> list[R]:
            note(sql)
            return super().rows(make, sql, params)

        def row(self, make: Callable[[Row], R], sql: str, params: Params = ()) -> R | None:
            note(sql)
            return super().row(make, sql, params)

    relay = MemoryRelay(clock_ms=system_clock_ms)
    async with await open_device(tmp_path / "a.db", relay.dial, connect=Counting) as alice:
        await alice.register("alice")
        await alice.caught_up()
        for number in range(3):
            chat = await alice.conversations.create_group(f"{number}", [])
            await chat.ready()
            await (await chat.send("mine")).accepted()

        def copy(job: Job) -> None:
            for number in range(500):
                row = conversations.create(
                    job.tx, uid=number.to_bytes(16, "big"), kind=ConversationKind.GROUP,
                    state=ConversationState.LEFT, created_ms=1,
                )  # fmt: skip
                if number % 5:
                    messages.insert(job.tx, [stored_message(row.cid, number)])

        async def count() -> tuple[int, list[Conversation]]:
            asked.clear()
            listed = await alice.conversations.list()
            return len(asked), listed

        few, listed = await count()
        assert [one.last_message.text for one in listed if one.last_message] == ["mine"] * 3
        await alice._core.jobs.run(copy)
        many, listed = await count()
        assert len(listed) == 503
        assert sum(one.last_message is not None for one in listed) == 403
        assert many == few <= 3, asked


def stored_message(cid: int, number: int) -> MessageRow:
    """An own message that the relay has."""
    own = message(cid, number)
    return own._replace(mid=10**6 * cid + number, state=int(MessageState.ACCEPTED))


async def test_each_commit_is_told_once_and_what_was_rolled_back_never(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, _bob):
        chat = await alice.conversations.create_group("notes", [])
        await chat.ready()
        reader = alice.changes()
        cid = chat.local_number

        def touch(job: Job, order: int, *, fails: bool) -> None:
            job.tx.touch((message_row_id(cid, order),))
            if fails:
                raise e2ecore.BadTextError

        pending = [
            alice._core.jobs.submit(partial(touch, order=order, fails=order % 3 == 0))
            for order in range(1, 30)
        ]
        heard: list[int] = []
        for one in pending:
            with suppress(e2ecore.BadTextError):
                await one.wait()
        with anyio.fail_after(PATIENCE_S):
            while len(heard) < 20:
                heard += (await anext(reader)).orders
        assert sorted(heard) == [order for order in range(1, 30) if order % 3]
        reader.close()
        assert [one async for one in reader] == []


async def test_a_reader_that_nobody_reads_keeps_little(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, _bob):
        chat = await alice.conversations.create_group("notes", [])
        await chat.ready()
        hub, reader = alice._core.changes_hub, alice.changes()
        hub._uids.update(dict.fromkeys(range(1, 1001), chat.conversation_id))
        for order in range(1, 400):
            hub.committed([message_row_id(cid, order) for cid in range(1, 101)], [])
            assert sum(len(one.orders) for one in reader._merged.values()) <= MAX_LISTED
        reader.close()
        left = [one async for one in reader]
        assert all(one.everything and not one.orders for one in left)
        assert len(left) == 100


async def test_that_somebody_has_read_is_a_change_too(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        at_bob = bob.events()
        chat, other = await pair(alice, bob)
        await agree(bob, e2ecore.Purpose.READ_RECEIPTS)
        await other.share_reading(on=True)
        await chat.send("read me")
        await texts(at_bob, 1)
        mine = View(chat)
        await mine.fill()
        reader = alice.changes()
        await mine.follow(reader, 1, MessageState.DELIVERED)
        await other.mark_read()
        with anyio.fail_after(PATIENCE_S):
            async for change in reader:
                if change.receipts and (await chat.messages())[-1].read_by:
                    break
