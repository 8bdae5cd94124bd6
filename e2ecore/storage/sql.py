"""The only door to ``sqlcipher3``: typed, and every foreign error mapped to one of ours.

A connection here never opens a transaction on its own; ``BEGIN``, ``SAVEPOINT`` and ``COMMIT`` are
statements that the writer sends. No message of the driver is passed on with data in it: ours name
the cause, the driver's code and nothing that a user wrote.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from sqlcipher3 import dbapi2

from e2ecore.storage.errors import (
    ClosedError,
    ConstraintError,
    CorruptDatabaseError,
    DatabaseInUseError,
    DiskError,
    DiskFullError,
    NotADatabaseError,
    ReadOnlyError,
    StatementError,
    StorageError,
)

SqlValue = int | str | bytes | None
Params = Sequence[SqlValue]
Row = tuple[SqlValue, ...]
T = TypeVar("T")
R = TypeVar("R")

CACHED_STATEMENTS: Final = 256
"""Prepared statements kept per connection: more than this package has, so none is parsed twice."""
FETCHED_ROWS: Final = 16
"""Rows fetched between two looks at how large they are."""

_BY_PRIMARY_CODE: Final[dict[int, type[StorageError]]] = {
    5: DatabaseInUseError,  # SQLITE_BUSY
    6: DatabaseInUseError,  # SQLITE_LOCKED
    8: ReadOnlyError,  # SQLITE_READONLY
    10: DiskError,  # SQLITE_IOERR
    11: CorruptDatabaseError,  # SQLITE_CORRUPT
    13: DiskFullError,  # SQLITE_FULL
    14: ReadOnlyError,  # SQLITE_CANTOPEN: the lock file beside it was made, so it is permissions
    19: ConstraintError,  # SQLITE_CONSTRAINT
    20: ConstraintError,  # SQLITE_MISMATCH: a STRICT table refused a type
    26: NotADatabaseError,  # SQLITE_NOTADB
}


def _mapped(error: Exception) -> StorageError:
    code = getattr(error, "sqlite_errorcode", None)
    if isinstance(code, int):
        kind = _BY_PRIMARY_CODE.get(code & 0xFF, StatementError)
        return kind(str(getattr(error, "sqlite_errorname", code)))
    if "closed" in str(error):
        return ClosedError()
    return StatementError(type(error).__name__)


class Connection:
    """One open file. Belongs to one thread at a time; closing it rolls back what is open."""

    __slots__ = ("_raw",)

    def __init__(self, path: Path) -> None:
        try:
            self._raw = dbapi2.connect(
                str(path),
                isolation_level=None,
                check_same_thread=False,
                cached_statements=CACHED_STATEMENTS,
            )
        except dbapi2.Error as error:
            raise _mapped(error) from None

    def set_key(self, key: bytes, salt: bytes) -> None:
        """Give the raw key. Must come before any statement that reads the file.

        Args:
            key: 32 bytes, used as they are (no key stretching).
            salt: 16 bytes: the first ones of the file.

        The driver takes the key as text only: an immutable copy stays in memory until it is
        collected.
        """
        try:
            self._raw.set_key(f"x'{key.hex()}{salt.hex()}'")
        except dbapi2.Error as error:
            raise _mapped(error) from None

    def rekey(self, key: bytes, salt: bytes) -> None:
        """Encrypt the whole file under another raw key, in one transaction of its own.

        The driver does not say whether it came to that: open the file again with either key.

        Args:
            key: 32 bytes.
            salt: 16 bytes: the first ones of the file; they stay.
        """
        try:
            self._raw.reset_key(f"x'{key.hex()}{salt.hex()}'")
        except dbapi2.Error as error:
            raise _mapped(error) from None

    def execute(self, sql: str, params: Params = ()) -> int:
        """Run one statement and return the number of rows it changed."""
        try:
            count: int = self._raw.execute(sql, params).rowcount
        except dbapi2.Error as error:
            raise _mapped(error) from None
        return count

    def insert(self, sql: str, params: Params = ()) -> int:
        """Run one INSERT and return the row id it made."""
        try:
            rowid: int = self._raw.execute(sql, params).lastrowid
        except dbapi2.Error as error:
            raise _mapped(error) from None
        return rowid

    def executemany(self, sql: str, rows: Iterable[Params]) -> None:
        """Run one statement once for each row of parameters."""
        try:
            self._raw.executemany(sql, rows)
        except dbapi2.Error as error:
            raise _mapped(error) from None

    def rows(self, make: Callable[[Row], R], sql: str, params: Params = ()) -> list[R]:
        """Return every row of a query, each passed through ``make``.

        ``make`` is the ``_make`` of a named tuple whose fields are the columns: the one place where
        the types of the schema are trusted, and STRICT tables are why they can be.
        """
        try:
            return list(map(make, self._raw.execute(sql, params)))
        except dbapi2.Error as error:
            raise _mapped(error) from None

    def rows_within(
        self,
        make: Callable[[Row], R],
        sql: str,
        params: Params,
        *,
        size: Callable[[Row], int],
        budget: int,
    ) -> tuple[list[R], bool]:
        """Return the first rows of a query, up to those that use a budget up.

        Args:
            make: As for ``rows``.
            sql: The query.
            params: Its parameters.
            size: What a row takes of the budget.
            budget: How much there is; the last rows may go beyond it by ``FETCHED_ROWS``.

        Returns:
            The rows, and whether the budget ended before them.
        """
        found: list[R] = []
        try:
            cursor = self._raw.execute(sql, params)
            while budget > 0 and (part := cursor.fetchmany(FETCHED_ROWS)):
                found += map(make, part)
                budget -= sum(map(size, part))
            cursor.close()
        except dbapi2.Error as error:
            raise _mapped(error) from None
        return found, budget <= 0

    def row(self, make: Callable[[Row], R], sql: str, params: Params = ()) -> R | None:
        """Return the first row of a query, or None."""
        try:
            found = self._raw.execute(sql, params).fetchone()
        except dbapi2.Error as error:
            raise _mapped(error) from None
        return None if found is None else make(found)

    def value(self, kind: type[T], sql: str, params: Params = ()) -> T | None:
        """Return the first column of the first row if there is one, checked to be a ``kind``."""
        try:
            found = self._raw.execute(sql, params).fetchone()
        except dbapi2.Error as error:
            raise _mapped(error) from None
        if found is None or found[0] is None:
            return None
        if not isinstance(found[0], kind):
            raise CorruptDatabaseError(f"a column holds no {kind.__name__}")
        return found[0]

    @property
    def in_transaction(self) -> bool:
        """Is a transaction open? SQLite itself ends one when the disk is full or broken."""
        return bool(self._raw.in_transaction)

    def close(self) -> None:
        """Close the file. What was not committed never happened."""
        try:
            self._raw.close()
        except dbapi2.Error as error:
            raise _mapped(error) from None


def split_script(script: str) -> list[str]:
    """Return the statements of a script, each ending at the end of a line."""
    statements: list[str] = []
    current = ""
    for line in script.splitlines(keepends=True):
        current += line
        if line.rstrip().endswith(";") and dbapi2.complete_statement(current):
            statements.append(current.strip())
            current = ""
    return statements


def select(table: str, columns: Sequence[str], rest: str = "") -> str:
    """Return a query for the columns of a row type, made once when a module is loaded."""
    return " ".join(("SELECT", ", ".join(columns), "FROM", table, rest)).rstrip()


def insert(table: str, columns: Sequence[str], *, or_replace: bool = False) -> str:
    """Return a statement that stores one row of a row type."""
    verb = "REPLACE INTO" if or_replace else "INSERT INTO"
    marks = ", ".join("?" * len(columns))
    return f"{verb} {table} ({', '.join(columns)}) VALUES ({marks})"
