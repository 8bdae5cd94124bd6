"""Messages that go after the time that a conversation's members have agreed on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import e2ecore
from e2ecore import Conversation, Engine, MessageKind
from e2ecore.engine.engine import system_clock_ms
from e2ecore.messaging.roster import CommitNotAllowedError, with_lifetime
from e2ecore.mls.group import Group
from e2ecore.mls.proposals import GroupContextExtensions, Proposal
from e2ecore.testing.devices import PASSPHRASE, devices, two_devices
from e2ecore_protocol.codec import pack
from e2ecore_protocol.content import Extras, RichText, Text, UnknownContent
from e2ecore_protocol.content.conversation import CONVERSATION_EXTENSION, ConversationInfo
from tests.support.engines import epoch_reached, group_of, pair, said, texts, until
from tests.support.hostile import make_commit, place_commit
from tests.support.pages import plain_pages
from tests.unit.engine.test_hostile_remarks import say
from tests.unit.engine.test_remarks import later

pytestmark = pytest.mark.anyio
LONG_S = 86_400


async def agreed(chat: Conversation, lifetime_s: int | None, *others: Conversation) -> None:
    """Set a lifetime, and wait until all know."""
    await (await chat.set_lifetime(lifetime_s)).applied()
    await chat.refresh()
    for one in others:
        await epoch_reached(one, chat.epoch)
        assert one.lifetime_s == lifetime_s
    assert chat.lifetime_s == lifetime_s


async def pass_time(engine: Engine, chat: Conversation, by_ms: int) -> None:
    """Have a device's clock go on, and look what is over."""
    engine._core.clock_ms = later(system_clock_ms, by_ms)
    await chat.set_retention(None)


async def test_either_of_two_says_how_long_messages_stay(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        at_bob = bob.events()
        chat, other = await pair(alice, bob)
        assert (chat.lifetime_s, other.lifetime_s) == (None, None)
        await chat.send("stays")
        await agreed(other, 60, chat)
        changed = await until(at_bob, e2ecore.PolicyChanged)
        assert (changed.lifetime_s, changed.attachment_ttl_s) == (60, 7 * 86_400)
        await chat.send("goes")
        await chat.send_rich("goes earlier", lifetime_s=5)
        await chat.send_rich("goes no later", lifetime_s=LONG_S)
        await texts(at_bob, 3)
        for engine, one in ((alice, chat), (bob, other)):
            assert [(it.text, it.lifetime_s) for it in await said(one)] == [
                ("stays", None), ("goes", 60), ("goes earlier", 5), ("goes no later", 60),
            ]  # fmt: skip
            await pass_time(engine, one, 59_000)
            assert [it.text for it in await said(one)] == ["stays", "goes", "goes no later"]
            await pass_time(engine, one, 70_000)
            assert [it.text for it in await said(one)] == ["stays"]
        await agreed(chat, None, other)
        await chat.send_many(["stays again", "and this"])
        assert [it.lifetime_s for it in await said(chat)] == [None, None, None]


@pytest.mark.clause("GB42012-8.1.1c")
async def test_what_has_gone_is_in_no_page(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        chat, other = await pair(alice, bob)
        await agreed(chat, 60, other)
        sent = await chat.send("canary-that-goes")
        await sent.accepted()
        await texts(bob.events(), 1)
        for engine, one, name in ((alice, chat, "alice.db"), (bob, other, "bob.db")):
            assert b"canary-that-goes" in plain_pages(tmp_path / name, PASSPHRASE)
            await pass_time(engine, one, 70_000)
            assert b"canary-that-goes" not in plain_pages(tmp_path / name, PASSPHRASE)


async def test_who_does_not_say_when_a_message_goes_is_not_heard_for_longer(
    tmp_path: Path,
) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        chat, other = await pair(alice, bob)
        await agreed(chat, 60, other)
        await say(
            alice, chat,
            Text(b"a" * 16, 1, "no lifetime"),
            RichText(b"b" * 16, 2, "too long", Extras(lifetime_s=LONG_S)),
            RichText(b"c" * 16, 3, "shorter", Extras(lifetime_s=5)),
            UnknownContent(60_000, pack((1, 60_000, "later"))),
        )  # fmt: skip
        await texts(bob.events(), 4)
        assert [one.lifetime_s for one in await said(other)] == [60, 60, 5, None]
        await pass_time(bob, other, 61_000)
        assert await said(other) == []


async def test_notices_stay_where_messages_go(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (_, (alice, bob)):
        group, at_bobs = await group_of((alice, bob))
        await agreed(group, 1, at_bobs)
        await pass_time(alice, group, 2_000)
        kinds = [one.kind for one in await group.messages()]
        assert kinds == [MessageKind.NOTICE, MessageKind.NOTICE]


async def test_only_admins_and_owners_say_how_long_a_groups_messages_stay(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (_, (alice, bob)):
        at_alice = alice.events()
        group, at_bobs = await group_of((alice, bob))
        with pytest.raises(e2ecore.NotAllowedError):
            await at_bobs.set_lifetime(60)
        for wrong in (0, -1, 30 * 86_400, 1 << 70):
            with pytest.raises(e2ecore.BadPolicyError):
                await group.set_lifetime(wrong)
        forged = await make_commit(bob, at_bobs, terms_with(60))
        await place_commit(bob, at_bobs, forged.commit)
        blamed = await until(at_alice, e2ecore.MemberMisbehaved)
        assert blamed.error == CommitNotAllowedError.__name__
        await group.refresh()
        assert group.lifetime_s is None


def terms_with(lifetime_s: int) -> Callable[[Group], list[Proposal]]:
    """What changes a group's lifetime, whoever may."""

    def wishes(group: Group) -> list[Proposal]:
        extensions = tuple(
            replace(one, data=with_lifetime(ConversationInfo.decode(one.data), lifetime_s).encode())
            if one.type == CONVERSATION_EXTENSION
            else one
            for one in group.extensions
        )
        return [GroupContextExtensions(extensions)]

    return wishes
