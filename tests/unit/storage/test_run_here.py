"""Small jobs that the thread which brings them runs itself."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest

from e2ecore.storage import settings, writer
from e2ecore.storage.database import Database
from e2ecore.storage.errors import ClosedError
from e2ecore.storage.log import Log
from e2ecore.storage.sql import Connection
from e2ecore.storage.tx import Tx
from e2ecore.storage.writer import QUICK_S, Writer
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


def rested(one: Writer, *, took_s: float = 0.0) -> None:
    """Wait until the thread rests; make its last commit one that took so long, long ago."""
    one.call(lambda _tx: None)
    while one._unfinished:
        time.sleep(0.001)
    with one._turn:
        one._took_s, one._ended_at = took_s, 0.0


def put(name: str) -> Callable[[Tx], int]:
    def work(tx: Tx) -> int:
        settings.put(tx, name, b"")
        return threading.get_ident()

    return work


def stored(database: Database, name: str) -> bool:
    return database.readers.read(lambda tx: settings.get(tx, name)) is not None


def test_a_small_job_runs_in_the_thread_that_brings_it_and_is_durable(tmp_path: Path) -> None:
    database = create_database(tmp_path / "alice.db")
    rested(database.writer)
    pending = database.writer.run_here(put("a"))
    assert pending is not None
    assert pending.result() == threading.get_ident()
    assert stored(database, "a")
    database.close()
    again = open_database(tmp_path / "alice.db")
    assert stored(again, "a")
    again.close()


def test_a_job_that_raises_undoes_itself_and_tells_its_caller(database: Database) -> None:
    undone: list[str] = []

    def work(tx: Tx) -> None:
        tx.on_rollback(lambda: undone.append("a"))
        settings.put(tx, "a", b"")
        raise SomeError

    rested(database.writer)
    pending = database.writer.run_here(work)
    assert pending is not None
    with pytest.raises(SomeError):
        pending.result()
    assert undone == ["a"]
    assert not stored(database, "a")


def test_it_is_refused_while_the_thread_works_or_has_work(database: Database) -> None:
    go, running = threading.Event(), threading.Event()

    def wait(_tx: Tx) -> None:
        running.set()
        go.wait()

    rested(database.writer)
    database.writer.submit(wait)
    running.wait()
    assert database.writer.run_here(put("a")) is None
    go.set()
    rested(database.writer)
    database.writer._unfinished = 1  # taken from the queue, not yet begun
    assert database.writer.run_here(put("a")) is None
    database.writer._unfinished = 0
    assert not stored(database, "a")


def test_it_is_refused_where_the_disk_is_slow(database: Database) -> None:
    rested(database.writer, took_s=QUICK_S * 1.01)
    assert database.writer.run_here(put("a")) is None


def test_it_is_refused_when_commits_come_thick_and_fast(database: Database) -> None:
    rested(database.writer, took_s=QUICK_S / 2)
    database.writer._ended_at = time.monotonic() + 60
    assert database.writer.run_here(put("a")) is None


def test_the_first_commit_is_the_threads_for_nobody_knows_the_disk(tmp_path: Path) -> None:
    database = create_database(tmp_path / "alice.db")
    database.close()
    again = open_database(tmp_path / "alice.db")
    again.writer._ended_at = 0.0
    assert again.writer.run_here(put("a")) is None
    again.close()


def test_it_is_refused_after_closing(database: Database) -> None:
    rested(database.writer)
    database.close()
    assert database.writer.run_here(put("a")) is None
    with pytest.raises(ClosedError):
        database.writer.submit(put("a"))


def test_the_log_is_emptied_afterwards_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "IDLE_CHECKPOINT_S", 0.01)
    database = create_database(tmp_path / "alice.db")
    one = database.writer

    def wait_until_clean() -> None:
        while one._log.dirty:
            time.sleep(0.005)

    rested(one)
    wait_until_clean()
    while one.run_here(put("a")) is None:
        one._ended_at = 0.0
    wait_until_clean()
    assert stored(database, "a")
    database.close()


def test_a_log_that_cannot_be_emptied_is_tried_again_later_and_not_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "IDLE_CHECKPOINT_S", 0.05)
    one = database.writer
    tries: list[tuple[float, float]] = []
    tidy = one._log.tidy

    def noting(connection: Connection) -> bool:
        began = time.monotonic()
        try:
            return tidy(connection)
        finally:
            tries.append((began, time.monotonic()))

    def read(tx: Tx) -> None:
        settings.get(tx, "a")
        monkeypatch.setattr(Log, "tidy", lambda _log, connection: noting(connection))
        one.call(put("a"))
        while len(tries) < 4:
            time.sleep(0.01)

    database.readers.read(read)
    apart = [later - ended for (_, ended), (later, _) in pairwise(tries)]
    assert min(apart) >= 0.05
    database.close()


def test_after_a_power_cut_nothing_is_run_any_more(tmp_path: Path) -> None:
    power = Power()
    database = create_database(tmp_path / "alice.db", connect=power.connect)
    rested(database.writer)
    power.arm()
    pending = database.writer.run_here(put("a"))
    assert pending is not None
    with pytest.raises(PowerCut):
        pending.result()
    assert database.writer.run_here(put("b")) is None
    with suppress(PowerCut):
        database.close()
