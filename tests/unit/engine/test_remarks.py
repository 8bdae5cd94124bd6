"""What is said of messages afterwards: replies, reactions, edits, recalls, read receipts."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import Conversation, Engine, Mention, Message, MessageKind
from e2ecore.engine.arrival.receipts import write_receipts
from e2ecore.engine.running.job import Job
from e2ecore.storage import conversations, outbox
from e2ecore.testing import MemoryRelay, two_devices
from e2ecore_protocol.limits import EDIT_WINDOW_MS
from tests.support.engines import PATIENCE_S, agree, history, pair, until

pytestmark = pytest.mark.anyio


class Scene:
    """Alice and Bob in their conversation."""

    def __init__(
        self, relay: MemoryRelay, alice: Engine, bob: Engine, chats: tuple[Conversation, ...]
    ) -> None:
        self.relay, self.alice, self.bob = relay, alice, bob
        self.chat, self.other = chats
        self.at_alice, self.at_bob = alice.events(), bob.events()

    async def say(self, text: str) -> tuple[Message, Message]:
        """Alice says something; return the message as she and as Bob sees it."""
        sent = await self.chat.send(text)
        received = await until(self.at_bob, e2ecore.MessageReceived)
        (own,) = await self.chat.messages_at([sent.order])
        return own, received.message


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    async with two_devices(folder) as (relay, alice, bob):
        yield Scene(relay, alice, bob, await pair(alice, bob))


def later(clock_ms: Callable[[], int], by_ms: int) -> Callable[[], int]:
    """Return a clock that is ahead."""
    return lambda: clock_ms() + by_ms


async def newest(chat: Conversation) -> Message:
    return (await chat.messages(limit=1))[-1]


async def test_a_rich_text_with_nothing_besides_is_a_plain_one(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.chat.send_rich("nothing besides")
        received = (await until(at.at_bob, e2ecore.MessageReceived)).message
        assert (received.kind, received.text) == (MessageKind.TEXT, "nothing besides")


async def test_a_reply_names_and_binds_what_it_answers(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, seen = await at.say("shall we meet?")
        await at.other.send_rich("yes", reply_to=seen)
        answer = (await until(at.at_alice, e2ecore.MessageReceived)).message
        for one in (answer, await newest(at.other), await newest(at.chat)):
            assert (one.text, one.kind) == ("yes", MessageKind.TEXT)
            assert one.reply is not None
            assert (one.reply.text, one.reply.is_intact) == ("shall we meet?", True)
            assert (one.reply.message_id, one.reply.author) == (own.message_id, own.sender)
        await at.chat.edit(own, "shall we fight?")
        await until(at.at_bob, e2ecore.MessageEdited)
        quote = (await newest(at.other)).reply
        assert quote is not None
        assert (quote.text, quote.is_intact) == ("shall we fight?", False)
        await at.chat.recall(own)
        await until(at.at_bob, e2ecore.MessageRecalled)
        quote = (await newest(at.other)).reply
        assert quote is not None
        assert (quote.text, quote.is_intact) == (None, False)


async def test_mentions_forwards_and_lifetimes_arrive(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        assert at.bob.account is not None
        who = at.bob.account.account_id
        named = (Mention(who, 3, 4),)
        await at.chat.send_rich("hi @bob", mentions=named, lifetime_s=60)
        received = (await until(at.at_bob, e2ecore.MessageReceived)).message
        assert (received.mentions, received.lifetime_s) == (named, 60)
        await at.other.forward(received)
        await at.other.forward(await newest(at.other))
        hops = [await until(at.at_alice, e2ecore.MessageReceived) for _ in range(2)]
        assert [(one.message.text, one.message.forwards) for one in hops] == [
            ("hi @bob", 1),
            ("hi @bob", 2),
        ]
        assert [hit.message.mentions for hit in (await at.bob.search("@bob")).hits][2] == named


async def test_wrong_extras_are_refused_before_anything_is_stored(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, _ = await at.say("abc")
        who = own.sender
        for wrong in ([Mention(who, 2, 2)], [Mention(who, -1, 2)], [Mention(who, 0, 0)]):
            with pytest.raises(e2ecore.BadMentionError):
                await at.chat.send_rich("abc", mentions=wrong)
        for lifetime_s in (0, 365 * 86_400 + 1):
            with pytest.raises(e2ecore.BadLifetimeError):
                await at.chat.send_rich("abc", lifetime_s=lifetime_s)
        for signs in (["x"] * 2, list("123456789"), [""], ["x" * 65]):
            with pytest.raises(e2ecore.BadReactionError):
                await at.chat.react(own, *signs)
        with pytest.raises(e2ecore.BadTextError):
            await at.chat.react(own, "\ud800")
        with pytest.raises(e2ecore.MessageGoneError):
            await at.chat.react(own.order + 1, "x")
        with pytest.raises(e2ecore.NotYourMessageError):
            await at.other.edit(await newest(at.other), "mine now")
        with pytest.raises(e2ecore.NotYourMessageError):
            await at.other.recall(await newest(at.other))
        assert await history(at.chat) == ["abc"]


async def test_each_person_has_one_set_of_reactions_and_the_last_one_counts(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as at:
        own, seen = await at.say("cake?")
        who = at.bob.account
        assert who is not None
        for signs in (("👍",), ("🎉", "🍰")):
            await at.other.react(seen, *signs)
            changed = await until(at.at_alice, e2ecore.ReactionChanged)
            assert (changed.message_id, changed.order) == (own.message_id, own.order)
            assert (changed.account_id, changed.signs) == (who.account_id, signs)
        await at.chat.react(own, "❤️")
        await until(at.at_bob, e2ecore.ReactionChanged)
        for chat in (at.chat, at.other):
            shown = {one.account_id: one.signs for one in (await newest(chat)).reactions}
            assert shown == {own.sender: ("❤️",), who.account_id: ("🎉", "🍰")}
        await at.other.react(seen)
        assert (await until(at.at_alice, e2ecore.ReactionChanged)).signs == ()
        assert [one.signs for one in (await newest(at.chat)).reactions] == [("❤️",)]


async def test_an_edit_is_shown_found_and_keeps_what_was_said_before(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, seen = await at.say("meet at the harbour")
        for text in ("meet at the station", "meet at the airport"):
            await at.chat.edit(own, text)
            edited = await until(at.at_bob, e2ecore.MessageEdited)
            assert (edited.message.text, edited.message.order) == (text, seen.order)
            assert edited.message.edited_ms is not None
        for engine, chat in ((at.alice, at.chat), (at.bob, at.other)):
            assert await history(chat) == ["meet at the airport"]
            said = ["meet at the harbour", "meet at the station"]
            assert await chat.earlier_texts(await newest(chat)) == said
            assert len((await engine.search("airport")).hits) == 1
            assert (await engine.search("harbour")).hits == ()


async def test_a_recall_erases_the_words_everywhere(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, seen = await at.say("a secret")
        await at.chat.edit(own, "the secret")
        await at.other.react(seen, "👀")
        await until(at.at_alice, e2ecore.ReactionChanged)
        await at.chat.recall(own)
        recalled = await until(at.at_bob, e2ecore.MessageRecalled)
        assert (recalled.message_id, recalled.account_id) == (own.message_id, own.sender)
        for engine, chat in ((at.alice, at.chat), (at.bob, at.other)):
            one = await newest(chat)
            assert (one.kind, one.text, one.reactions) == (MessageKind.RECALLED, "", ())
            assert await chat.earlier_texts(one) == []
            assert (await engine.search("secret")).hits == ()
        for call in (at.chat.recall(own), at.chat.edit(own, "x"), at.other.react(seen, "x")):
            with pytest.raises(e2ecore.MessageGoneError):
                await call


async def test_what_was_taken_back_before_it_left_is_not_kept_to_be_sent_again(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as at:
        at.alice._core.sender.paused = True
        cid = at.chat.local_number
        for words in ("one", "two"):
            sent = await at.chat.send(f"secret {words}")
            await at.chat.edit(sent.order, f"other secret {words}")
            await at.chat.recall(sent.order)
        rows = await at.alice._core.jobs.run(lambda job: outbox.with_content(job.tx, cid))
        assert [b"secret" in row.content for row in rows] == [False] * 6


async def test_a_message_cannot_be_edited_after_a_day(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, _ = await at.say("old words")
        state = at.alice._core.state
        state.clock_ms = later(state.clock_ms, EDIT_WINDOW_MS)
        with pytest.raises(e2ecore.EditWindowOverError):
            await at.chat.edit(own, "new words")
        assert await history(at.chat) == ["old words"]


async def test_a_message_is_found_by_its_id(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        own, seen = await at.say("here")
        assert await at.chat.find_message(own.message_id) == own
        assert await at.other.find_message(own.message_id) == seen
        assert await at.chat.find_message(e2ecore.MessageId(bytes(16))) is None


async def test_nobody_learns_what_was_read_unless_the_reader_wants_it(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.say("one")
        assert not await at.other.shares_reading()
        await at.other.mark_read()
        with pytest.raises(e2ecore.ConsentRequiredError, match="read_receipts"):
            await at.other.share_reading(on=True)
        await agree(at.bob, e2ecore.Purpose.READ_RECEIPTS)
        await at.other.share_reading(on=True)
        assert await at.other.shares_reading()
        own, _ = await at.say("two")
        await at.other.mark_read()
        read = await until(at.at_alice, e2ecore.MessagesRead)
        while read.upto_counter < own.counter:
            read = await until(at.at_alice, e2ecore.MessagesRead)
        assert at.bob.account is not None
        assert (await newest(at.chat)).read_by == (at.bob.account.account_id,)
        await at.other.share_reading(on=False)
        own, _ = await at.say("three")
        await at.other.mark_read()

        def work(job: Job) -> None:
            write_receipts(job, [at.other.local_number])

        await at.bob._core.jobs.run(work)
        with anyio.fail_after(PATIENCE_S):
            await (await at.other.send("done")).accepted()
            await until(at.at_alice, e2ecore.MessageReceived)
        (shown,) = await at.chat.messages_at([own.order])
        assert shown.read_by == ()


async def test_one_receipt_tells_of_all_that_was_read(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await agree(at.bob, e2ecore.Purpose.READ_RECEIPTS)
        await at.other.share_reading(on=True)
        own, _ = await at.say("first")
        before = at.bob._core.read(conversations.all_rows)[0].own_counter
        sent = await at.chat.send_many([f"{number}" for number in range(40)])
        for _ in sent:
            await until(at.at_bob, e2ecore.MessageReceived)
        await at.other.mark_read()
        read = await until(at.at_alice, e2ecore.MessagesRead)
        while read.upto_counter < sent[-1].counter:
            read = await until(at.at_alice, e2ecore.MessagesRead)
        said = at.bob._core.read(conversations.all_rows)[0].own_counter - before
        assert said <= 5, "receipts of both kinds, not one for each message"
        assert all(one.read_by for one in await at.chat.messages_at([own.order, sent[7].order]))


async def test_a_message_with_a_lifetime_goes_on_both_sides(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        await at.chat.send_rich("gone soon", lifetime_s=1)
        await until(at.at_bob, e2ecore.MessageReceived)
        await at.say("stays")
        for engine, chat in ((at.alice, at.chat), (at.bob, at.other)):
            engine._core.clock_ms = later(engine._core.clock_ms, 1_001)
            await chat.set_retention(None)
            assert await history(chat) == ["stays"]
