"""History. The row id clusters a conversation: ``cid << 32 | order``.

A page of a conversation is a range of row ids, so it lies on a few neighbouring pages of the file
whatever the length of the history, and needs no index at all.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final, NamedTuple

from e2ecore.storage.sql import insert as insert_sql
from e2ecore.storage.sql import select
from e2ecore.storage.tx import Tx

ORDER_BITS: Final = 32
_ORDER_MASK: Final = (1 << ORDER_BITS) - 1
MAX_PAGE: Final = 1_000
"""Rows of one page: what a reader holds in memory at once."""


class MessageState(IntEnum):
    """Whose message, and how far it is."""

    RECEIVED = 0
    QUEUED = 1
    ACCEPTED = 2
    FAILED = 3


class MessageRow(NamedTuple):
    """A row of ``messages``."""

    id: int
    mid: int
    uid: bytes
    account_id: bytes
    device_id: bytes
    counter: int
    seq: int
    sent_ms: int
    stored_ms: int
    kind: int
    state: int
    body: str
    ext: bytes

    def __repr__(self) -> str:
        return f"<MessageRow {self.id >> ORDER_BITS}/{self.id & _ORDER_MASK}>"


_SELECT: Final = select("messages", MessageRow._fields)
_INSERT: Final = insert_sql("messages", MessageRow._fields)
_BEFORE: Final = f"{_SELECT} WHERE id < ? AND id >= ? ORDER BY id DESC LIMIT ?"
_AFTER: Final = f"{_SELECT} WHERE id > ? AND id < ? ORDER BY id LIMIT ?"


def message_row_id(cid: int, order: int) -> int:
    """Return the row id of a place in a conversation."""
    return cid << ORDER_BITS | order


def insert(tx: Tx, rows: Iterable[MessageRow]) -> None:
    """Store messages; in ascending order of id is cheapest.

    Raises:
        ConstraintError: There is one with that id.
    """
    tx.executemany(_INSERT, rows)


def newest(tx: Tx, cid: int, limit: int = 50) -> list[MessageRow]:
    """Return the newest messages of a conversation, the newest first."""
    return before(tx, cid, (cid + 1) << ORDER_BITS, limit)


def before(tx: Tx, cid: int, cursor: int, limit: int = 50) -> list[MessageRow]:
    """Return the messages just older than the one whose id is ``cursor``, the newest first."""
    return tx.rows(
        MessageRow._make,
        _BEFORE,
        (cursor, cid << ORDER_BITS, min(limit, MAX_PAGE)),
    )


def after(tx: Tx, cid: int, cursor: int, limit: int = 50) -> list[MessageRow]:
    """Return the messages just newer than the one whose id is ``cursor``, the oldest first."""
    return tx.rows(
        MessageRow._make,
        _AFTER,
        (cursor, (cid + 1) << ORDER_BITS, min(limit, MAX_PAGE)),
    )


def get(tx: Tx, message: int) -> MessageRow | None:
    """Return one message."""
    return tx.row(MessageRow._make, f"{_SELECT} WHERE id = ?", (message,))


def count(tx: Tx, cid: int) -> int:
    """Return how many messages a conversation has. Reads all of it: not for every message."""
    found = tx.value(
        int,
        "SELECT count(*) FROM messages WHERE id >= ? AND id < ?",
        (cid << ORDER_BITS, (cid + 1) << ORDER_BITS),
    )
    return found or 0


def mark_accepted(tx: Tx, places: Iterable[tuple[int, int]]) -> None:
    """Note that the relay has own messages.

    Args:
        tx: The transaction.
        places: Pairs of relay sequence number and message id.
    """
    tx.executemany("UPDATE messages SET state = 2, seq = ? WHERE id = ?", places)


def mark_failed(tx: Tx, message: int) -> None:
    """Note that an own message will not be sent."""
    tx.execute("UPDATE messages SET state = 3 WHERE id = ?", (message,))
