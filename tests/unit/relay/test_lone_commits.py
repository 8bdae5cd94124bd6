"""A lone submit is committed by the event loop; everything else by the writer."""

import threading
from collections import deque
from collections.abc import Callable, Sequence

import anyio
import pytest

from e2ecore_protocol.frames import Accepted, Deliver, Ready
from e2ecore_relay.backends.sqlite.jobs import AnyJob, SubmitJob
from e2ecore_relay.backends.sqlite.store import SqliteStore
from e2ecore_relay.domain.exchange import Push
from e2ecore_relay.server.relay import Relay
from tests.support.raw_client import Person, online, stranger
from tests.support.relay import where

pytestmark = pytest.mark.anyio


def _note_threads(monkeypatch: pytest.MonkeyPatch, store: SqliteStore) -> list[bool]:
    """Return a list that grows by one for each commit of a submit: was it the event loop's?"""
    here = threading.get_ident()
    seen: list[bool] = []
    commit = store._commit

    def noting(jobs: Sequence[AnyJob], *, store_progress: bool) -> list[Push]:
        if any(isinstance(job, SubmitJob) for job in jobs):
            seen.append(threading.get_ident() == here)
        return commit(jobs, store_progress=store_progress)

    monkeypatch.setattr(store, "_commit", noting)
    return seen


def _rest(store: SqliteStore, *, took_s: float = 0.0) -> None:
    """Make it a store whose last commit took so long, and ended long ago."""
    with store._turn:
        store._took_s, store._ended_at, store._due_at = took_s, 0.0, float("inf")


async def test_a_lone_submit_is_committed_at_once_and_delivered(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = Person()
    store = relay.hub.store
    seen = _note_threads(monkeypatch, store)
    async with online(*where(relay)) as alice, online(*where(relay), bob) as b:
        chat = await alice.direct(bob)
        while True not in seen:  # the writer may be at work on something else
            _rest(store)
            assert isinstance((await alice.submit(chat, b"alone"))[0], Accepted)
        received = await b.wait_for(1 + len(seen))
        assert [one.payload for one in received[1:]] == [b"alone"] * len(seen)


async def test_on_a_slow_disk_the_writer_commits(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = Person()
    store = relay.hub.store
    seen = _note_threads(monkeypatch, store)
    async with online(*where(relay)) as alice, online(*where(relay), bob):
        chat = await alice.direct(bob)
        _rest(store, took_s=0.1)
        assert isinstance((await alice.submit(chat, b"slow"))[0], Accepted)
        assert seen == [False]


async def test_a_defect_in_writing_to_others_is_not_the_senders(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    bob = Person()
    store = relay.hub.store
    seen = _note_threads(monkeypatch, store)
    async with online(*where(relay)) as alice:
        before = relay.hub.sessions()
        async with online(*where(relay), bob):
            chat = await alice.direct(bob)
            (theirs,) = [one for one in relay.hub.sessions() if one not in before]
            monkeypatch.setattr(theirs, "flush", broken)
            while True not in seen:
                _rest(store)
                assert isinstance((await alice.submit(chat, b"for nobody"))[0], Accepted)
            assert isinstance((await alice.submit(chat, b"still here"))[0], Accepted)


async def test_who_comes_while_the_event_loop_is_busy_misses_nothing(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer has let a device in, and the event loop has not heard of it yet."""
    bob = Person()
    store = relay.hub.store
    wake, held, sent = store._wake, deque[Callable[[], None]](), anyio.Event()

    async def hand_on() -> None:
        while True:
            while held:
                wake(held.popleft())
            await anyio.sleep(0.001)

    async def meanwhile() -> None:
        await alice.submit(chat, b"meanwhile")
        sent.set()

    async with online(*where(relay)) as alice, anyio.create_task_group() as tasks:
        async with online(*where(relay), bob):
            chat = await alice.direct(bob)
        async with stranger(*where(relay), bob) as b:
            monkeypatch.setattr(store, "_wake", held.append)
            await b.send(b.proof())
            while not (held and store._resting):  # noqa: ASYNC110 - nobody is to be told
                await anyio.sleep(0.001)
            _rest(store)
            before = store.statistics.envelopes
            tasks.start_soon(meanwhile)
            while store.statistics.envelopes == before:  # noqa: ASYNC110 - as above
                await anyio.sleep(0.001)
            tasks.start_soon(hand_on)
            await b.expect(Ready)
            await sent.wait()
            await alice.submit(chat, b"later")
            while not (said := [one.payload for one in b.delivered if one.log_id == chat]):
                await b.expect(Deliver)
            assert said[0] == b"meanwhile"
        tasks.cancel_scope.cancel()
        monkeypatch.setattr(store, "_wake", wake)
