"""A database that any release has written opens in this one, with everything in it."""

import re
import shutil
from pathlib import Path

import pytest

from e2ecore.storage import account, chains, messages, mls_rows, settings
from e2ecore.storage.database import Database
from e2ecore.storage.migrations.steps import steps
from e2ecore.storage.tx import Tx
from tests.stored.make import fill, golden
from tests.support.databases import create_database, numbered, open_database

SCHEMAS = range(1, len(steps()) + 1)


def opened(schema: int, folder: Path) -> Database:
    """A copy of a golden database, opened and so brought to the newest schema."""
    for suffix in ("", ".keys"):
        source = golden(schema)
        shutil.copy(source.with_name(source.name + suffix), folder / f"old.db{suffix}")
    return open_database(folder / "old.db")


def everything(tx: Tx) -> dict[str, list[tuple[object, ...]]]:
    names = tx.rows(
        lambda row: str(row[0]),
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        " AND name <> 'landmarks'",  # where tables begin, which differs
    )
    return {name: tx.rows(tuple, f'SELECT * FROM "{name}"') for name in names}  # noqa: S608


def schema_of(tx: Tx) -> list[str]:
    """Every object of the schema. Comments are left out: what numbers mean may be added to."""
    found = tx.rows(
        lambda row: " | ".join(str(one) for one in row),
        "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name",
    )
    return [re.sub(r"\s*--[^\n]*", "", one) for one in found]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_database_of_every_released_schema_opens(schema: int, tmp_path: Path) -> None:
    database = opened(schema, tmp_path)
    read = database.readers.read
    own = read(account.load)
    assert own is not None
    assert own.handle == "alice"
    assert read(chains.changed) == [own.account_id]
    assert [row.body for row in read(lambda tx: messages.newest(tx, 1, 2))] == [
        "text 119",
        "text 118",
    ]
    assert read(lambda tx: mls_rows.MlsRows(tx, 1).get((7, 1, 1))) == b"ratchet"
    assert read(lambda tx: settings.get(tx, "theme")) == b"dark"
    assert own.device_id == numbered(8)
    database.check()
    database.close()


@pytest.mark.parametrize("schema", SCHEMAS)
def test_an_old_database_becomes_the_same_as_a_new_one(schema: int, tmp_path: Path) -> None:
    """Fails when a released migration was edited: then the golden file has another schema."""
    old = opened(schema, tmp_path)
    new = create_database(tmp_path / "new.db")
    new.writer.call(fill)
    try:
        assert old.readers.read(schema_of) == new.readers.read(schema_of)
        assert old.readers.read(everything) == new.readers.read(everything)
    finally:
        old.close()
        new.close()
