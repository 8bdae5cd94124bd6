import os
import time
from pathlib import Path

import pytest

from e2ecore.storage import log, settings, writer
from e2ecore.storage.database import Database
from e2ecore.storage.log import LAID_OUT_BYTES, Log, checkpoint
from tests.support.databases import create_database, open_database


def put(database: Database, name: str, size: int = 10_000) -> None:
    database.writer.call(lambda tx: settings.put(tx, name, bytes(size)))


def log_of(tmp_path: Path) -> Path:
    return tmp_path / "alice.db-wal"


def is_empty(path: Path) -> bool:
    return path.read_bytes().count(0) == path.stat().st_size


def wait_until_empty(path: Path) -> bool:
    patience = 3_000
    while not is_empty(path) and patience:
        time.sleep(0.01)
        patience -= 1
    return patience > 0


def test_the_log_is_emptied_when_nothing_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "IDLE_CHECKPOINT_S", 0.01)
    database = create_database(tmp_path / "alice.db")
    put(database, "a")
    assert wait_until_empty(log_of(tmp_path))
    put(database, "b")
    assert wait_until_empty(log_of(tmp_path))
    database.close()


def test_a_log_that_was_laid_out_is_used_and_survives_a_crash(tmp_path: Path) -> None:
    database = create_database(tmp_path / "alice.db")
    put(database, "a")
    assert log_of(tmp_path).stat().st_size == LAID_OUT_BYTES
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for name in ("alice.db", "alice.db-wal", "alice.db.keys"):
        (crashed / name).write_bytes((tmp_path / name).read_bytes())
    database.close()
    database = open_database(crashed / "alice.db")
    assert database.readers.read(lambda tx: settings.get(tx, "a")) == bytes(10_000)
    database.check()
    database.close()


def test_a_crash_with_a_log_of_zeros_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "alice.db"
    database = create_database(path)
    put(database, "a")
    database.close()
    (tmp_path / "alice.db-wal").write_bytes(bytes(LAID_OUT_BYTES))
    database = open_database(path)
    assert database.readers.read(lambda tx: settings.get(tx, "a")) == bytes(10_000)
    database.close()


def test_the_log_begins_again_at_its_limit_while_jobs_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "MAX_LOG_FRAMES", 100)
    database = create_database(tmp_path / "alice.db")
    sizes = []
    for number in range(150):
        put(database, str(number), 20_000)
        sizes.append(log_of(tmp_path).stat().st_size)
    database.close()
    assert max(sizes) <= 2 * LAID_OUT_BYTES + 100 * 4120


def test_the_log_is_laid_out_ahead_of_what_is_written(tmp_path: Path) -> None:
    database = create_database(tmp_path / "alice.db")
    size = 0
    grown = 0
    for number in range(200):
        put(database, str(number), 5_000)
        grown += log_of(tmp_path).stat().st_size > size
        size = log_of(tmp_path).stat().st_size
    frames = checkpoint(database.writer._connection, "NOOP").frames
    database.close()
    assert size > frames * 4096
    assert grown < 40


@pytest.mark.parametrize("flush", [True, False])
def test_without_room_the_log_grows_as_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, flush: bool
) -> None:
    def full(*_: object) -> None:
        raise OSError

    path = tmp_path / "alice.db"
    Log(path)._lay_out(100, flush=flush)
    assert not log_of(tmp_path).exists()
    log_of(tmp_path).write_bytes(b"frames")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync" if flush else "pwrite", full)
        Log(path)._lay_out(100, flush=flush)
    assert log_of(tmp_path).read_bytes() == b"frames"


def test_counting_changes_nothing(tmp_path: Path) -> None:
    database = create_database(tmp_path / "alice.db")
    put(database, "a")
    first = checkpoint(database.writer._connection, "NOOP")
    assert first == checkpoint(database.writer._connection, "NOOP")
    assert first.frames > 0
    assert first.copied == 0
    database.close()
