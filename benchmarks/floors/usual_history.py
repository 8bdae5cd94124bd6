"""A history as it is usually kept: rows in the order of arrival, an index on conversation and time.

The same columns, the same values, through the same binding; encrypted by SQLCipher, or not at all.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, cast

import sqlcipher3

from e2ecore.storage.messages import ORDER_BITS, MessageRow

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path

_COLUMNS: Final = ", ".join(MessageRow._fields[1:])
_MARKS: Final = ", ".join("?" * (len(MessageRow._fields) + 1))
_SCHEMA: Final = f"""
    CREATE TABLE messages (
        mid INTEGER NOT NULL PRIMARY KEY, id INTEGER NOT NULL, conversation INTEGER NOT NULL,
        {", ".join(f"{name} NOT NULL" for name in MessageRow._fields[2:])}
    );
    CREATE INDEX by_time ON messages (conversation, sent_ms);
    CREATE UNIQUE INDEX by_uid ON messages (uid);
"""
_INSERT: Final = f"INSERT INTO messages VALUES ({_MARKS})"  # noqa: S608
_NEWEST: Final = (
    f"SELECT id, {_COLUMNS} FROM messages WHERE conversation = ? ORDER BY sent_ms DESC LIMIT ?"  # noqa: S608
)


class UsualHistory:
    """A database with the schema of most messengers."""

    def __init__(self, path: Path, *, encrypted: bool, cache_kib: int) -> None:
        """Make it at `path`, with as much cache as ours has."""
        self._db = cast("sqlite3.Connection", sqlcipher3.connect(str(path), isolation_level=None))
        if encrypted:
            self._db.execute(f"PRAGMA key = \"x'{os.urandom(48).hex()}'\"")
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute(f"PRAGMA cache_size = {-cache_kib}")
        self._db.executescript(_SCHEMA)

    def store(self, rows: Sequence[MessageRow]) -> None:
        """Store messages in the order of their arrival; durable when it returns."""
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany(_INSERT, [(r[1], r[0], r[0] >> ORDER_BITS, *r[2:]) for r in rows])
        self._db.execute("COMMIT")

    def newest(self, cid: int, limit: int) -> list[MessageRow]:
        """Return the newest messages of a conversation, the newest first."""
        return list(map(MessageRow._make, self._db.execute(_NEWEST, (cid, limit))))

    def close(self) -> None:
        """Close the file."""
        self._db.close()
