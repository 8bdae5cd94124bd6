"""Rows and files are compared: what lost its other half goes, in memory that does not grow."""

import os
import tracemalloc
from collections.abc import Iterable, Iterator

import anyio.to_thread
import pytest

from e2ecore_protocol.frames import BlobStates, DeletionReason, Ok, QueryBlobs, RecallBlob
from e2ecore_relay.backends.folder import BlobFolder
from e2ecore_relay.backends.sqlite import blobs
from e2ecore_relay.server import blob_office, blob_sweeping
from e2ecore_relay.server.asking import ask
from e2ecore_relay.server.blob_sweeping import Sweep
from e2ecore_relay.server.relay import Relay
from tests.support.blob_client import end_now, send_blob, until_true
from tests.support.raw_client import Person, online
from tests.support.relay import where

pytestmark = pytest.mark.anyio
STRAYS = 2_500
"""More than two parts of a comparison."""

WALKED_AT_ONCE = 1_000
MANY = 60_000
MOST_BYTES = 1_000_000
"""What comparing may hold. The names of MANY files in a set are six times that."""


class EndlessFolder(BlobFolder):
    """A folder with more files than anybody wants to make for a test; none of them has a row.

    They are there for the first who looks, be that the test or the relay by itself.
    """

    def __init__(self) -> None:
        self.deleted = 0
        self.listed = 0
        self.held = 0

    def names(self) -> Iterator[bytes]:
        for _ in range(0 if self.listed else MANY):
            self.listed += 1
            yield os.urandom(16)

    def delete(self, blob_ids: Iterable[bytes]) -> set[bytes]:
        self.held = max(self.held, self.listed - self.deleted)
        self.deleted += len(list(blob_ids))
        return set()


def leave_behind(relay: Relay, count: int) -> None:
    """Files without rows, as after a crash at the worst of times."""
    for _ in range(count):
        file = relay.hub.office.folder.open_to_append(os.urandom(16))
        file.append(b"left over")
        file.close()


async def test_files_without_rows_go_and_rows_without_files_end_as_lost(relay: Relay) -> None:
    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob):
        group = await alice.group(bob)
        kept, _ = await send_blob(relay, alice, group, b"kept")
        gone, _ = await send_blob(relay, alice, group, b"gone")
        leave_behind(relay, STRAYS)
        office = relay.hub.office
        office.folder.delete([gone])
        await office.compare()
        assert list(office.folder.names()) == [kept]
        assert relay.hub.metrics.blob_orphans >= STRAYS
        await until_true(lambda: relay.hub.metrics.blobs_deleted[str(int(DeletionReason.LOST))] > 0)
        states = await alice.ask(QueryBlobs(alice.request(), (kept, gone)), BlobStates)
    assert isinstance(states, BlobStates)
    assert [live.blob_id for live in states.live] == [kept]
    assert [(one.blob_id, one.reason) for one in states.deleted] == [(gone, DeletionReason.LOST)]


async def test_where_nothing_is_amiss_comparing_takes_nothing_of_the_writers_time(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def asked(*_what: object) -> None:
        raise AssertionError("the writer was asked")

    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob):
        group = await alice.group(bob)
        await send_blob(relay, alice, group, b"kept")
        monkeypatch.setattr(blob_office, "ask", asked)
        await relay.hub.office.compare()


async def test_a_folder_of_any_size_is_walked_through_and_never_held(relay: Relay) -> None:
    office = relay.hub.office
    office.folder = folder = EndlessFolder()
    tracemalloc.start()
    try:
        await office.compare()
        await until_true(lambda: folder.deleted == MANY)
        _, highest = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert folder.held <= WALKED_AT_ONCE
    assert highest < MOST_BYTES


async def test_who_walks_through_all_rows_keeps_few_of_them(relay: Relay) -> None:
    def looked() -> object:
        return relay.hub.store.walk(
            lambda ledger: ledger.connection.execute("PRAGMA cache_size").fetchone()
        )

    assert await anyio.to_thread.run_sync(looked) == (-512,)


async def test_walking_through_the_rows_in_parts_sorts_and_skips_nothing(relay: Relay) -> None:
    """A part that looks at all rows makes the whole quadratic: hours for a million."""

    def plan() -> list[str]:
        rows = relay.hub.store.walk(
            lambda ledger: ledger.connection.execute(
                f"EXPLAIN QUERY PLAN {blobs._AFTER}", (0, WALKED_AT_ONCE)
            ).fetchall()
        )
        return [str(row[-1]) for row in rows]

    assert await anyio.to_thread.run_sync(plan) == ["SEARCH b USING INTEGER PRIMARY KEY (rowid>?)"]


async def test_a_file_that_cannot_be_deleted_holds_up_no_other_and_gets_its_receipt_later(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = Person()
    monkeypatch.setattr(blob_sweeping, "PART", 1)
    async with online(*where(relay)) as alice, online(*where(relay), bob):
        group = await alice.group(bob)
        sent = sorted([(await send_blob(relay, alice, group, b"x"))[0] for _ in range(3)])
        path = relay.hub.office.folder._path(sent[0])
        path.unlink()
        (path / "in the way").mkdir(parents=True)
        for blob_id in sent:
            assert isinstance(await alice.ask(RecallBlob(alice.request(), blob_id), Ok), Ok)
        deleted = relay.hub.metrics.blobs_deleted
        await until_true(lambda: sum(deleted.values()) == 2)
        states = await alice.ask(QueryBlobs(alice.request(), tuple(sent)), BlobStates)
        assert isinstance(states, BlobStates)
        assert {one.blob_id for one in states.deleted} == {*sent[1:]}
        (path / "in the way").rmdir()
        path.rmdir()
        relay.hub.office.look_soon()
        await until_true(lambda: sum(deleted.values()) == 3)


async def test_while_messages_come_in_the_first_files_go_before_the_last_shares(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sweep, "look_soon", lambda _: None)  # it sweeps when this test says so
    monkeypatch.setattr(Sweep, "_is_written", property(lambda _: True))
    monkeypatch.setattr(blob_sweeping, "_ROUND_AMONG_MESSAGES", 4)
    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob):
        group = await alice.group(bob)
        sent = [(await send_blob(relay, alice, group, b"x"))[0] for _ in range(6)]
    await ask(relay.hub.store, lambda turn: end_now(turn, sent))
    office = relay.hub.office
    assert await office._sweep.round()
    assert len(list(office.folder.names())) == 2
    assert not await office._sweep.round()
    assert not list(office.folder.names())
