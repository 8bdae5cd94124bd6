"""``docs/storage.md`` says what the migrations do."""

import re

from e2ecore.storage.migrations.steps import steps
from tools.storage_schema import DOCUMENT, document, schema


def test_the_tables_of_the_document_are_current() -> None:
    assert DOCUMENT.read_text() == document(), "run python -m tools.storage_schema"


def test_every_table_and_column_is_in_the_document_and_strict() -> None:
    sql = "\n".join(steps())
    tables = re.findall(r"CREATE TABLE (\w+)", sql)
    assert re.findall(r"^### `(\w+)`", schema(), re.MULTILINE) == tables
    assert sql.count(") STRICT") == len(tables)
    columns = re.findall(r"^    \w+ +(?:INTEGER|TEXT|BLOB)\b.*", sql, re.MULTILINE)
    added = re.findall(r"^ALTER TABLE \w+ ADD COLUMN", sql, re.MULTILINE)
    assert len(re.findall(r"^\| `", schema(), re.MULTILINE)) == len(columns) + len(added)
    assert [column for column in columns if "NOT NULL" not in column] == []
    assert [column for column in columns if " -- " not in column] == []
