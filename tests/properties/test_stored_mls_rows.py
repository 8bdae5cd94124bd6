"""Rows of groups in the database, against the rows of a group in memory."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ecore.mls.rows import MemoryRows
from e2ecore.storage import mls_rows
from e2ecore.storage.database import Database
from e2ecore.storage.tx import Tx
from tests.support.databases import create_database

KINDS = range(1, 11)
EPOCHS = st.integers(0, 2)
INDEXES = st.one_of(st.integers(0, 5), st.integers(0, (1 << 32) - 1))
KEYS = st.tuples(st.sampled_from(KINDS), EPOCHS, INDEXES)
CHANGES = st.dictionaries(KEYS, st.one_of(st.none(), st.binary(max_size=2_000)), max_size=12)


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with tempfile.TemporaryDirectory() as folder:
        database = create_database(Path(folder) / "alice.db")
        yield database
        database.close()


class Undo(Exception):  # noqa: N818 - not an error: ends a trial without a trace
    pass


@given(steps=st.lists(st.tuples(st.integers(1, 3), CHANGES), max_size=8))
def test_a_group_reads_back_what_was_last_stored_and_nothing_of_its_neighbours(
    database: Database, steps: list[tuple[int, dict[mls_rows.RowKey, bytes | None]]]
) -> None:
    groups = {gid: MemoryRows() for gid in (1, 2, 3)}

    def trial(tx: Tx) -> None:
        for gid, changes in steps:
            mls_rows.apply(tx, gid, changes)
            groups[gid].store(changes)
        for gid, memory in groups.items():
            stored = mls_rows.MlsRows(tx, gid)
            for kind in KINDS:
                for epoch in (0, 1, 2):
                    assert list(stored.scan(kind, epoch)) == memory.scan(kind, epoch)
            for key in memory.rows:
                assert stored.get(key) == memory.get(key)
        mls_rows.remove_group(tx, 2)
        assert mls_rows.MlsRows(tx, 2).scan(4, 0) == []
        assert mls_rows.MlsRows(tx, 1).scan(4, 0) == groups[1].scan(4, 0)
        assert mls_rows.MlsRows(tx, 3).scan(4, 0) == groups[3].scan(4, 0)
        raise Undo

    with pytest.raises(Undo):
        database.writer.call(trial)
