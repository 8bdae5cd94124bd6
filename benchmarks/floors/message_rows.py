"""The cost of storing received messages with SQLCipher alone: the same statements on the same
schema, nothing else.
"""

from __future__ import annotations

import os
from importlib import resources
from typing import TYPE_CHECKING, Final, cast

import sqlcipher3

from e2ecore.storage import migrations

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path

    from e2ecore.storage.messages import MessageRow

INSERT: Final = "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
RATCHET: Final = "INSERT OR REPLACE INTO mls_rows VALUES (1, 1, 1, 1, ?)"
CONVERSATION: Final = (
    "INSERT INTO conversations VALUES (1, x'00', 2, '', 2, x'', 0, 0, 0, 0, 0, 0, 0, x'', 0, 0)"
)
CURSOR: Final = "UPDATE conversations SET cursor = ? WHERE cid = 1"
PRAGMAS: Final = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "secure_delete = ON",
    "cache_size = -4096",
)
"""As our writer sets them, as far as they change the price of a write."""


class MessageRowsFloor:
    """A database of our schema, written to directly."""

    def __init__(self, path: Path) -> None:
        """Make it at `path`."""
        self._db = cast("sqlite3.Connection", sqlcipher3.connect(str(path), isolation_level=None))
        self._db.execute(f"PRAGMA key = \"x'{os.urandom(48).hex()}'\"")
        for pragma in PRAGMAS:
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript((resources.files(migrations) / "0001_initial.sql").read_text())
        self._db.execute(CONVERSATION)

    def store(self, batch: Sequence[MessageRow], ratchet: bytes) -> None:
        """Store messages, the ratchet's new state and the cursor; durable when it returns."""
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany(INSERT, batch)
        self._db.execute(RATCHET, (ratchet,))
        self._db.execute(CURSOR, (batch[-1].seq,))
        self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._db.close()
