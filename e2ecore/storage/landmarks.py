"""Where the trees of a database begin, kept three times outside of SQLite's own schema.

SQLite knows the first page of each table from ``sqlite_schema`` alone: where a page of that is
damaged, the tables on it are whole and cannot be found. So ``landmarks`` has the same list in three
rows, each too long to share a page with another; a repair looks for them on every page.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from e2ecore.storage.errors import CorruptDatabaseError
from e2ecore.storage.sql import Connection, Row

COPIES: Final = 3
MAGIC: Final = b"e2ecore landmarks 1\n"
_ROW_BYTES: Final = 2_400
"""Of a row at least: more than half a page."""
_MAX_BYTES: Final = 1 << 16
_LINE: Final = re.compile(rb"([0-9]{1,10}) ([A-Za-z0-9_]{1,100})")


class Landmarks(NamedTuple):
    """What a copy says."""

    schema: int
    """Number of the last migration."""
    roots: Mapping[str, int]
    """First pages of tables and indexes, by name."""


def keep(connection: Connection) -> None:
    """Have the copies say what the schema says; in a transaction of its own, if they do not.

    Copies that cannot be read stay: they are no reason not to open what can be.
    """
    roots = dict(
        connection.rows(_root, "SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0")
    )
    copy = encode(Landmarks(connection.value(int, "PRAGMA user_version") or 0, roots))
    try:
        if connection.rows(lambda row: row[0], "SELECT copy FROM landmarks") == [copy] * COPIES:
            return
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM landmarks")
        for number in range(COPIES):
            connection.execute("INSERT INTO landmarks VALUES (?, ?)", (number, copy))
        connection.execute("COMMIT")
    except CorruptDatabaseError:
        return  # the caller closes the connection, which undoes what was begun


def encode(marks: Landmarks) -> bytes:
    """Return one copy."""
    lines = [f"{page} {name}".encode() for name, page in sorted(marks.roots.items())]
    text = MAGIC + b"\n".join([b"%d schema" % marks.schema, *lines, b""])
    return text.ljust(_ROW_BYTES, b"\n")


def decode(copy: bytes) -> Landmarks | None:
    """Read what ``encode`` wrote; None if it is something else."""
    if not copy.startswith(MAGIC) or len(copy) > _MAX_BYTES:
        return None
    lines = copy[len(MAGIC) :].rstrip(b"\n").split(b"\n")
    found = [_LINE.fullmatch(line) for line in lines]
    pairs = [(int(one[1]), one[2].decode()) for one in found if one]
    if len(pairs) != len(lines) or pairs[0][1] != "schema":
        return None
    return Landmarks(pairs[0][0], {name: page for page, name in pairs[1:]})


def _root(row: Row) -> tuple[str, int]:
    return str(row[0]), int(str(row[1]))
