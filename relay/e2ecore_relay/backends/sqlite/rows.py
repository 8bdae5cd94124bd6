"""Many rows in few statements.

A statement gives up the interpreter's lock once; a hundred small ones in a row fight for it a
hundred times with the thread that serves the sockets. So lists become one statement with many
parameters, of a few fixed lengths, which the connection keeps compiled.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Final

from e2ecore_relay.backends.sqlite.connection import Connection, Row, SqlValue

_LENGTHS: Final = (256, 64, 16, 4, 1)
"""Rows per statement. At most 5 statements finish what is left of any list."""


def insert(
    connection: Connection, head: str, rows: Sequence[Sequence[SqlValue]], tail: str = ""
) -> None:
    """Insert rows.

    Args:
        connection: Where to.
        head: ``INSERT INTO table (columns)``.
        rows: Values, all of one length.
        tail: What follows the values, such as ``ON CONFLICT ...``.
    """
    if not rows:
        return
    width = len(rows[0])
    for part in _parts(rows):
        sql = _values(head, len(part), width, tail)
        connection.execute(sql, tuple(chain.from_iterable(part)))


def select(
    connection: Connection, head: str, keys: Sequence[Sequence[SqlValue]], tail: str = ""
) -> list[Row]:
    """Run a query that ends in a list of key tuples, ``... IN (VALUES ...)``, in parts.

    Args:
        connection: Where from.
        head: The query up to and including ``IN``.
        keys: Key tuples, all of one length.
        tail: What follows the list.
    """
    found: list[Row] = []
    if not keys:
        return found
    width = len(keys[0])
    for part in _parts(keys):
        sql = _values(f"{head} (", len(part), width, f") {tail}")
        found.extend(connection.execute(sql, tuple(chain.from_iterable(part))).fetchall())
    return found


def singles(values: Iterable[SqlValue]) -> list[tuple[SqlValue]]:
    """Return one-element key tuples."""
    return [(value,) for value in values]


@cache
def _values(head: str, rows: int, width: int, tail: str) -> str:
    row = "(" + ",".join("?" * width) + ")"
    return f"{head} VALUES {','.join([row] * rows)} {tail}"


def _parts(rows: Sequence[Sequence[SqlValue]]) -> Iterator[Sequence[Sequence[SqlValue]]]:
    at = 0
    for length in _LENGTHS:
        while len(rows) - at >= length:
            yield rows[at : at + length]
            at += length
