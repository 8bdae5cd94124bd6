"""Contact cards: somebody is shown to others, who look the account up for themselves."""

from pathlib import Path

import pytest

import e2ecore
from e2ecore import Conversation, Engine, Message, MessageKind, Verification
from e2ecore.engine.running.job import Job
from e2ecore.storage import messages
from e2ecore.storage.messages import message_row_id
from e2ecore.testing import devices
from e2ecore_protocol.content import ContactCard
from tests.support.engines import pair, until
from tests.unit.engine.test_hostile_remarks import say

pytestmark = pytest.mark.anyio


async def shown(card: ContactCard, at: Engine, by: Engine, chat: Conversation) -> Message:
    """Return a card as it arrives, whatever it says."""
    reader = at.events()
    await say(by, chat, card)
    return (await until(reader, e2ecore.MessageReceived)).message


async def test_who_gets_a_card_finds_the_account_and_writes_to_it(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (_, (alice, bob, carol)):
        chat, other = await pair(alice, bob)
        at_bob, at_carol = bob.events(), carol.events()
        await carol.set_display_name("Carol 卡罗尔")
        sent = await chat.share_contact(await alice.contacts.find("carol"))
        got = (await until(at_bob, e2ecore.MessageReceived)).message
        (own,) = await chat.messages_at([sent.order])
        assert carol.account is not None
        assert got.kind is own.kind is MessageKind.CARD
        assert got.card == own.card
        assert got.card is not None
        assert (got.card.account_id, got.card.handle) == (carol.account.account_id, "carol")
        assert got.text == "@carol"
        found = await bob.contacts.get(got.card.account_id)
        assert (found.handle, found.verification) == ("carol", Verification.UNVERIFIED)
        await (await bob.conversations.direct(found)).send("hello from bob")
        assert (await until(at_carol, e2ecore.MessageReceived)).message.text == "hello from bob"
        (hit,) = (await bob.search("carol", kinds=[MessageKind.CARD])).hits
        assert hit.message.card == got.card
        assert (await bob.conversations.get(other.conversation_id)).last_message == got
        await chat.recall(own)
        await until(at_bob, e2ecore.MessageRecalled)
        assert (await bob.search("carol", kinds=[MessageKind.CARD])).hits == ()


async def test_a_card_that_lies_changes_nothing_but_itself(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (_, (alice, bob, carol)):
        chat, _ = await pair(alice, bob)
        known = await bob.contacts.find("carol")
        await known.mark_verified()
        assert carol.account is not None
        who = carol.account.account_id
        lie = ContactCard(b"m" * 16, 1, who, "mallory", "Mallory")
        got = await shown(lie, bob, alice, chat)
        assert got.card == e2ecore.ContactCard(who, "mallory", "Mallory")
        found = await bob.contacts.get(who)
        assert (found.handle, found.display_name) == ("carol", None)
        assert found.verification is Verification.VERIFIED
        nobody = ContactCard(b"n" * 16, 1, b"x" * 20, "carol", "Carol")
        got = await shown(nobody, bob, alice, chat)
        assert got.card is not None
        with pytest.raises(e2ecore.UnknownAccountError):
            await bob.contacts.get(got.card.account_id)
        assert (await bob.contacts.find("carol")).account_id == who


async def test_a_card_is_exported_and_one_that_is_none_does_no_harm(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (_, (alice, bob, _carol)):
        chat, _ = await pair(alice, bob)
        sent = await chat.share_contact(await alice.contacts.find("carol"))
        (own,) = await chat.messages_at([sent.order])
        await alice.my_data.export(tmp_path / "taken.zip")
        report = await bob.my_data.import_file(tmp_path / "taken.zip")
        (home,) = report.conversations
        imported = await bob.conversations.get(home)
        assert [one.card for one in await imported.messages()] == [own.card]

        def spoil(job: Job) -> None:
            row = messages.get(job.tx, message_row_id(chat.local_number, sent.order))
            assert row is not None
            messages.rewrite(job.tx, row._replace(ext=b"\x90"))

        await alice._core.jobs.run(spoil)
        (spoiled,) = await chat.messages_at([sent.order])
        assert (spoiled.kind, spoiled.card) == (MessageKind.UNKNOWN, None)
