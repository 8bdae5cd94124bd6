"""Full-text search as others do it: SQLCipher, the message table, and FTS5 with a tokenizer of its
own, filled and asked directly.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, cast

import sqlcipher3

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path

UNICODE61: Final = "unicode61"
"""As Signal for Android and iOS use it: words between white space and punctuation."""
TRIGRAM: Final = "trigram"
"""Every three neighbouring characters."""
TRIGRAM_CHARACTERS: Final = 3
_NEWEST: Final = (
    "SELECT m.mid, m.body FROM words CROSS JOIN messages AS m ON m.mid = words.rowid"
    " WHERE words MATCH ? ORDER BY words.rowid DESC LIMIT ?"
)
_SCAN: Final = (
    "SELECT mid, body FROM messages WHERE instr(lower(body), ?) > 0 ORDER BY mid DESC LIMIT ?"
)


class TextIndex:
    """A database with messages and one index."""

    def __init__(self, path: Path, tokenizer: str) -> None:
        """Make it at `path`."""
        self._tokenizer = tokenizer
        self._db = cast("sqlite3.Connection", sqlcipher3.connect(str(path), isolation_level=None))
        self._db.execute(f"PRAGMA key = \"x'{os.urandom(48).hex()}'\"")
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute("PRAGMA cache_size = -4096")
        self._db.execute("CREATE TABLE messages (mid INTEGER PRIMARY KEY, body TEXT NOT NULL)")
        self._db.execute(
            "CREATE VIRTUAL TABLE words USING fts5(body, content = '', contentless_delete = 1,"
            f" tokenize = '{tokenizer}')"
        )

    def pages(self) -> int:
        """Return how many pages the file uses."""
        (count,) = self._db.execute("PRAGMA page_count").fetchone()
        (free,) = self._db.execute("PRAGMA freelist_count").fetchone()
        return int(count) - int(free)

    def store(self, rows: Sequence[tuple[int, str]]) -> None:
        """Store messages without indexing them."""
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany("INSERT INTO messages VALUES (?, ?)", rows)
        self._db.execute("COMMIT")

    def index(self, rows: Sequence[tuple[int, str]]) -> None:
        """Index messages."""
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany("INSERT INTO words (rowid, body) VALUES (?, ?)", rows)
        self._db.execute("COMMIT")

    def optimize(self) -> None:
        """Put the index in its best order."""
        self._db.execute("INSERT INTO words (words) VALUES ('optimize')")

    def newest(self, text: str, limit: int) -> list[int]:
        """Return the newest hits' numbers, having read their texts."""
        if self._tokenizer == TRIGRAM and len(text) < TRIGRAM_CHARACTERS:
            return self.scan(text, limit)
        star = "*" if self._tokenizer == UNICODE61 else ""
        asked = " AND ".join(f'"{term}"{star}' for term in text.split())
        return [int(row[0]) for row in self._db.execute(_NEWEST, (asked, limit))]

    def scan(self, text: str, limit: int) -> list[int]:
        """Return the newest hits by reading every text: what is right, and what `LIKE` costs."""
        return [int(row[0]) for row in self._db.execute(_SCAN, (text, limit))]

    def delete(self, mid: int) -> None:
        """Delete a message and its index entry, as others do."""
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute("DELETE FROM words WHERE rowid = ?", (mid,))
        self._db.execute("DELETE FROM messages WHERE mid = ?", (mid,))
        self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file."""
        self._db.close()
