"""What the rows of each table look like on a page, so that pages can be told to be of it."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from e2ecore.storage.records import LEAF_INDEX, LEAF_TABLE, BrokenPageError, Cell, record
from e2ecore.storage.sql import Connection, Row, SqlValue

SEQUENCES: Final = "sqlite_sequence"
"""SQLite's table of the highest numbers that were given."""
PROGRESS: Final = "salvage_progress"
"""The table of a repair that is under way."""
LANDMARKS: Final = "landmarks"
_DERIVED: Final = frozenset(
    {"arrivals", "arrival_times", "arrival_marks", "search_state", LANDMARKS, PROGRESS}
)
"""Tables that are made anew from the others."""
_KINDS: Final[dict[str, type]] = {"INTEGER": int, "TEXT": str, "BLOB": bytes}

_FTS_KEYED: Final[dict[str, tuple[str, ...]]] = {
    "idx": ("INTEGER", "BLOB", "INTEGER"),
    "config": ("TEXT", "INTEGER"),
}
"""Columns of FTS5's own tables without row ids, by the end of their names."""

Place = tuple[SqlValue, ...]
"""The key of a row; its row id where it has one."""


class Table(NamedTuple):
    """A table or an index as its records have it."""

    name: str
    leaf: int
    """Kind of the pages at the ends of its tree."""
    columns: tuple[str, ...]
    """In the order of the record."""
    kinds: tuple[type | None, ...]
    """Of their values; None: any."""
    defaults: Row
    """Values of columns that rows written before they existed do not have."""
    alias: int = -1
    """Which column is the row id, and therefore not in the record; -1: none."""
    key_columns: int = 0
    """Without row ids: how many of the columns are the key."""
    is_table: bool = True
    """False: an index, or something that is only there to be told from tables."""

    @property
    def is_saved(self) -> bool:
        """Is it a table that is not made anew?"""
        return self.is_table and self.name not in _DERIVED

    @property
    def insert(self) -> str:
        """The statement that stores a row; a second time it changes nothing."""
        names = self.columns if self.alias >= 0 or self.key_columns else ("rowid", *self.columns)
        marks = ", ".join("?" * len(names))
        return f"REPLACE INTO {self.name} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 - names of our schema

    def row(self, cell: Cell) -> Row:
        """Return the row of a cell, as ``insert`` takes it.

        Raises:
            BrokenPageError: It is no row of this table.
        """
        values = record(cell.payload)
        missing = len(self.columns) - len(values)
        if missing:
            if missing < 0 or None in self.defaults[-missing:]:
                raise BrokenPageError
            values += self.defaults[-missing:]
        for value, kind in zip(values, self.kinds, strict=True):
            if kind is not None and type(value) is not kind:
                raise BrokenPageError
        if self.key_columns:
            return values
        if self.alias < 0:
            return (cell.rowid, *values)
        return (*values[: self.alias], cell.rowid, *values[self.alias + 1 :])

    def place(self, cell: Cell) -> Place:
        """Return the key of a cell.

        Raises:
            BrokenPageError: It has none that could be of this table.
        """
        return self.row(cell)[: self.key_columns] if self.key_columns else (cell.rowid,)


class _Column(NamedTuple):
    name: str
    type: str
    default: str | None
    pk: int


def tables_of(connection: Connection) -> list[Table]:
    """Return the tables of a database, SQLite's own included, and its indexes."""
    names = connection.rows(
        lambda row: (str(row[0]), bool(row[1])),
        "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
        " AND name <> 'sqlite_schema' ORDER BY name",
    )
    tables = [_table(connection, name, is_keyed=is_keyed) for name, is_keyed in names]
    indexes = connection.rows(
        lambda row: str(row[0]),
        "SELECT i.name FROM sqlite_schema AS t JOIN pragma_index_list(t.name) AS i"
        " JOIN sqlite_schema AS s ON s.name = i.name WHERE t.type = 'table' ORDER BY i.name",
    )
    return tables + [_index(connection, name) for name in indexes]


def _table(connection: Connection, name: str, *, is_keyed: bool) -> Table:
    columns = connection.rows(
        _Column._make, "SELECT name, type, dflt_value, pk FROM pragma_table_info(?)", (name,)
    )
    keys = sorted((one for one in columns if one.pk), key=lambda one: one.pk)
    if is_keyed:
        columns = keys + [one for one in columns if not one.pk]
        return _made(connection, name, LEAF_INDEX, columns)._replace(key_columns=len(keys))
    made = _made(connection, name, LEAF_TABLE, columns)
    if name == SEQUENCES:  # SQLite declares no types for it
        return made._replace(kinds=(str, int))
    if len(keys) != 1 or keys[0].type != "INTEGER":
        return made
    alias = columns.index(keys[0])
    kinds = tuple(type(None) if at == alias else kind for at, kind in enumerate(made.kinds))
    return made._replace(alias=alias, kinds=kinds)


def _made(connection: Connection, name: str, leaf: int, columns: Sequence[_Column]) -> Table:
    return Table(
        name,
        leaf,
        tuple(one.name for one in columns),
        tuple(_KINDS.get(one.type) for one in columns),
        tuple(_default(connection, one.default) for one in columns),
    )


def _default(connection: Connection, text: str | None) -> SqlValue:
    if text is None:
        return None
    found = connection.row(lambda row: row[0], f"SELECT {text}")
    return found if isinstance(found, int | str | bytes) else None


def _index(connection: Connection, name: str) -> Table:
    kinds = connection.rows(
        lambda row: "INTEGER" if row[0] is None else str(row[0]),
        "SELECT t.type FROM pragma_index_xinfo(?) AS x LEFT JOIN pragma_table_info("
        "(SELECT tbl_name FROM sqlite_schema WHERE name = ?)) AS t ON t.cid = x.cid"
        " ORDER BY x.seqno",
        (name, name),
    )
    return _other(name, LEAF_INDEX, kinds)


def others(names: Iterable[str]) -> list[Table]:
    """Return what is known of tables that are not in the schema: those of the search index."""
    return [
        _other(name, LEAF_INDEX, _FTS_KEYED[end])
        if (end := name.rpartition("_")[2]) in _FTS_KEYED
        else _other(name, LEAF_TABLE, ("INTEGER", "BLOB"))
        for name in names
    ]


def _other(name: str, leaf: int, kinds: Sequence[str]) -> Table:
    found = tuple(_KINDS.get(kind) for kind in kinds)
    nothing = (None,) * len(found)
    if leaf == LEAF_INDEX:
        return Table(
            name, leaf, tuple(kinds), found, nothing, key_columns=len(found), is_table=False
        )
    return Table(name, leaf, tuple(kinds), (type(None), *found[1:]), nothing, 0, is_table=False)
