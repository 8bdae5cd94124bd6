import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar

import anyio
import anyio.to_thread
import pytest

from e2ecore.errors import UsageError
from e2ecore.storage import settings, writer
from e2ecore.storage.database import Database
from e2ecore.storage.errors import ClosedError, ConstraintError, CorruptDatabaseError, DiskFullError
from e2ecore.storage.handoff import wake_for_current_loop
from e2ecore.storage.sql import Connection, Params
from e2ecore.storage.tx import Tx
from tests.support.databases import create_database, open_database
from tests.support.power import Power, PowerCut


class SomeError(Exception):
    pass


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = create_database(tmp_path / "alice.db")
    yield database
    with suppress(SomeError):
        database.close()


def put(name: str, value: bytes = b"") -> Callable[[Tx], None]:
    return lambda tx: settings.put(tx, name, value)


def put_and_fail(name: str) -> Callable[[Tx], None]:
    def work(tx: Tx) -> None:
        settings.put(tx, name, b"")
        raise SomeError

    return work


def names(database: Database) -> list[str | None]:
    def work(tx: Tx) -> list[str | None]:
        found = tx.rows(lambda row: str(row[0]), "SELECT name FROM settings ORDER BY name")
        return list(found)

    return database.readers.read(work)


@contextmanager
def blocked(database: Database) -> Iterator[None]:
    """Keep the writer busy, so that what is submitted meanwhile is committed together."""
    go, running = threading.Event(), threading.Event()

    def work(_tx: Tx) -> None:
        running.set()
        go.wait()

    thread = threading.Thread(target=lambda: database.writer.call(work))
    thread.start()
    running.wait()
    try:
        yield
    finally:
        go.set()
        thread.join()


def finish(database: Database) -> None:
    database.writer.call(lambda _tx: None)


class Recording(Connection):
    """Notes the first word of every statement that is executed."""

    __slots__ = ()
    seen: ClassVar[list[str]] = []

    def execute(self, sql: str, params: Params = ()) -> int:
        self.seen.append(sql.split()[0])
        return super().execute(sql, params)


def test_a_job_returns_what_it_returns_and_is_durable(database: Database) -> None:
    assert database.writer.call(lambda _tx: 42) == 42
    database.writer.call(put("a"))
    assert names(database) == ["a"]


def test_a_job_that_raises_undoes_itself_and_tells_its_caller(database: Database) -> None:
    with pytest.raises(SomeError):
        database.writer.call(put_and_fail("a"))
    assert names(database) == []
    database.writer.call(put("b"))
    assert names(database) == ["b"]


def test_jobs_that_wait_together_share_one_commit(tmp_path: Path) -> None:
    database = create_database(tmp_path / "alice.db", Recording)
    with blocked(database):
        Recording.seen.clear()
        for number in range(10):
            database.writer.submit(put(str(number)))
    finish(database)
    # The blocking job's own COMMIT, the batch, and perhaps the last empty job alone.
    assert Recording.seen.count("COMMIT") <= 3
    assert len(names(database)) == 10
    database.close()


def test_a_job_that_raises_does_not_disturb_its_neighbours(database: Database) -> None:
    with blocked(database):
        good = database.writer.submit(put("good"))
        bad = database.writer.submit(put_and_fail("bad"))
        also = database.writer.submit(put("also good"))
    finish(database)
    good.result()
    also.result()
    with pytest.raises(SomeError):
        bad.result()
    assert names(database) == ["also good", "good"]


def test_a_result_that_is_asked_for_too_early_is_refused(database: Database) -> None:
    with blocked(database):
        pending = database.writer.submit(put("a"))
        assert not pending.settled
        with pytest.raises(UsageError, match="await"):
            pending.result()
    finish(database)
    assert pending.settled


def test_rollback_hooks_run_newest_first_before_the_caller_learns(database: Database) -> None:
    undone: list[int] = []

    def work(tx: Tx) -> None:
        tx.on_rollback(lambda: undone.append(1))
        tx.on_rollback(lambda: undone.append(2))
        raise SomeError

    with pytest.raises(SomeError):
        database.writer.call(work)
    assert undone == [2, 1]


def test_rollback_hooks_do_not_run_after_a_commit(database: Database) -> None:
    undone: list[int] = []
    database.writer.call(lambda tx: tx.on_rollback(lambda: undone.append(1)))
    assert undone == []


def test_a_commit_that_fails_fails_every_job_and_runs_every_hook(tmp_path: Path) -> None:
    power = Power()
    database = create_database(tmp_path / "alice.db", power.connect)
    undone: list[str] = []

    def noting(name: str) -> Callable[[Tx], None]:
        def work(tx: Tx) -> None:
            tx.on_rollback(lambda: undone.append(name))
            settings.put(tx, name, b"")

        return work

    with blocked(database):
        jobs = [database.writer.submit(noting(name)) for name in ("a", "b")]
        power.survives = 8  # COMMIT of the blocking job, BEGIN, twice SAVEPOINT, REPLACE, RELEASE
        power.arm()
    database.close()
    for job in jobs:
        with pytest.raises(PowerCut):
            job.result()
    assert undone == ["b", "a"]
    database = open_database(tmp_path / "alice.db")
    assert names(database) == []
    database.close()


def test_everything_fails_after_the_power_was_cut(tmp_path: Path) -> None:
    power = Power()
    database = create_database(tmp_path / "alice.db", power.connect)
    power.arm()
    for _ in range(2):
        with pytest.raises(PowerCut):
            database.writer.call(put("a"))
    database.close()


def test_a_full_disk_fails_what_does_not_fit_and_goes_on_when_there_is_room(
    database: Database,
) -> None:
    pages = database.writer.call(lambda tx: tx.value(int, "PRAGMA page_count")) or 0
    database.writer.call(lambda tx: tx.value(int, f"PRAGMA max_page_count = {pages}"))
    with pytest.raises(DiskFullError, match="Free space"):
        database.writer.call(put("big", bytes(100_000)))
    database.writer.call(put("small"))
    assert names(database) == ["small"]
    database.writer.call(lambda tx: tx.value(int, "PRAGMA max_page_count = 1000000"))
    database.writer.call(put("big", bytes(100_000)))
    assert names(database) == ["big", "small"]


def test_a_full_disk_in_a_batch_leaves_the_others_whole_or_failed(database: Database) -> None:
    pages = database.writer.call(lambda tx: tx.value(int, "PRAGMA page_count")) or 0
    database.writer.call(lambda tx: tx.value(int, f"PRAGMA max_page_count = {pages}"))
    with blocked(database):
        jobs = {
            name: database.writer.submit(put(name, value))
            for name, value in (("a", b""), ("b", bytes(100_000)), ("c", b""))
        }
    finish(database)
    kept = set(names(database))
    for name, job in jobs.items():
        if name in kept:
            job.result()
        else:
            with pytest.raises(DiskFullError):
                job.result()
    assert "b" not in kept
    assert "c" in kept


def test_a_refused_row_is_the_callers_fault_and_names_no_content(database: Database) -> None:
    with pytest.raises(ConstraintError) as caught:
        database.writer.call(
            lambda tx: tx.execute("INSERT INTO settings (name, value) VALUES ('secret', 1)")
        )
    assert "secret" not in str(caught.value)


def test_closing_finishes_what_was_accepted_and_refuses_more(database: Database) -> None:
    with blocked(database):
        jobs = [database.writer.submit(put(f"{number:03}")) for number in range(600)]
        closer = threading.Thread(target=database.writer.close)
        closer.start()
        while not database.writer._closed:
            time.sleep(0.001)
        with pytest.raises(ClosedError):
            database.writer.submit(put("late"))
    closer.join()
    for job in jobs:
        job.result()


def test_a_reader_in_the_way_of_the_checkpoint_does_not_hold_up_the_writer(
    database: Database,
) -> None:
    def read(tx: Tx) -> None:
        settings.get(tx, "a")
        database.writer.call(put("a", b"1"))
        assert not database.writer.call_purge()
        assert database.writer._log.dirty
        database.writer.call(put("a", b"2"))
        assert settings.get(tx, "a") is None, "a snapshot does not move"

    database.readers.read(read)
    assert database.readers.read(lambda tx: settings.get(tx, "a")) == b"2"


def test_damage_met_on_the_way_fails_that_job_and_the_connection_is_replaced(
    database: Database,
) -> None:
    before = database.writer._connection

    def meets_damage(_tx: Tx) -> None:
        raise CorruptDatabaseError

    with pytest.raises(CorruptDatabaseError):
        database.writer.call(meets_damage)
    assert database.writer._connection is not before
    database.writer.call(put("a"))
    assert names(database) == ["a"]


def test_a_hook_that_raises_ends_the_writer_but_leaves_nobody_waiting(database: Database) -> None:
    def hook() -> None:
        raise SomeError("this cache cannot be dropped")

    def work(tx: Tx) -> None:
        tx.on_rollback(hook)
        raise ValueError("the job's own")

    with pytest.raises(ValueError, match="the job's own"):
        database.writer.call(work)
    for one in (put("a"), work, put("b")):
        with pytest.raises(SomeError):
            database.writer.call(one)
    assert names(database) == []


def test_results_of_one_commit_come_in_one_wake_up(database: Database) -> None:
    wake_ups: list[Callable[[], None]] = []
    with blocked(database):
        jobs = [database.writer.submit(put(str(number)), wake_ups.append) for number in range(5)]
    finish(database)
    assert len(wake_ups) == 1
    assert not any(job.settled for job in jobs)
    wake_ups[0]()
    assert all(job.settled for job in jobs)


def test_a_loop_that_has_ended_does_not_disturb_the_writer(database: Database) -> None:
    def gone(_run: Callable[[], None]) -> None:
        raise RuntimeError("this loop is closed")

    pending = database.writer.submit(put("a"), gone)
    finish(database)
    assert pending.settled


@pytest.mark.anyio
async def test_jobs_are_awaited_in_an_event_loop(database: Database) -> None:
    wake = wake_for_current_loop()
    pending = database.writer.submit(lambda _tx: 42, wake)
    assert await pending.wait() == 42
    assert await pending.wait() == 42


@pytest.mark.anyio
async def test_many_tasks_wait_for_their_own_jobs(database: Database) -> None:
    wake = wake_for_current_loop()
    results: dict[int, int] = {}

    async def one(number: int) -> None:
        results[number] = await database.writer.submit(lambda _tx: number, wake).wait()

    async with anyio.create_task_group() as tasks:
        for number in range(300):
            tasks.start_soon(one, number)
    assert results == {number: number for number in range(300)}


@pytest.mark.anyio
async def test_cancelling_who_waits_does_not_stop_the_job(database: Database) -> None:
    wake = wake_for_current_loop()
    with blocked(database):
        pending = database.writer.submit(put("a"), wake)
        with anyio.move_on_after(0.01) as scope:
            await pending.wait()
        assert scope.cancelled_caught
    await pending.wait()
    assert names(database) == ["a"]


def test_a_busy_thread_of_the_application_cannot_starve_the_writer(database: Database) -> None:
    assert sys.getswitchinterval() <= writer.SWITCH_INTERVAL_S
    database.writer.call(put("a"))


def test_without_an_event_loop_there_is_nothing_to_wake() -> None:
    with pytest.raises(RuntimeError):
        wake_for_current_loop()
