"""Messages that erase themselves: when each is due."""

from collections.abc import Iterable
from typing import NamedTuple, cast

from e2ecore.storage.messages import MAX_PAGE
from e2ecore.storage.sql import Row
from e2ecore.storage.tx import Tx


def add(tx: Tx, message: int, expires_ms: int) -> None:
    """Have a message erased at a time, or earlier if that is to be already."""
    tx.execute(
        "INSERT INTO expiries (message, expires_ms) VALUES (?, ?) ON CONFLICT (message)"
        " DO UPDATE SET expires_ms = min(expires_ms, excluded.expires_ms)",
        (message, expires_ms),
    )


class Expiry(NamedTuple):
    """A row of ``expiries``."""

    message: int
    expires_ms: int


def between(tx: Tx, first: int, last: int) -> list[Expiry]:
    """Return which messages from one row id to another erase themselves."""
    return tx.rows(
        Expiry._make,
        "SELECT message, expires_ms FROM expiries WHERE message >= ? AND message <= ?",
        (first, last),
    )


def due(tx: Tx, now_ms: int) -> list[int]:
    """Return the row ids of messages whose time is over, those that wait longest first."""
    return tx.rows(
        _message,
        "SELECT message FROM expiries WHERE expires_ms <= ? ORDER BY expires_ms LIMIT ?",
        (now_ms, MAX_PAGE),
    )


def remove(tx: Tx, messages: Iterable[int]) -> None:
    """Do not ask for these any more."""
    tx.executemany("DELETE FROM expiries WHERE message = ?", [(one,) for one in messages])


def _message(row: Row) -> int:
    return cast("int", row[0])
