"""Whatever somebody can see can be answered; cards and polls can be sent on."""

from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import Conversation, Engine, Message, MessageKind, Quote
from e2ecore.storage import messages
from e2ecore.storage.messages import message_row_id
from e2ecore.testing import devices
from tests.support.engines import PATIENCE_S, pair, until

pytestmark = pytest.mark.anyio


async def received(at: Engine, kind: MessageKind) -> Message:
    """Wait until a message of a kind is the newest one of its conversation."""
    with anyio.fail_after(PATIENCE_S):
        while True:
            for chat in await at.conversations.list():
                newest = chat.last_message
                if newest is not None and newest.kind is kind and not newest.mine:
                    return newest
            await anyio.sleep(0.02)


async def answered(at: Engine, to: Message, there: Conversation, here: Engine) -> Quote:
    """Answer a message, and return the quote as the other side sees it."""
    reader = here.events()
    chat = await at.conversations.get(there.conversation_id)
    await chat.send_rich("about that", reply_to=to)
    quote = (await until(reader, e2ecore.MessageReceived)).message.reply
    assert quote is not None
    assert (await chat.messages(limit=1))[0].reply == quote
    return quote


async def test_an_answer_binds_a_card_a_poll_and_files(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (_, (alice, bob, _carol)):
        chat, other = await pair(alice, bob)
        await chat.share_contact(await alice.contacts.find("carol"))
        quote = await answered(bob, await received(bob, MessageKind.CARD), other, alice)
        assert (quote.text, quote.kind, quote.is_intact) == ("@carol", MessageKind.CARD, True)
        await chat.ask("Where to?", ["home", "up"])
        quote = await answered(bob, await received(bob, MessageKind.POLL), other, alice)
        assert (quote.text, quote.kind, quote.is_intact) == ("Where to?", MessageKind.POLL, True)
        (tmp_path / "plan.txt").write_bytes(b"a plan")
        await chat.send_file(tmp_path / "plan.txt")
        files = await received(bob, MessageKind.FILES)
        quote = await answered(bob, files, other, alice)
        assert (quote.text, quote.kind, quote.is_intact) == ("plan.txt", MessageKind.FILES, True)
        draft = await bob.conversations.get(other.conversation_id)
        await draft.set_draft("later", reply_to=files)
        at_alice = alice.events()
        await draft.send_draft()
        got = (await until(at_alice, e2ecore.MessageReceived)).message.reply
        assert got is not None
        assert got.is_intact


async def test_a_card_that_shows_somebody_else_meanwhile_is_not_what_was_answered(
    tmp_path: Path,
) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (_, (alice, bob, carol)):
        chat, other = await pair(alice, bob)
        await chat.share_contact(await alice.contacts.find("carol"))
        card = await received(bob, MessageKind.CARD)
        await answered(bob, card, other, alice)
        row_id = message_row_id(other.local_number, card.order)
        core = bob._core
        row = core.read(lambda tx: messages.get(tx, row_id))
        assert row is not None
        assert carol.account is not None
        old, new = carol.account.account_id, b"m" * 20
        forged = row.ext.replace(old, new)
        await core.jobs.run(
            lambda job: job.tx.execute("UPDATE messages SET ext = ? WHERE id = ?", (forged, row_id))
        )
        quote = (await other.messages(limit=1))[0].reply
        assert quote is not None
        assert (quote.text, quote.is_intact) == ("@carol", False)


async def test_what_nobody_can_see_is_not_answered(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (_, (alice, bob)):
        chat, _ = await pair(alice, bob)
        group = await alice.conversations.create_group("g", [await alice.contacts.find("bob")])
        await group.ready()
        await (await group.rename("h")).applied()
        notice = (await group.messages(limit=1))[0]
        assert notice.kind is MessageKind.NOTICE
        with pytest.raises(e2ecore.NotATextError):
            await group.send_rich("why?", reply_to=notice)
        sent = await chat.send("x")
        await chat.recall(sent.order)
        with pytest.raises(e2ecore.MessageGoneError):
            await chat.send_rich("why?", reply_to=sent.order)


async def test_a_card_and_a_poll_are_sent_on_and_votes_stay(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (_, (alice, bob, carol)):
        chat, _ = await pair(alice, bob)
        await chat.share_contact(await alice.contacts.find("carol"))
        card = await received(bob, MessageKind.CARD)
        await chat.ask("Where to?", ["home", "up"], closes_ms=2**50)
        poll = await received(bob, MessageKind.POLL)
        there = await bob.conversations.direct(await bob.contacts.find("carol"))
        back = await bob.conversations.get(chat.conversation_id)
        await back.vote(poll, [1])
        for one in (card, poll):
            await there.forward(one)
        asked = await received(carol, MessageKind.POLL)
        at_carol = await carol.conversations.get(asked.conversation_id)
        shown, again = await at_carol.messages(limit=2)
        assert (shown.card, shown.forwards) == (card.card, 0)
        assert again.poll == e2ecore.Poll("Where to?", ("home", "up"), 1, None)
        assert again.message_id != poll.message_id
        assert (await at_carol.poll(again)).ballots == ()
        await at_carol.vote(again, [0])
        assert len((await back.poll(poll)).ballots) == 1
        (tmp_path / "f").write_bytes(b"f")
        await chat.send_file(tmp_path / "f")
        files = await received(bob, MessageKind.FILES)
        with pytest.raises(e2ecore.NotATextError):
            await there.forward(files)
