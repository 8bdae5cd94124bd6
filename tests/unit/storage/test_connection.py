"""What the driver and the operating system say comes out as one of our errors."""

import errno
import os
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest

from e2ecore.storage import files, settings
from e2ecore.storage.database import Database
from e2ecore.storage.errors import (
    ClosedError,
    CorruptDatabaseError,
    DiskError,
    DiskFullError,
    NotADatabaseError,
    ReadOnlyError,
    StorageError,
)
from e2ecore.storage.keys import KeyFile
from e2ecore.storage.migrations import steps as migrations
from e2ecore.storage.sql import Connection, split_script
from tests.support.databases import create_database, open_database

QUERY = "SELECT name FROM sqlite_schema WHERE name <> ?"
CALLS: list[Callable[[Connection], object]] = [
    lambda connection: connection.execute(QUERY, ("",)),
    lambda connection: connection.insert(QUERY, ("",)),
    lambda connection: connection.executemany("DELETE FROM a WHERE b = ?", [("",)]),
    lambda connection: connection.rows(tuple, QUERY, ("",)),
    lambda connection: connection.row(tuple, QUERY, ("",)),
    lambda connection: connection.value(int, QUERY, ("",)),
    lambda connection: connection.set_key(bytes(32), bytes(16)),
]


@pytest.mark.parametrize("call", CALLS)
def test_a_closed_connection_says_so(tmp_path: Path, call: Callable[[Connection], object]) -> None:
    connection = Connection(tmp_path / "a.db")
    connection.close()
    with pytest.raises(ClosedError):
        call(connection)


@pytest.mark.parametrize("call", CALLS[:-1])
def test_a_wrong_key_is_noticed_by_every_kind_of_statement(
    tmp_path: Path, call: Callable[[Connection], object]
) -> None:
    (tmp_path / "a.db").write_bytes(os.urandom(8192))
    connection = Connection(tmp_path / "a.db")
    connection.execute("PRAGMA cipher_log_level = NONE")
    connection.set_key(bytes(32), bytes(16))
    with pytest.raises(NotADatabaseError):
        call(connection)
    connection.close()


def test_a_path_that_cannot_be_opened_is_a_matter_of_permissions(tmp_path: Path) -> None:
    with pytest.raises(ReadOnlyError):
        Connection(tmp_path)


def test_a_script_is_split_at_the_ends_of_its_statements() -> None:
    script = """-- one; two
CREATE TABLE a (
    x INTEGER -- a comment; with semicolons
);
CREATE TRIGGER t AFTER INSERT ON a BEGIN
    DELETE FROM a;
    SELECT ';';
END;
"""
    assert len(split_script(script)) == 2
    assert split_script(script)[1].startswith("CREATE TRIGGER")


def test_migrations_without_gaps_are_a_condition_of_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "0001_a.sql").write_text("")
    (tmp_path / "0003_b.sql").write_text("")
    monkeypatch.setattr(resources, "files", lambda _package: tmp_path)
    with pytest.raises(AssertionError):
        migrations.steps.__wrapped__()


def test_a_migration_that_fails_leaves_the_schema_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "alice.db"
    create_database(path).close()
    first = migrations.steps()
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "steps", lambda: (*first, "CREATE TABLE b (x);\nNONSENSE;\n"))
        with pytest.raises(StorageError):
            open_database(path)
    database = open_database(path)
    assert database.readers.read(lambda tx: tx.value(int, "PRAGMA user_version")) == len(first)
    database.close()


def test_the_check_also_looks_at_what_pages_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = create_database(tmp_path / "alice.db")
    database.check()
    with monkeypatch.context() as patch:
        faults = {"PRAGMA quick_check(100)": ["row 3 missing from index"]}
        patch.setattr("e2ecore.storage.tx.Tx.rows", lambda _tx, _make, sql: faults.get(sql, []))
        with pytest.raises(CorruptDatabaseError):
            database.check()
        faults["PRAGMA quick_check(100)"] = ["malformed inverted index for FTS5 table main.search"]
        database.check()  # it is made anew, and no message is affected
    database.close()


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, DiskFullError), (errno.EIO, DiskError)]
)
def test_a_creation_that_the_system_refuses_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[StorageError]
) -> None:
    def refuse(_path: Path) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(files, "sync_directory", refuse)
        with pytest.raises(kind):
            create_database(tmp_path / "alice.db")
        patch.setattr(KeyFile, "save", lambda *_: None)
        with pytest.raises(kind):
            create_database(tmp_path / "bob.db")
    create_database(tmp_path / "carol.db").close()


def test_a_reader_that_outlives_the_database_finishes(tmp_path: Path) -> None:
    database = create_database(tmp_path / "alice.db")
    database.writer.call(lambda tx: settings.put(tx, "a", b"1"))

    def read(tx: object) -> None:
        del tx
        database.close()

    database.readers.read(read)
    with pytest.raises(ClosedError):
        database.readers.read(read)


def test_what_cannot_even_be_read_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "alice.db"
    create_database(path).close()
    path.unlink()
    path.mkdir()
    with pytest.raises(DiskError):
        open_database(path)
    keys = tmp_path / "alice.db.keys"
    keys.unlink()
    keys.mkdir()
    with pytest.raises(DiskError):
        Database.open(path, "x")


def test_a_half_made_database_without_its_making_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "alice.db"
    (tmp_path / "alice.db.new").mkdir()
    with pytest.raises(DiskError):
        create_database(path)
    (tmp_path / "alice.db.new").rmdir()
    create_database(path).close()
