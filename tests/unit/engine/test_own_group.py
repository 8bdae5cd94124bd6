"""The conversation of the own devices: one, hidden, and closed to everybody else."""

from functools import partial
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import Engine
from e2ecore.engine.membership.beginning import begin_direct
from e2ecore.engine.membership.founding import found_group
from e2ecore.engine.own_talk import own_topics
from e2ecore.engine.own_talk.own_group import begin_own_group, own_group, tell_own_devices
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror, Peer
from e2ecore.engine.talk.writing import write_unlisted
from e2ecore.engine.values import ConversationState
from e2ecore.messaging.intents import IntentKind, Wish
from e2ecore.storage import conversations, intents, quarantine
from e2ecore.testing import devices
from e2ecore.testing.devices import open_device
from e2ecore_protocol.content.conversation import DIRECT_POLICY, ConversationInfo, InfoKind
from e2ecore_protocol.content.messages import Text
from e2ecore_protocol.content.own import Own
from e2ecore_protocol.frames.conversations import self_conversation_id
from tests.support.engines import PATIENCE_S, pair, said
from tests.support.linked import comes_true, link, phone_laptop_bob, run, seated

pytestmark = [pytest.mark.anyio, pytest.mark.clause("GB42012-8.1.1d")]
TOPIC = 200
Heard = list[tuple[bytes, bytes]]


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    """What own devices have heard on a topic for tests: by whom, and what."""
    found: Heard = []

    def take(job: Job, _mirror: Mirror, sender: Peer, body: bytes) -> None:
        found.append((sender.device_id, body))
        job.tx.on_rollback(found.clear)

    monkeypatch.setattr(own_topics, "_TAKERS", {**own_topics._TAKERS, TOPIC: take})
    return found


async def hears(heard: Heard, count: int) -> Heard:
    async def check() -> bool:
        return len(heard) >= count

    await comes_true(check)
    return heard


def device(engine: Engine) -> bytes:
    assert engine.account is not None
    return engine.account.device_id


async def test_linked_devices_talk_where_nobody_listens_and_nothing_shows(
    tmp_path: Path, heard: Heard
) -> None:
    async with phone_laptop_bob(tmp_path) as (_, phone, laptop, bob):
        events = laptop.events()
        assert await seated(phone, 2) == await seated(laptop, 2) == {device(phone), device(laptop)}
        assert await run(laptop, lambda job: tell_own_devices(job, TOPIC, (b"one", b"two")))
        assert await run(phone, lambda job: tell_own_devices(job, TOPIC, (b"three",)))
        assert sorted(await hears(heard, 3)) == sorted(
            [(device(laptop), b"one"), (device(laptop), b"two"), (device(phone), b"three")]
        )
        uid = self_conversation_id(phone._core.account_id, 0)
        assert await run(bob, own_group) is None
        assert not await run(bob, lambda job: tell_own_devices(job, TOPIC, (b"x",)))
        for engine in (phone, laptop):
            assert await engine.conversations.list() == []
            with pytest.raises(e2ecore.UnknownConversationError):
                await engine.conversations.get(e2ecore.GroupId(uid))
            assert (await engine.my_data.profile()).conversations == 0
        report = await phone.my_data.export(tmp_path / "all.zip")
        assert (report.conversations, report.messages) == (0, 0)
        chat, _ = await pair(laptop, bob)
        await chat.send("hello")
        async for event in events:
            assert getattr(event, "conversation_id", None) != uid
            if isinstance(event, e2ecore.MessageAccepted | e2ecore.Delivered):
                break
        assert len(await said(chat)) == 1


async def test_a_removed_device_loses_its_seat_and_the_other_stays_alone(
    tmp_path: Path, heard: Heard
) -> None:
    async with phone_laptop_bob(tmp_path) as (relay, phone, laptop, _):
        await seated(laptop, 2)
        cid = (await run(phone, lambda job: job.state.own_cids(job.tx)))[0]
        await phone.devices.remove(device(laptop))
        assert await seated(phone, 1) == {device(phone)}
        assert not await run(phone, lambda job: tell_own_devices(job, TOPIC, (b"x",)))
        opened = await open_device(tmp_path / "tablet.db", relay.dial)
        async with opened as tablet:
            await link(phone, tablet)
            assert await seated(tablet, 2) == {device(phone), device(tablet)}
            assert await run(phone, lambda job: job.state.own_cids(job.tx)) == [cid]
            assert await run(tablet, lambda job: tell_own_devices(job, TOPIC, (b"hi",)))
            assert await hears(heard, 1) == [(device(tablet), b"hi")]


async def test_of_two_devices_that_begin_it_at_once_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("e2ecore.engine.own_devices.seating.LATER_MS", 0)
    async with phone_laptop_bob(tmp_path) as (_, phone, laptop, _):
        await seated(laptop, 2)

        def lose(job: Job) -> None:
            mirror = own_group(job)
            assert mirror is not None
            mirror.state = ConversationState.LOST
            mirror.dirty = True
            mirror.save(job.tx)

        def begin(job: Job) -> None:
            lose(job)
            begin_own_group(job)

        async with anyio.create_task_group() as tasks:
            for one in (phone, laptop):
                tasks.start_soon(run, one, begin)
        assert await seated(phone, 2) == await seated(laptop, 2)
        uids = [
            await run(one, lambda job: [row.uid for row in conversations.all_rows(job.tx)])
            for one in (phone, laptop)
        ]
        assert uids[0] == uids[1]
        assert len(uids[0]) == 2, "the one that was lost, and one more"


async def test_nobody_else_can_make_it_or_come_in(tmp_path: Path) -> None:
    async with devices(tmp_path, "alice", "bob") as (_, (alice, bob)):
        await pair(alice, bob)
        alice_id, bob_id = alice._core.account_id, bob._core.account_id
        info = ConversationInfo(InfoKind.SELF, policy=DIRECT_POLICY)

        def found(job: Job, uid: bytes, others: tuple[bytes, ...]) -> int:
            return found_group(job, uid, info, others)[1]

        for uid in (self_conversation_id(alice_id, 0), self_conversation_id(bob_id, 16)):
            iid = await run(bob, partial(found, uid=uid, others=()))
            with pytest.raises(e2ecore.ChangeFailedError), anyio.fail_after(PATIENCE_S):
                await bob._core.change(iid).applied()
        await run(bob, partial(found, uid=self_conversation_id(bob_id, 0), others=(alice_id,)))

        def stays_alone(job: Job) -> bool:
            mirror = job.state.find(job.tx, self_conversation_id(bob_id, 0))
            return mirror is not None and len(mirror.by_leaf) <= 1

        await alice.caught_up()
        assert await run(bob, stays_alone)
        assert await run(alice, lambda job: job.state.own_cids(job.tx)) == []


async def test_a_conversation_of_own_devices_from_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("e2ecore.messaging.intents.check", lambda *_: None)
    async with devices(tmp_path, "alice", "bob") as (_, (alice, bob)):
        await pair(alice, bob)
        alice_id = alice._core.account_id

        def invite(job: Job) -> None:
            begin_own_group(job)
            mirror = own_group(job)
            assert mirror is not None
            wish = Wish(IntentKind.ADD, (alice_id,))
            intents.add(job.tx, mirror.cid, wish.kind, wish.encode(), job.now_ms)

        await run(bob, invite)

        async def refused() -> bool:
            errors = [one.error for one in alice._core.read(quarantine.all_rows)]
            return "BadConversationError" in errors

        await comes_true(refused)
        assert await run(alice, lambda job: job.state.own_cids(job.tx)) == []


async def test_what_is_out_of_place_is_set_aside(tmp_path: Path, heard: Heard) -> None:
    async with phone_laptop_bob(tmp_path) as (_, phone, laptop, bob):
        await seated(laptop, 2)
        chat, _ = await pair(bob, phone)

        def misplace(job: Job) -> None:
            mirror = own_group(job)
            assert mirror is not None
            write_unlisted(job, mirror, Text(bytes(16), 1, "to myself"))

        def intrude(job: Job) -> None:
            mirror = job.mirror(begin_direct(job, phone._core.account_id)[0])
            write_unlisted(job, mirror, Own(TOPIC, b"from bob"))

        await run(laptop, misplace)
        await run(bob, intrude)
        await chat.send("hello")

        async def both_set_aside() -> bool:
            return len(phone._core.read(quarantine.all_rows)) == 2

        await comes_true(both_set_aside)
        assert heard == []


async def test_the_wish_to_add_somebody_else_fails(tmp_path: Path) -> None:
    async with phone_laptop_bob(tmp_path) as (_, phone, laptop, bob):
        await seated(laptop, 2)
        bob_id = bob._core.account_id

        def invite(job: Job) -> int:
            mirror = own_group(job)
            assert mirror is not None
            wish = Wish(IntentKind.ADD, (bob_id,))
            job.effects.intents.add(mirror.cid)
            return intents.add(job.tx, mirror.cid, wish.kind, wish.encode(), job.now_ms)

        change = phone._core.change(await run(phone, invite))
        with pytest.raises(e2ecore.ChangeFailedError), anyio.fail_after(PATIENCE_S):
            await change.applied()
