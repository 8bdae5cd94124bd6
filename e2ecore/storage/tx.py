"""A transaction as the table modules see it."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from e2ecore.storage.sql import Connection, Params, Row

T = TypeVar("T")
R = TypeVar("R")


class Tx:
    """Statements that are committed together or never happened.

    Table functions take one as first argument. One made by the writer may change rows; one made by
    the readers sees a single snapshot and is refused when it writes.
    """

    __slots__ = ("_connection", "hooks", "left_files", "touched")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.hooks: list[Callable[[], None]] = []
        """What ``on_rollback`` was given, in order."""
        self.touched: list[int] = []
        """What ``touch`` was given, in order."""
        self.left_files = False
        """Was a row deleted whose local file is to be removed?"""

    def execute(self, sql: str, params: Params = ()) -> int:
        """Run one statement and return the number of rows it changed."""
        return self._connection.execute(sql, params)

    def insert(self, sql: str, params: Params = ()) -> int:
        """Run one INSERT and return the row id it made."""
        return self._connection.insert(sql, params)

    def executemany(self, sql: str, rows: Iterable[Params]) -> None:
        """Run one statement once for each row of parameters."""
        self._connection.executemany(sql, rows)

    def rows(self, make: Callable[[Row], R], sql: str, params: Params = ()) -> list[R]:
        """Return every row of a query, each passed through ``make``."""
        return self._connection.rows(make, sql, params)

    def rows_within(
        self,
        make: Callable[[Row], R],
        sql: str,
        params: Params,
        *,
        size: Callable[[Row], int],
        budget: int,
    ) -> tuple[list[R], bool]:
        """Return the first rows of a query, up to those that use a budget up, and if it did."""
        return self._connection.rows_within(make, sql, params, size=size, budget=budget)

    def row(self, make: Callable[[Row], R], sql: str, params: Params = ()) -> R | None:
        """Return the first row of a query, or None."""
        return self._connection.row(make, sql, params)

    def value(self, kind: type[T], sql: str, params: Params = ()) -> T | None:
        """Return the first column of the first row, or None."""
        return self._connection.value(kind, sql, params)

    def touch(self, ids: Iterable[int]) -> None:
        """Note which rows of the history are new, changed or gone, for those who show them.

        Args:
            ids: Row ids of messages; ``cid << 32`` stands for the conversation itself.
        """
        self.touched.extend(ids)

    def on_rollback(self, undo: Callable[[], None]) -> None:
        """Have ``undo`` called if what this transaction wrote does not become durable.

        For caches that mirror rows: register before the cache is touched. It runs in the writer's
        thread, must not raise and must not touch the database.
        """
        self.hooks.append(undo)
