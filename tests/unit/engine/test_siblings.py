"""What devices of one account share: what is done on one shows on the others."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import e2ecore
from e2ecore import Conversation, Engine
from e2ecore.engine.arrival import intake
from e2ecore.engine.own_talk.own_group import tell_own_devices
from e2ecore.engine.own_talk.own_topic import OwnTopic
from e2ecore.engine.running.job import Job
from e2ecore.storage import arrangements, ops, outbox, quarantine, settings
from e2ecore.sync.authoring import Author
from e2ecore.testing import devices
from e2ecore.testing.devices import open_device
from e2ecore_protocol.content.op_bodies import Mute
from e2ecore_protocol.content.own_devices import OpsTold
from tests.support.engines import agree, group_of, handle_of, history, pair, same, until
from tests.support.linked import comes_true, link, phone_laptop_bob, run, seated, settled

pytestmark = [pytest.mark.anyio, pytest.mark.clause("GB42012-8.1.1d")]
Check = Callable[[Conversation], bool]


async def shows(conversation: Conversation, check: Check) -> None:
    """Wait until a conversation is as it should be."""

    async def checked() -> bool:
        await conversation.refresh()
        return check(conversation)

    await comes_true(checked)


async def says(conversation: Conversation, *texts: str) -> None:
    """Wait until these are the texts that are there."""

    async def checked() -> bool:
        return await history(conversation) == list(texts)

    await comes_true(checked)


async def told(engine: Engine) -> None:
    """Wait until the relay has what the other devices are to know."""

    def is_told(job: Job) -> bool:
        author = ops.author(job.tx, job.own.device_id)
        waiting = outbox.after(job.tx, 0, 1)
        return author is not None and author.told == author.number and not waiting

    await comes_true(lambda: run(engine, is_told))


def count(engine: Engine) -> int:
    return len(engine._core.read(ops.items))


def same_ops(*engines: Engine) -> Callable[[], Awaitable[bool]]:
    """Tell whether all keep the same."""

    async def check() -> bool:
        first, *others = [engine._core.read(ops.items) for engine in engines]
        return bool(first) and all(one == first for one in others)

    return check


async def test_what_a_person_arranges_on_one_device_shows_on_the_other(tmp_path: Path) -> None:
    async with phone_laptop_bob(tmp_path) as (_, phone, laptop, bob):
        chat, _ = await pair(phone, bob)
        there = await same(laptop, chat)
        await chat.mute(1_900_000_000_000)
        await chat.set_pinned(on=True)
        await shows(there, lambda one: one.muted_until_ms == 1_900_000_000_000 and one.pinned)
        await there.set_archived(on=True)
        await there.unmute()
        await shows(chat, lambda one: one.archived and one.muted_until_ms is None and one.pinned)
        await there.set_retention(60_000)
        await chat.set_draft("a thought")
        await shows(there, lambda one: one.draft is not None and one.draft.text == "a thought")

        async def kept() -> bool:
            return await chat.retention() == 60_000

        await comes_true(kept)
        await there.send_draft()
        await shows(chat, lambda one: one.draft is None)
        await says(chat, "a thought")


async def test_contacts_are_blocked_and_verified_on_all_devices(tmp_path: Path) -> None:
    async with phone_laptop_bob(tmp_path) as (_, phone, laptop, bob):
        await pair(phone, bob)
        here = await phone.contacts.find(handle_of(bob))
        there = await laptop.contacts.find(handle_of(bob))

        async def so(check: Callable[[e2ecore.Contact], bool], engine: Engine) -> None:
            async def checked() -> bool:
                return check(await engine.contacts.get(there.account_id))

            await comes_true(checked)

        await here.mark_verified()
        await so(lambda one: one.verification is e2ecore.Verification.VERIFIED, laptop)
        await there.block()
        await so(lambda one: one.blocked_ms is not None, phone)
        await here.unblock()
        await so(lambda one: one.blocked_ms is None, laptop)
        await there.mark_unverified()
        await so(lambda one: one.verification is e2ecore.Verification.UNVERIFIED, phone)


async def test_what_is_read_on_one_device_is_read_on_the_other(tmp_path: Path) -> None:
    async with phone_laptop_bob(tmp_path) as (_, phone, laptop, bob):
        chat, at_bobs = await pair(phone, bob)
        there = await same(laptop, chat)
        await at_bobs.send_many([f"message {n}" for n in range(5)])
        await shows(chat, lambda one: one.unread == 5)
        await shows(there, lambda one: one.unread == 5)
        await there.mark_read()
        await shows(chat, lambda one: one.unread == 0)
        await at_bobs.send("one more")
        await shows(chat, lambda one: one.unread == 1)
        await shows(there, lambda one: one.unread == 1)
        await chat.mark_read()
        await shows(there, lambda one: one.unread == 0)
        await comes_true(same_ops(phone, laptop))


async def test_what_is_erased_on_one_device_goes_on_the_other(tmp_path: Path) -> None:
    async with phone_laptop_bob(tmp_path) as (_, phone, laptop, bob):
        chat, at_bobs = await pair(phone, bob)
        there = await same(laptop, chat)
        await settled(phone)
        await there.send("from the laptop")
        await says(chat, "from the laptop")
        await at_bobs.send_many([f"message {n}" for n in range(4)])
        await says(there, "from the laptop", *(f"message {n}" for n in range(4)))
        await says(chat, "from the laptop", *(f"message {n}" for n in range(4)))
        shown = [one for one in await chat.messages() if one.text]
        await chat.delete_messages([shown[0], shown[2]])
        await says(there, "message 0", "message 2", "message 3")
        shown = [one for one in await there.messages() if one.text]
        await there.delete_before(shown[1].order)
        await says(chat, "message 2", "message 3")
        await there.set_draft("begun")
        await shows(chat, lambda one: one.draft is not None)
        await chat.clear()
        await shows(there, lambda one: one.draft is None and one.unread == 0)
        await says(there)
        assert len(await history(at_bobs)) == 5, "others keep what they have"


async def test_many_messages_are_gone_at_once(tmp_path: Path) -> None:
    async with phone_laptop_bob(tmp_path) as (_, phone, laptop, bob):
        chat, at_bobs = await pair(phone, bob)
        there = await same(laptop, chat)
        await at_bobs.send_many([f"message {n}" for n in range(120)])
        await shows(chat, lambda one: one.unread == 120)
        await shows(there, lambda one: one.unread == 120)
        events = laptop.events()
        await chat.clear()
        await shows(there, lambda one: one.unread == 0)
        assert await history(there) == []
        assert (await laptop.search("message")).hits == ()
        async for event in events:
            if isinstance(event, e2ecore.MessagesErased):
                assert event.conversation_id == there.conversation_id
                break


async def test_what_was_erased_meanwhile_is_gone_before_a_device_shows_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "MAX_BATCH_ENVELOPES", 1)  # it comes in many batches
    async with devices(tmp_path, "alice", "bob") as (relay, (phone, bob)):
        chat, at_bobs = await pair(phone, bob)
        await agree(phone, e2ecore.Purpose.MULTI_DEVICE_SYNC)
        async with await open_device(tmp_path / "laptop.db", relay.dial) as laptop:
            await link(phone, laptop)
            there = await same(laptop, chat)
            await settled(phone)
            await at_bobs.send_many(["one", "two", "three"])
            await says(there, "one", "two", "three")
        await says(chat, "one", "two", "three")
        await at_bobs.send("four")
        await says(chat, "one", "two", "three", "four")
        shown = [one for one in await chat.messages() if one.text]
        await chat.delete_messages([shown[1], shown[3]])
        await told(phone)
        await group_of([bob, phone])  # an invitation comes to the laptop before all else
        await settled(phone)
        async with await open_device(tmp_path / "laptop.db", None) as laptop:
            chat_id = chat.conversation_id
            there = await laptop.conversations.get(chat_id)
            assert await history(there) == ["one", "two", "three"], "offline it cannot know"
        async with await open_device(tmp_path / "laptop.db", relay.dial) as laptop:
            there = await laptop.conversations.get(chat_id)
            assert "two" not in await history(there)
            await says(there, "one", "three")
            await laptop.caught_up()
            assert await history(there) == ["one", "three"], "what comes later never shows"
            await at_bobs.send("five")
            await says(there, "one", "three", "five")


async def test_read_markers_agree_after_a_thousand_messages(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (relay, (phone, bob)):
        chat, at_bobs = await pair(phone, bob)
        await agree(phone, e2ecore.Purpose.MULTI_DEVICE_SYNC)
        async with await open_device(tmp_path / "laptop.db", relay.dial) as laptop:
            await link(phone, laptop)
            there = await same(laptop, chat)
            await settled(phone)
            await seated(laptop, 2)
        await at_bobs.send_many([f"message {n}" for n in range(600)])
        await shows(chat, lambda one: one.unread == 600)
        await chat.mark_read()
        await at_bobs.send_many([f"message {n}" for n in range(600, 1000)])
        await shows(chat, lambda one: one.unread == 400)
        await told(phone)
        async with await open_device(tmp_path / "laptop.db", relay.dial) as laptop:
            there = await same(laptop, chat)
            await shows(there, lambda one: one.unread == 400)
            await comes_true(same_ops(phone, laptop))
            await there.mark_read()
            await shows(chat, lambda one: one.unread == 0)


async def test_two_drafts_that_did_not_know_of_each_other_are_both_kept(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (relay, (phone, bob)):
        chat, _ = await pair(phone, bob)
        await agree(phone, e2ecore.Purpose.MULTI_DEVICE_SYNC)
        async with await open_device(tmp_path / "laptop.db", relay.dial) as laptop:
            await link(phone, laptop)
            there = await same(laptop, chat)
            await settled(phone)
            await seated(laptop, 2)
        async with await open_device(tmp_path / "laptop.db", None) as laptop:
            there = await laptop.conversations.get(chat.conversation_id)
            await there.set_draft("on the laptop")
        await chat.set_draft("on the phone")
        async with await open_device(tmp_path / "laptop.db", relay.dial) as laptop:
            there = await laptop.conversations.get(chat.conversation_id)
            for one in (chat, there):
                await shows(one, lambda it: it.draft is not None)

                async def both(one: Conversation = one) -> bool:
                    await one.refresh()
                    drafts = [one.draft, *await one.other_drafts()]
                    texts = [draft.text for draft in drafts if draft is not None]
                    return texts == ["on the phone", "on the laptop"]

                await comes_true(both)
            await there.set_draft("both in one")
            await shows(chat, lambda it: it.draft is not None and it.draft.text == "both in one")
            assert await chat.other_drafts() == []


async def test_a_new_device_gets_the_state_and_not_the_history(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (relay, (phone, bob)):
        chat, at_bobs = await pair(phone, bob)
        await at_bobs.send("before")
        await says(chat, "before")
        await chat.set_pinned(on=True)
        await chat.set_draft("begun long ago")
        await (await phone.contacts.find(handle_of(bob))).mark_verified()
        await chat.mark_read()
        assert count(phone) == 0, "with one device there is nobody to tell"
        await agree(phone, e2ecore.Purpose.MULTI_DEVICE_SYNC)
        async with await open_device(tmp_path / "laptop.db", relay.dial) as laptop:
            device_id = await link(phone, laptop)
            there = await same(laptop, chat)
            await shows(there, lambda one: one.pinned and one.draft is not None)
            assert await history(there) == []
            contact = await laptop.contacts.get(e2ecore.AccountId(bob._core.account_id))
            assert contact.verification is e2ecore.Verification.VERIFIED
            await comes_true(same_ops(phone, laptop))
            await phone.devices.remove(device_id)
            await seated(phone, 1)
            assert count(phone) == 0
            await chat.refresh()
            assert chat.pinned


async def test_what_a_device_has_lost_is_repaired_from_another(tmp_path: Path) -> None:
    async with phone_laptop_bob(tmp_path) as (_, phone, laptop, bob):
        chat, _ = await pair(phone, bob)
        there = await same(laptop, chat)
        await seated(laptop, 2)
        await chat.set_pinned(on=True)
        await there.mute(1_900_000_000_000)
        await shows(there, lambda one: one.pinned)
        await shows(chat, lambda one: one.muted_until_ms is not None)

        def lose(job: Job) -> None:
            ops.remove_all(job.tx)
            arrangements.save(job.tx, arrangements.ArrangementRow(there.local_number))
            settings.remove(job.tx, "ops_compared")
            job.effects.own_seats = True

        await run(laptop, lose)
        await comes_true(same_ops(phone, laptop))
        await shows(there, lambda one: one.pinned and one.muted_until_ms is not None)


def written(job: Job, author: bytes, subject: bytes, until_ms: int) -> bytes:
    """Return the first op of a device, signed by this one."""
    own = job.own
    _, op = Author(author).write(
        *(subject, Mute(until_ms), ()),
        now_ms=job.relay_ms,
        sign=lambda one: one.signed(own.account_id, own.signer.sign),
    )
    return op.encode()


async def test_a_device_speaks_for_itself_alone_and_cannot_tell_two_stories(tmp_path: Path) -> None:
    async with phone_laptop_bob(tmp_path) as (_, phone, laptop, bob):
        chat, _ = await pair(phone, bob)
        await seated(phone, 2)
        await seated(laptop, 2)
        at_phone, subject = phone.events(), chat.conversation_id
        ids = [(await run(one, lambda job: job.own)).device_id for one in (phone, laptop)]

        def tell(author: bytes, until_ms: int) -> Callable[[Job], None]:
            def work(job: Job) -> None:
                told_now = OpsTold((written(job, author, subject, until_ms),)).encode()
                assert tell_own_devices(job, OwnTopic.OPS, (told_now,))

            return work

        async def refused() -> bool:
            return [one.error for one in phone._core.read(quarantine.all_rows)] == [
                "ForeignOpError"
            ]

        await run(laptop, tell(ids[0], 1_900_000_000_000))
        await comes_true(refused)
        await chat.refresh()
        assert chat.muted_until_ms is None
        for until_ms in (1_900_000_000_001, 1_900_000_000_002):
            await run(laptop, tell(ids[1], until_ms))
        forked = await until(at_phone, e2ecore.OwnDeviceForked)
        assert forked.device_id == ids[1]
