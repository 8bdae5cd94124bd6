"""``data_classes.toml`` knows every column, and the page made of it is current."""

import tomllib
from pathlib import Path

import pytest

from e2ecore.storage import inventory, search_index
from e2ecore.storage.inventory import WHERE, items
from e2ecore.storage.sql import Row
from e2ecore.storage.tx import Tx
from tests.support.databases import create_database
from tools.data_inventory import DOCUMENT, document

_COLUMNS = (
    "SELECT t.name || '.' || c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c"
    " WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name NOT LIKE 'search\\_%'"
    " ESCAPE '\\'"
)
_STATE = "SELECT 'search_state.' || name FROM pragma_table_info('search_state')"


def _first(row: Row) -> str:
    assert isinstance(row[0], str)
    return row[0]


@pytest.mark.clause("GB42012-6c/d")
def test_every_column_has_one_class(tmp_path: Path) -> None:
    database = create_database(tmp_path / "a.db")
    try:
        database.writer.call(search_index.create)

        def work(tx: Tx) -> list[str]:
            return tx.rows(_first, _COLUMNS) + tx.rows(_first, _STATE)

        stored = sorted(
            name
            for name in database.readers.read(work)
            if not name.startswith("search.") or name == "search.tokens"
        )
    finally:
        database.close()
    assert sorted(one.what for one in items() if one.where == WHERE) == stored, (
        "add new columns to e2ecore/storage/migrations/data_classes.toml"
    )


def test_every_word_of_the_inventory_is_used() -> None:
    source = Path(inventory.__file__).with_name("migrations") / "data_classes.toml"
    found = tomllib.loads(source.read_text())
    assert {one.data_class.name for one in items()} == set(found["classes"])
    assert {one.retention for one in items()} == set(found["retentions"].values())
    known = {"purpose", "retention", *found["classes"]}
    assert all(set(table) <= known for table in found["tables"].values())


def test_the_page_is_current() -> None:
    assert DOCUMENT.read_text() == document(), "run python -m tools.data_inventory"
