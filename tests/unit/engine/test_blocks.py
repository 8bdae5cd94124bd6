"""People who are blocked: dropped without a trace, and without their noticing."""

from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import Conversation, Engine
from e2ecore.testing.devices import devices, open_device
from tests.support.engines import (
    PATIENCE_S,
    group_of,
    handle_of,
    history,
    pair,
    same,
    texts,
    until,
)

pytestmark = pytest.mark.anyio


async def blocked(engine: Engine, other: Engine) -> e2ecore.Contact:
    contact = await engine.contacts.find(handle_of(other))
    await contact.block()
    return contact


async def gone_out(sent: e2ecore.SentMessage) -> None:
    with anyio.fail_after(PATIENCE_S):
        await sent.accepted()


async def heard_upto(engine: Engine, chat: Conversation, counter: int) -> None:
    """Wait until a device has opened so many of the other one's messages, kept or not."""
    query = "SELECT max(receive_counter) FROM members WHERE cid = ?"
    with anyio.fail_after(PATIENCE_S):
        while True:
            found = engine._core.read(lambda tx: tx.value(int, query, (chat.local_number,)))
            if found is not None and found >= counter:
                return
            await anyio.sleep(0.005)


async def test_what_somebody_who_is_blocked_says_is_dropped_and_never_confirmed(
    tmp_path: Path,
) -> None:
    async with devices(tmp_path, "alice", "bob") as (_, (alice, bob)):
        at_alice = alice.events()
        chat, at_bobs = await pair(alice, bob)
        await at_bobs.send("before")
        await texts(at_alice, 1)
        contact = await blocked(alice, bob)
        assert contact.blocked_ms is not None
        with pytest.raises(e2ecore.ContactBlockedError):
            await chat.send("never")
        insult = await at_bobs.send("an insult")
        await gone_out(insult)
        await at_bobs.react(insult.order, "x")
        await heard_upto(alice, chat, insult.counter)
        await contact.unblock()
        assert contact.blocked_ms is None
        to_bob = bob.events()
        last = await at_bobs.send("after")
        assert await texts(at_alice, 1) == ["after"]
        assert await history(chat) == ["before", "after"]
        with anyio.fail_after(PATIENCE_S):
            while (await until(to_bob, e2ecore.Delivered)).upto_counter < last.counter:
                pass
        states = {one.text: one.state for one in await at_bobs.messages()}
        assert states["after"] is states["before"] is e2ecore.MessageState.DELIVERED
        assert states["an insult"] is not e2ecore.MessageState.DELIVERED


async def test_what_they_begin_is_not_shown_until_the_block_ends(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (_, (alice, bob)):
        at_alice = alice.events()
        contact = await blocked(alice, bob)
        chat = await bob.conversations.direct(await bob.contacts.find("alice"))
        await chat.ready()
        mine = await same(alice, chat)
        sent = await chat.send("hey")
        await gone_out(sent)
        await heard_upto(alice, mine, sent.counter)
        assert await alice.conversations.list() == []
        await contact.unblock()
        assert [one.peer for one in await alice.conversations.list()] == [contact.account_id]
        await chat.send("sorry")
        seen: list[e2ecore.Event] = []
        with anyio.fail_after(PATIENCE_S):
            while not seen or not isinstance(seen[-1], e2ecore.MessageReceived):
                seen.append(await anext(at_alice))
        assert [type(one) for one in seen if isinstance(one, _TELLING)] == [e2ecore.MessageReceived]
        assert await history(mine) == ["sorry"]


_TELLING = (e2ecore.ConversationAdded, e2ecore.MessageReceived, e2ecore.MessagesMissing)


async def test_their_groups_are_left_again_unseen_and_those_of_others_are_not(
    tmp_path: Path,
) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (_, (alice, bob, carol)):
        await blocked(alice, bob)
        to_alice = await bob.contacts.find("alice")
        group = await bob.conversations.create_group("trap", [to_alice])
        await group.ready()
        mine = await same(alice, group)
        with anyio.fail_after(PATIENCE_S):
            while len(await group.members()) > 1:  # noqa: ASYNC110 - a commit of this device
                await anyio.sleep(0.01)
        assert await alice.conversations.list() == []
        assert await mine.messages() == []
        at_alice = alice.events()
        _, at_bobs, at_alices = await group_of((carol, bob, alice), "choir")
        await at_bobs.send("la")
        assert await texts(at_alice, 1) == ["la"]
        assert [one.title for one in await alice.conversations.list()] == ["choir"]
        assert await history(at_alices) == ["la"]


async def test_a_block_survives_closing_and_is_listed(tmp_path: Path) -> None:
    async with devices(tmp_path, "bob") as (relay, _):
        async with await open_device(tmp_path / "alice.db", relay.dial) as alice:
            await alice.register("alice")
            await (await alice.contacts.find("bob")).block()
        async with await open_device(tmp_path / "alice.db", relay.dial) as again:
            (contact,) = await again.contacts.list()
            assert contact.blocked_ms is not None
