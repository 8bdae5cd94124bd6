"""Drafts: kept through a crash, shown in the list, sent as one step, gone for good."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import Conversation, Engine, Mention, blocking
from e2ecore.engine.engine import system_clock_ms
from e2ecore.testing import MemoryRelay
from e2ecore.testing.devices import PASSPHRASE, two_devices
from tests.support.engines import PATIENCE_S, pair, until
from tests.support.pages import plain_pages

pytestmark = pytest.mark.anyio
CANARY = "canary-of-a-draft"


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[tuple[Engine, Engine, Conversation, Conversation]]:
    async with two_devices(folder) as (_, alice, bob):
        yield alice, bob, *await pair(alice, bob)


async def again(engine: Engine, chat: Conversation) -> Conversation:
    """Return a conversation as the list has it."""
    listed = {one.conversation_id: one for one in await engine.conversations.list()}
    return listed[chat.conversation_id]


async def test_a_draft_is_kept_listed_and_replaced(tmp_path: Path) -> None:
    async with scene(tmp_path) as (alice, bob, chat, other):
        assert chat.draft is None
        sent = await other.send("shall we?")
        asked = (await until(alice.events(), e2ecore.MessageReceived)).message
        assert asked.message_id == sent.message_id
        assert bob.account is not None
        named = (Mention(bob.account.account_id, 4, 4),)
        await chat.set_draft("yes @bob", reply_to=asked, mentions=named)
        draft = (await again(alice, chat)).draft
        assert draft is not None
        assert draft == chat.draft
        assert (draft.text, draft.reply_to, draft.mentions) == ("yes @bob", asked.order, named)
        await chat.set_draft("", reply_to=asked.order)
        assert chat.draft is not None
        assert (chat.draft.text, chat.draft.mentions) == ("", ())
        await chat.set_draft("no")
        assert chat.draft is not None
        assert (chat.draft.text, chat.draft.reply_to) == ("no", None)
        await chat.set_draft("")
        assert (await again(alice, chat)).draft is None


async def test_a_draft_becomes_the_message_that_it_is(tmp_path: Path) -> None:
    async with scene(tmp_path) as (alice, bob, chat, other):
        at_alice, at_bob = alice.events(), bob.events()
        await other.send("shall we?")
        asked = (await until(at_alice, e2ecore.MessageReceived)).message
        await chat.set_draft("plainly")
        await chat.send_draft()
        assert (await until(at_bob, e2ecore.MessageReceived)).message.text == "plainly"
        await chat.set_draft("yes", reply_to=asked)
        sent = await chat.send_draft()
        assert chat.draft is None
        received = (await until(at_bob, e2ecore.MessageReceived)).message
        assert (received.message_id, received.text) == (sent.message_id, "yes")
        assert received.reply is not None
        assert (received.reply.text, received.reply.is_intact) == ("shall we?", True)
        with pytest.raises(e2ecore.NoDraftError):
            await chat.send_draft()


async def test_a_draft_that_cannot_be_sent_stays(tmp_path: Path) -> None:
    async with scene(tmp_path) as (_, _, chat, _):
        sent = await chat.send("mine")
        await chat.set_draft("", reply_to=sent.order)
        with pytest.raises(e2ecore.NoDraftError):
            await chat.send_draft()
        await chat.set_draft("to that", reply_to=sent.order)
        await chat.recall(sent.order)
        with pytest.raises(e2ecore.MessageGoneError):
            await chat.send_draft()
        await chat.set_draft("to that")
        await chat.leave()
        with pytest.raises(e2ecore.ConversationReadOnlyError):
            await chat.send_draft()
        assert chat.draft is not None
        assert chat.draft.text == "to that"


async def test_what_could_never_be_sent_is_no_draft(tmp_path: Path) -> None:
    async with scene(tmp_path) as (_, _, chat, _):
        with pytest.raises(e2ecore.BadTextError):
            await chat.set_draft("\ud800")
        with pytest.raises(e2ecore.TextTooLongError):
            await chat.set_draft("x" * (1 << 20) + "x")
        for mention in (Mention(e2ecore.AccountId(bytes(20)), 0, 2), Mention(b"who", 0, 1)):  # type: ignore[arg-type]
            with pytest.raises(e2ecore.BadMentionError):
                await chat.set_draft("x", mentions=[mention])
        with pytest.raises(e2ecore.MessageGoneError):
            await chat.set_draft("x", reply_to=1)
        assert chat.draft is None


async def test_a_change_of_a_draft_is_told_to_who_shows_the_list(tmp_path: Path) -> None:
    async with scene(tmp_path) as (alice, _, chat, _):
        reader = alice.changes()
        for change in (chat.set_draft("x"), chat.set_draft(""), chat.set_pinned(on=True)):
            await change
            with anyio.fail_after(PATIENCE_S):
                told = await anext(reader)
            assert (told.conversation_id, told.orders) == (chat.conversation_id, ())


@pytest.mark.clause("GB42012-8.1.1c")
async def test_of_a_discarded_draft_and_of_a_cleared_conversation_nothing_is_left(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path) as (_, _, chat, _):
        for end in (lambda: chat.set_draft(""), chat.clear):
            await chat.set_draft(f"{CANARY} one")
            await chat.set_draft(f"{CANARY} two")
            assert CANARY.encode() in plain_pages(tmp_path / "alice.db", PASSPHRASE)
            await end()
            assert CANARY.encode() not in plain_pages(tmp_path / "alice.db", PASSPHRASE)
            assert chat.draft is None


def test_scripts_keep_and_send_drafts(tmp_path: Path) -> None:
    relay = MemoryRelay(clock_ms=system_clock_ms)
    with blocking.open(tmp_path / "b.db", passphrase=PASSPHRASE, relay=relay.dial) as bob:
        bob.register("bob")
        group = bob.create_group("notes", [])
        bob.set_draft(group, "to myself")
        (listed,) = bob.conversations()
        assert listed.draft is not None
        assert listed.draft.text == "to myself"
        bob.accepted(bob.send_draft(group))
        assert [one.text for one in bob.messages(group)] == ["to myself"]
