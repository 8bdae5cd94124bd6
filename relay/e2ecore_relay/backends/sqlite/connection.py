"""The one door to SQLCipher: open with a raw key, set the recipe, map foreign errors.

Order matters: key first, then the cipher version, then a first read (a wrong key shows here), then
the journal. The key must be given on every connection.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Protocol, TypeAlias, cast

import sqlcipher3.dbapi2

SqlValue: TypeAlias = int | str | bytes | None
"""What a column holds."""

Row: TypeAlias = tuple[SqlValue, ...]
"""One row of a result."""

APPLICATION_ID: Final = 0x65326552
"""Marks the file as a relay's database: "e2eR"."""

KEY_BYTES: Final = 32
"""A raw SQLCipher key: no key derivation, 0.2 ms instead of 80 ms to open."""


BUSY_TIMEOUT_MS: Final = 5_000
"""How long a connection waits for another one's lock."""


_SCRUB_TIMEOUT_MS: Final = 100
"""How long the writer waits for readers when it cuts the write-ahead log off."""


class StoreError(Exception):
    """The relay's storage cannot be used. The text says why, and what to do."""


class WrongKeyError(StoreError):
    """The key file does not belong to the database, or the file is not a database at all."""


class ForeignDatabaseError(StoreError):
    """The file is a database of something else, or of a newer relay."""


class StoreFullError(StoreError):
    """The disk is full. Nothing was changed. Free space; the relay goes on by itself."""


class DamagedStoreError(StoreError):
    """The database contradicts itself. Stop, and restore a copy."""


class Cursor(Protocol):
    """The part of a cursor that is used."""

    @property
    def rowcount(self) -> int:
        """Rows changed."""
        ...

    @property
    def lastrowid(self) -> int:
        """Rowid of the last insert."""
        ...

    def fetchall(self) -> list[Row]:
        """Return all rows."""
        ...

    def fetchone(self) -> Row | None:
        """Return the next row."""
        ...


class _Raw(Protocol):
    def execute(self, sql: str, parameters: Sequence[SqlValue] = ()) -> Cursor: ...
    def executemany(self, sql: str, parameters: Iterable[Sequence[SqlValue]]) -> Cursor: ...
    def executescript(self, sql: str) -> Cursor: ...
    def close(self) -> None: ...


class Connection:
    """A typed connection. Errors of SQLite become ``StoreError``."""

    def __init__(self, raw: _Raw) -> None:
        """Wrap an open connection."""
        self._raw = raw

    def execute(self, sql: str, parameters: Sequence[SqlValue] = ()) -> Cursor:
        """Run one statement."""
        try:
            return self._raw.execute(sql, parameters)
        except sqlcipher3.dbapi2.Error as error:
            raise _mapped(error) from error

    def executemany(self, sql: str, parameters: Iterable[Sequence[SqlValue]]) -> None:
        """Run one statement for many parameters."""
        try:
            self._raw.executemany(sql, parameters)
        except sqlcipher3.dbapi2.Error as error:
            raise _mapped(error) from error

    def script(self, sql: str) -> None:
        """Run several statements."""
        try:
            self._raw.executescript(sql)
        except sqlcipher3.dbapi2.Error as error:
            raise _mapped(error) from error

    def close(self) -> None:
        """Close. Twice is harmless."""
        self._raw.close()


def open_connection(path: Path, key: bytes, *, readonly: bool, cache_kib: int = 0) -> Connection:
    """Open the database file; make it if it is missing and not ``readonly``.

    Args:
        path: The file.
        key: 32 bytes.
        readonly: For pages: refuses to write.
        cache_kib: How many KiB of pages it keeps; 0: what is good for the common work.

    Raises:
        WrongKeyError: The key does not fit.
        StoreError: Anything else that SQLite says.
    """
    try:
        raw = sqlcipher3.dbapi2.connect(
            str(path), isolation_level=None, check_same_thread=False, cached_statements=256
        )
    except sqlcipher3.dbapi2.Error as error:
        raise _mapped(error) from error
    connection = Connection(cast("_Raw", raw))
    connection.execute("PRAGMA cipher_log_level = NONE")
    connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
    connection.execute("PRAGMA cipher_compatibility = 4")
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    for pragma in _READER if readonly else _WRITER:
        connection.execute(f"PRAGMA {pragma}")
    if cache_kib:
        connection.execute(f"PRAGMA cache_size = -{cache_kib}")
    return connection


_COMMON: Final = (
    "foreign_keys = ON",
    "trusted_schema = OFF",
    "cell_size_check = ON",
    f"busy_timeout = {BUSY_TIMEOUT_MS}",
    "mmap_size = 0",
)
_WRITER: Final = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "secure_delete = FAST",
    *_COMMON,
    "cache_size = -64000",
    "wal_autocheckpoint = 4000",
    "journal_size_limit = 67108864",
)
_READER: Final = (*_COMMON, "cache_size = -8000", "query_only = 1")


def checkpoint(connection: Connection) -> None:
    """Copy what can be copied of the write-ahead log into the file, and hold nobody up."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    connection.execute("PRAGMA shrink_memory")


def scrub(connection: Connection) -> bool:
    """Copy the write-ahead log, which holds older versions of pages, into the file; cut it off.

    Returns:
        False if a reader was in the way for longer than ``_SCRUB_TIMEOUT_MS``.
    """
    connection.execute(f"PRAGMA busy_timeout = {_SCRUB_TIMEOUT_MS}")
    try:
        row = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    return row is not None and row[0] == 0


def _mapped(error: Exception) -> Exception:
    name = str(getattr(error, "sqlite_errorname", ""))
    text = str(error)
    if "SQLITE_NOTADB" in name or "not a database" in text:
        return WrongKeyError("the key file does not open the database, or it is not a database")
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")) or "disk is full" in text:
        return StoreFullError(f"the disk refuses to write: {text}")
    if name.startswith("SQLITE_CORRUPT") or "malformed" in text:
        return DamagedStoreError("the database is damaged; restore a copy")
    return StoreError(text)
