"""What was deleted is gone: every page of file and log is decrypted by hand and searched."""

from pathlib import Path

import pytest

from e2ecore.storage import key_packages, mls_rows, outbox, settings
from e2ecore.storage.database import Database
from e2ecore.storage.key_packages import KeyPackageRow
from e2ecore.storage.tx import Tx
from tests.support.databases import create_database, numbered, waiting
from tests.support.pages import plain_pages

CANARIES = [b"canary-of-a-%s-" % kind * 40 for kind in (b"ratchet", b"node", b"bundle", b"text")]


def store(tx: Tx) -> None:
    ratchet, node, bundle, text = CANARIES
    mls_rows.apply(tx, 1, {(7, 1, 1): ratchet, (4, 0, 0): node})
    key_packages.add(tx, [KeyPackageRow(numbered(1, 32), bundle, 0, 1, 0)])
    outbox.add(tx, [waiting(1, 1)._replace(content=text * 20)])


def delete(tx: Tx) -> None:
    mls_rows.apply(tx, 1, {(7, 1, 1): None, (4, 0, 0): None})
    key_packages.remove(tx, numbered(1, 32))
    outbox.remove(tx, [1])


def found(path: Path) -> set[bytes]:
    text = plain_pages(path)
    return {canary for canary in CANARIES if canary[:40] in text}


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return create_database(tmp_path / "alice.db")


def test_deleted_rows_are_in_no_page_once_the_log_was_emptied(
    database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "alice.db"
    database.writer.call(store)
    assert found(path) == set(CANARIES), "the search itself works"
    database.writer.call(lambda tx: settings.put(tx, "a", b"1"))
    assert database.writer.call_purge()
    assert found(path) == set(CANARIES)
    database.writer.call(delete)
    assert database.writer.call_purge()
    assert found(path) == set()
    database.close()


def test_deleted_rows_are_in_no_page_after_closing(database: Database, tmp_path: Path) -> None:
    database.writer.call(store)
    database.writer.call(delete)
    database.close()
    (tmp_path / "alice.db-wal").touch()
    assert found(tmp_path / "alice.db") == set()


def test_replaced_values_are_gone_like_deleted_ones(database: Database, tmp_path: Path) -> None:
    ratchet, node, *_ = CANARIES
    database.writer.call(lambda tx: mls_rows.apply(tx, 1, {(7, 1, 1): ratchet, (4, 0, 0): node}))
    assert database.writer.call_purge()
    assert found(tmp_path / "alice.db") == {ratchet, node}
    database.writer.call(lambda tx: mls_rows.apply(tx, 1, {(7, 1, 1): b"n", (4, 0, 0): b"n"}))
    assert database.writer.call_purge()
    assert found(tmp_path / "alice.db") == set()
    database.close()
