import re
from functools import partial

import pytest

from e2ecore.storage import (
    attachments,
    conversations,
    history_transfers,
    members,
    messages,
    mls_rows,
    outbox,
    settings,
)
from e2ecore.storage.database import Database
from e2ecore.storage.errors import CorruptDatabaseError, ReadOnlyError, StatementError
from e2ecore.storage.tx import Tx


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(ReadOnlyError, match="may not be written"):
        database.readers.read(lambda tx: settings.put(tx, "a", b""))


def test_a_column_of_another_type_is_damage(database: Database) -> None:
    with pytest.raises(CorruptDatabaseError):
        database.readers.read(lambda tx: tx.value(bytes, "SELECT seq FROM inbox_cursor"))


def test_a_statement_that_makes_no_sense_is_our_fault(database: Database) -> None:
    with pytest.raises(StatementError, match="report"):
        database.readers.read(lambda tx: tx.execute("NONSENSE"))
    with pytest.raises(StatementError):
        database.readers.read(lambda tx: tx.value(int, "SELECT ?", (1, 2)))


def test_the_path_of_a_message_needs_no_index_but_the_tables_themselves(
    database: Database,
) -> None:
    """Every statement on it is a search by key; none sorts, none scans."""
    hot = [
        messages._BEFORE,
        messages._AFTER,
        f"{messages._SELECT} WHERE id = ?",
        "UPDATE messages SET state = 2, seq = ? WHERE id = ?",
        f"{outbox._SELECT} WHERE oid > ? ORDER BY oid LIMIT ?",
        "DELETE FROM outbox WHERE oid = ?",
        mls_rows._GET,
        mls_rows._SCAN,
        mls_rows._DELETE,
        mls_rows._GET_NODE,
        mls_rows._SCAN_NODES,
        mls_rows._DELETE_NODE,
        f"{members._SELECT} WHERE cid = ? ORDER BY device_id",
        f"{conversations._SELECT} WHERE uid = ?",
        "SELECT account_id FROM chain_accounts WHERE verification = 2",
    ]
    for sql in hot:
        plan = database.readers.read(partial(explain, sql))
        assert len(plan) == 1, plan
        assert re.match(r"SEARCH |SCAN chain_accounts USING (COVERING )?INDEX", plan[0]), plan


def test_what_files_wait_for_is_found_without_reading_every_file(database: Database) -> None:
    """Many files were sent once; few of them are under way, owed, unproven or here."""
    indexes = {
        attachments.OF_PARCEL: "attachments_by_parcel",
        attachments.OWING: "attachments_owing",
        attachments.UNPROVEN: "attachments_unproven",
        attachments.KEPT: "attachments_kept",
        attachments.KEPT_BYTES: "attachments_kept",
        attachments.SPARE: "attachments_kept",
        history_transfers.PARTS: "history_parts_of",
        history_transfers.NEXT_PART: "history_parts_of",
    }
    for sql, index in indexes.items():
        plan = database.readers.read(partial(explain, sql))
        assert len(plan) == 1, plan
        assert re.search(rf"USING (COVERING )?INDEX {index}\b", plan[0]), plan


def explain(sql: str, tx: Tx) -> list[str]:
    marks = (0,) * sql.count("?")
    return tx.rows(lambda row: str(row[3]), f"EXPLAIN QUERY PLAN {sql}", marks)
