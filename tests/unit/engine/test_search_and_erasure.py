"""Finding and erasing messages through the engine."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

import e2ecore
from e2ecore import Conversation, Engine
from e2ecore.engine.erasure import erasing
from e2ecore.engine.erasure.erasing import sweep
from e2ecore.engine.running.job import Job
from e2ecore.engine.talk import searching
from e2ecore.engine.talk.writing import write_texts
from e2ecore.storage import erasure, messages, outbox
from e2ecore.storage.tx import Tx
from e2ecore.testing import two_devices
from tests.support.engines import PATIENCE_S, history, pair, texts, until

pytestmark = pytest.mark.anyio

BODIES = ("明天在北京见", "see you in Beijing", "Beijing 北京 both", "nothing to see", "再见 👋")


@asynccontextmanager
async def talk(folder: Path, bodies: Sequence[str]) -> AsyncIterator[tuple[Engine, Conversation]]:
    """Bob's engine and his view of what alice sent him."""
    async with two_devices(folder) as (_, alice, bob):
        at_bob = bob.events()
        chat, other = await pair(alice, bob)
        await chat.send_many(bodies)
        await texts(at_bob, len(bodies))
        yield bob, other


async def found(engine: Engine, text: str) -> list[str]:
    return [hit.message.text for hit in (await engine.search(text)).hits]


async def indexed(engine: Engine) -> None:
    """Wait until everything is indexed."""
    with anyio.fail_after(PATIENCE_S):
        while True:
            now = await engine.search_status()
            if now.indexed == now.newest:
                return
            await anyio.sleep(0.02)


async def test_messages_are_found_at_once_and_the_same_once_they_are_indexed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "IDLE_S", 0.3)
    expected = {
        "北京": [BODIES[2], BODIES[0]],
        "beij": [BODIES[2], BODIES[1]],
        "北": [BODIES[2], BODIES[0]],
        "北京 BOTH": [BODIES[2]],
        "👋": [BODIES[4]],
        "eijing": [],
        '"see" OR NEAR(': [],
        "": [],
        "\ud800": [],
    }
    async with talk(tmp_path, BODIES) as (bob, _):
        for _ in range(2):
            assert {text: await found(bob, text) for text in expected} == expected
            await indexed(bob)
        with pytest.raises(e2ecore.SearchTextError):
            await bob.search("x" * 257)


async def test_hits_can_be_filtered_and_come_in_pages_with_snippets(tmp_path: Path) -> None:
    async with talk(tmp_path, BODIES) as (bob, chat):
        assert bob.account is not None
        own = bob.account.account_id
        answer = await chat.send("北京 it is")
        everything = (await bob.search("北京", conversation=chat)).hits
        assert everything[0].message.order == answer.order
        assert [hit.message.mine for hit in everything] == [True, False, False]
        (hit,) = (await bob.search("北京", sender=own)).hits
        assert hit.message.text == "北京 it is"
        oldest = everything[-1].message
        page = await bob.search("北京", before=oldest.sent_ms + 1, after=oldest.sent_ms)
        assert oldest in [hit.message for hit in page.hits]
        assert (await bob.search("北京", kinds=[e2ecore.MessageKind.UNKNOWN])).hits == ()
        cursor: int | None = None
        collected: list[e2ecore.SearchHit] = []
        for _ in range(3):
            page = await bob.search("北京", limit=1, cursor=cursor)
            cursor = page.cursor
            collected += page.hits
        orders = [hit.message.order for hit in everything]
        assert [hit.message.order for hit in collected] == orders
        snippet = everything[-1].snippet(4)
        ((start, end),) = snippet.marks
        assert snippet.text[start:end] == "北京"


async def test_erased_messages_are_neither_shown_nor_found_nor_counted(tmp_path: Path) -> None:
    async with talk(tmp_path, BODIES) as (bob, chat):
        reader = bob.events()
        await chat.refresh()
        assert chat.unread == len(BODIES)
        page = await chat.messages()
        assert await chat.delete_messages([page[0], page[3].order, page[3]]) == 2
        assert (await until(reader, e2ecore.MessagesErased)).count == 2
        assert await history(chat) == [BODIES[1], BODIES[2], BODIES[4]]
        assert chat.unread == 3
        assert await found(bob, "北京") == [BODIES[2]]
        assert await chat.delete_before(page[2].order) == 1
        assert await chat.clear() == 2
        assert await chat.clear() == 0
        assert (await history(chat), chat.unread) == ([], 0)
        with pytest.raises(e2ecore.TooManyMessagesError):
            await chat.delete_messages(range(1001))


async def test_an_erased_message_that_has_not_left_does_not_leave(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (_, alice, bob):
        at_bob = bob.events()
        chat = await alice.conversations.direct(await alice.contacts.find("bob"))
        core = alice._core

        def write(job: Job) -> list[int]:
            sent = write_three(job, chat)
            erasure.erase(
                job.tx, messages.pick(job.tx, [sent[1]]), silence=erasing.SILENCE, fold={}
            )
            job.effects.outgoing.clear()
            return sent

        await core.jobs.run(write)
        assert core.read(plaintext_waiting) == [True, False, True]
        await chat.ready()
        await alice.reconnect()
        core.sender.restart()
        await chat.send("fourth")
        seen = [event async for event in until_text(at_bob, "fourth")]
        heard = [one.message.text for one in seen if isinstance(one, e2ecore.MessageReceived)]
        assert heard == ["first", "third", "fourth"]
        amiss = (e2ecore.MessagesMissing, e2ecore.EnvelopeQuarantined)
        assert not [one for one in seen if isinstance(one, amiss)], "its place is kept"


def write_three(job: Job, chat: Conversation) -> list[int]:
    cid = chat.local_number
    return [cid << 32 | one.order for one in write_texts(job, cid, ("first", "second", "third"))]


def plaintext_waiting(tx: Tx) -> list[bool]:
    rows = [row for row in outbox.after(tx, 0, 100) if row.kind == 1]
    return [b"first" in row.content or b"third" in row.content for row in rows]


async def until_text(reader: e2ecore.EventReader, text: str) -> AsyncIterator[e2ecore.Event]:
    with anyio.fail_after(PATIENCE_S):
        async for event in reader:
            yield event
            if isinstance(event, e2ecore.MessageReceived) and event.message.text == text:
                return


async def test_much_is_erased_in_slices_and_a_crash_in_between_is_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "FEW", 4)
    monkeypatch.setattr(erasure, "SLICE", 3)
    monkeypatch.setattr(searching, "IDLE_S", 0.05)
    bodies = [f"number {number} of many" for number in range(20)]
    async with talk(tmp_path, bodies) as (bob, chat):
        await indexed(bob)
        page = await chat.messages()
        assert await chat.delete_messages(page[:5]) == 5
        assert await found(bob, "number 3") == []
        below = (chat.local_number << 32) + page[12].order
        core = bob._core
        await core.jobs.run(lambda job: erasure.begin(job.tx, chat.local_number, below, 7))
        with anyio.fail_after(PATIENCE_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(erasing.keep_erasing, core)
                while core.read(erasure.under_way):  # noqa: ASYNC110 - nobody is told
                    await anyio.sleep(0.02)
                tasks.cancel_scope.cancel()
        assert await history(chat) == bodies[12:]
        assert await chat.clear() == 8
        assert await found(bob, "many") == []
        core.database.check()


async def test_messages_are_erased_when_their_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with talk(tmp_path, BODIES) as (bob, chat):
        with pytest.raises(e2ecore.BadRetentionError):
            await chat.set_retention(999)
        await chat.set_retention(60_000)
        assert await chat.retention() == 60_000
        assert len(await history(chat)) == len(BODIES)
        later = bob._core.clock_ms() + 61_000
        monkeypatch.setattr(bob._core, "clock_ms", lambda: later)
        await sweep(bob._core)
        assert await history(chat) == []
        await chat.set_retention(None)
        assert await chat.retention() is None


async def test_a_damaged_index_is_made_anew_and_searches_stay_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "IDLE_S", 0.05)
    async with talk(tmp_path, BODIES) as (bob, _):
        await indexed(bob)
        reader = bob.events()
        damage = "UPDATE search_data SET block = x'ffffffffffff' WHERE id > 1"
        await bob._core.jobs.run(lambda job: job.tx.execute(damage))
        assert await found(bob, "北京") == [BODIES[2], BODIES[0]]
        await until(reader, e2ecore.SearchDegraded)
        await until(reader, e2ecore.SearchRestored)
        assert not (await bob.search_status()).is_degraded
        assert await found(bob, "北京") == [BODIES[2], BODIES[0]]


async def test_an_erased_account_leaves_nothing_and_another_can_begin(tmp_path: Path) -> None:
    async with two_devices(tmp_path) as (relay, _, bob):
        path = bob._core.database.path
        await bob.erase_account()
        left = {one.name for one in path.parent.iterdir() if one.name.startswith(path.name)}
        assert left == {path.name + ".lock"}
        with pytest.raises(e2ecore.EngineClosedError):
            await bob.erase_account()
        with pytest.raises(e2ecore.EngineClosedError):
            await bob.search("anything")
        async with await e2ecore.open(
            path, passphrase="quite a new one", relay=relay.dial
        ) as fresh:
            assert fresh.account is None
            await fresh.register("carol")
