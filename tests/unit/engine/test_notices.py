"""Notices in the history: in order, not unread, not found as text, exported, erased."""

from dataclasses import replace
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import Conversation, Engine, MessageKind, Notice, NoticeKind
from e2ecore.engine.arrival.notices import NOBODY
from e2ecore.engine.arrival.receiving import receive
from e2ecore.engine.running.job import Job
from e2ecore.engine.values import ConversationState
from e2ecore.messaging import notices as notices_of
from e2ecore.messaging.notices import encode_notice
from e2ecore.storage import messages
from e2ecore.testing import two_devices
from e2ecore.testing.devices import PASSPHRASE, devices
from e2ecore_protocol.content.conversation import Role
from e2ecore_protocol.frames.delivery import NO_ENVELOPE, Delivery, EnvelopeKind, Gap
from tests.support.engines import PATIENCE_S, epoch_reached, group_of, pair, texts, until
from tests.support.pages import plain_pages
from tests.unit.engine.test_two_people import add_second_device

pytestmark = pytest.mark.anyio


async def lines(chat: Conversation) -> list[str | NoticeKind]:
    """The history: texts, and kinds of notices."""
    every = await chat.messages(limit=1000)
    return [one.text if one.notice is None else one.notice.kind for one in every]


async def notices(chat: Conversation) -> list[Notice]:
    return [one.notice for one in await chat.messages(limit=1000) if one.notice is not None]


def own_id(engine: Engine) -> e2ecore.AccountId:
    assert engine.account is not None
    return engine.account.account_id


async def test_what_happens_to_a_group_stands_between_its_messages(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob", "carol") as (_, engines):
        alice, bob, carol = engines
        at_bob = bob.events()
        group, at_bobs = await group_of((alice, bob))
        await group.send("one")
        await texts(at_bob, 1)
        to_bob, to_carol = [await alice.contacts.find(one) for one in ("bob", "carol")]
        await (await group.add(to_carol)).applied()
        await (await group.send("two")).accepted()
        for change in (
            group.rename("new"), group.set_role(to_bob, Role.ADMIN), group.set_lifetime(86_400),
            group.remove(to_carol),
        ):  # fmt: skip
            await (await change).applied()
        await group.refresh()
        await epoch_reached(at_bobs, group.epoch)
        kinds = NoticeKind
        since = [
            "one", kinds.JOINED, "two", kinds.TITLE, kinds.ROLE, kinds.POLICY, kinds.REMOVED,
        ]  # fmt: skip
        assert await lines(group) == [kinds.JOINED, *since]
        assert await lines(at_bobs) == [kinds.JOINED, *since]
        me, by = own_id(alice), own_id(bob)
        assert await notices(at_bobs) == [
            Notice(kinds.JOINED, None, (by,)),
            Notice(kinds.JOINED, me, (to_carol.account_id,)),
            Notice(kinds.TITLE, me, title="new"),
            Notice(kinds.ROLE, me, (by,), Role.ADMIN),
            Notice(
                kinds.POLICY, me, lifetime_s=86_400, attachment_ttl_s=8_640_000,
                history_sharing=e2ecore.HistorySharing.NOBODY,
            ),
            Notice(kinds.REMOVED, me, (to_carol.account_id,)),
        ]  # fmt: skip
        (at_carols,) = await carol.conversations.list()
        with anyio.fail_after(PATIENCE_S):
            while at_carols.state is not ConversationState.REMOVED:
                await anyio.sleep(0.01)
                await at_carols.refresh()
        assert await notices(at_carols) == [
            Notice(kinds.JOINED, None, (own_id(carol),)),
            *(await notices(at_bobs))[2:],
        ]


async def test_notices_are_neither_unread_nor_found_nor_answered(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (_, (alice, bob)):
        group, at_bobs = await group_of((alice, bob))
        await (await group.rename("title")).applied()
        await group.refresh()
        await epoch_reached(at_bobs, group.epoch)
        await at_bobs.refresh()
        assert at_bobs.unread == 0
        last = at_bobs.last_message
        assert last is not None
        assert (last.kind, last.text, last.sender) == (MessageKind.NOTICE, "", own_id(alice))
        assert (await bob.search("title")).hits == ()
        (own,) = [one for one in await group.messages() if one.notice and one.notice.title]
        assert own.mine
        for call in (
            group.react(own, "x"), group.recall(own), group.edit(own, "x"), group.forward(own),
            group.send_rich("x", reply_to=own), group.set_draft("x", reply_to=own),
        ):  # fmt: skip
            with pytest.raises(e2ecore.NotATextError):
                await call
        await group.send("unread")
        await texts(bob.events(), 1)
        await at_bobs.delete_messages([last])
        assert at_bobs.unread == 1


async def test_other_devices_of_a_contact_are_told_in_each_conversation(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        chat, _ = await pair(alice, bob)
        group, _ = await group_of((alice, bob))
        alone = await alice.conversations.create_group("alone", [])
        await add_second_device(bob)
        await (await alice.contacts.find("bob")).refresh()
        told = Notice(NoticeKind.KEYS, own_id(bob), (own_id(bob),))
        assert (await notices(chat))[-1:] == [told]
        assert (await notices(group))[-1:] == [told]
        assert await notices(alone) == []


async def test_what_expired_unread_is_told_where_it_would_have_been(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        chat, other = await pair(alice, bob)
        await chat.send("before")
        await texts(bob.events(), 1)

        def work(job: Job) -> None:
            mirror = job.mirror(other.local_number)
            gap = Gap(mirror.cursor + 1, mirror.cursor + 3)
            kind = EnvelopeKind.GAP
            receive(job, [Delivery(mirror.uid, gap.to_seq, kind, 0, NO_ENVELOPE, 9, b"", gap)])

        await bob._core.jobs.run(work)
        assert await lines(other) == ["before", NoticeKind.EXPIRED]
        assert (await notices(other))[0] == Notice(NoticeKind.EXPIRED, None, count=3)
        assert (await other.messages())[-1].sender == NOBODY

        def lie(job: Job) -> None:
            mirror = job.mirror(other.local_number)
            beyond, kind = mirror.cursor + 1, EnvelopeKind.GAP
            receive(job, [Delivery(mirror.uid, beyond, kind, 0, NO_ENVELOPE, 9, b"", Gap(1, 1))])

        await bob._core.jobs.run(lie)
        assert len(await notices(other)) == 1


async def test_notices_are_exported_imported_and_erased(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        group, _ = await group_of((alice, bob))
        await (await group.rename("canary-of-a-title")).applied()
        await (await group.rename("later")).applied()
        await alice.my_data.export(tmp_path / "export.zip")
        report = await bob.my_data.import_file(tmp_path / "export.zip")
        imported = await bob.conversations.get(report.conversations[0])
        told = [replace(one, by=None) for one in await notices(imported)]
        assert told == [replace(one, by=None) for one in await notices(group)]
        stored = encode_notice(notices_of.Notice(NoticeKind.TITLE, title="canary-of-a-title"))
        assert stored in plain_pages(tmp_path / "alice.db", PASSPHRASE)
        await group.clear()
        assert await lines(group) == []
        assert stored not in plain_pages(tmp_path / "alice.db", PASSPHRASE)


async def test_a_notice_that_an_import_has_spoiled_is_shown_as_unknown(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice") as (_, (alice,)):
        group = await alice.conversations.create_group("g", [])
        sent = await group.send("x")

        def work(job: Job) -> None:
            row = messages.get(job.tx, group.local_number << 32 | sent.order)
            assert row is not None
            spoiled = row._replace(kind=MessageKind.NOTICE, body="", ext=b"\x93\x01\x02\x03")
            messages.rewrite(job.tx, spoiled)

        await alice._core.jobs.run(work)
        (shown,) = await group.messages()
        assert (shown.kind, shown.notice) == (MessageKind.UNKNOWN, None)


async def test_one_who_leaves_is_told_to_have_left(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (_, (alice, bob)):
        at_alice = alice.events()
        group, at_bobs = await group_of((alice, bob))
        await (await at_bobs.leave()).applied()
        await until(at_alice, e2ecore.MemberLeft)
        assert (await notices(group))[-1].kind is NoticeKind.LEFT
        assert (await notices(at_bobs))[-1].accounts == (own_id(bob),)
        assert (await notices(at_bobs))[-1].kind is NoticeKind.LEFT
