"""History. The row id clusters a conversation: ``cid << 32 | order``.

A page of a conversation is a range of row ids, so it lies on a few neighbouring pages of the file
whatever the length of the history, and needs no index at all.
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from e2ecore.storage.sql import insert as insert_sql
from e2ecore.storage.sql import select
from e2ecore.storage.tx import Tx

ORDER_BITS: Final = 32
ORDER_MASK: Final = (1 << ORDER_BITS) - 1
"""Of a row id, what places it in its conversation."""
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
        return f"<MessageRow {self.id >> ORDER_BITS}/{self.id & ORDER_MASK}>"


_SELECT: Final = select("messages", MessageRow._fields)
_INSERT: Final = insert_sql("messages", MessageRow._fields)
_FROM: Final = f"{_SELECT} WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"
_PLACE: Final = "SELECT id, sent_ms FROM messages WHERE id >= ? AND id < ? ORDER BY id LIMIT 1"
_NEWEST_ID: Final = "SELECT max(id) FROM messages WHERE id >= ? AND id < ?"
_BEFORE: Final = f"{_SELECT} WHERE id < ? AND id >= ? ORDER BY id DESC LIMIT ?"
_AFTER: Final = f"{_SELECT} WHERE id > ? AND id < ? ORDER BY id LIMIT ?"


def message_row_id(cid: int, order: int) -> int:
    """Return the row id of a place in a conversation."""
    return cid << ORDER_BITS | order


def insert(tx: Tx, rows: Sequence[MessageRow]) -> None:
    """Store messages; in ascending order of id is cheapest.

    Raises:
        ConstraintError: There is one with that id.
    """
    tx.executemany(_INSERT, rows)
    tx.touch([row.id for row in rows])


def newest(tx: Tx, cid: int, limit: int = 50) -> list[MessageRow]:
    """Return the newest messages of a conversation, the newest first."""
    return before(tx, cid, (cid + 1) << ORDER_BITS, limit)


def before(tx: Tx, cid: int, cursor: int, limit: int = 50) -> list[MessageRow]:
    """Return the messages just older than the one whose id is ``cursor``, the newest first."""
    return tx.rows(
        MessageRow._make,
        _BEFORE,
        (cursor, cid << ORDER_BITS, _bounded(limit)),
    )


def after(tx: Tx, cid: int, cursor: int, limit: int = 50) -> list[MessageRow]:
    """Return the messages just newer than the one whose id is ``cursor``, the oldest first."""
    return tx.rows(
        MessageRow._make,
        _AFTER,
        (cursor, (cid + 1) << ORDER_BITS, _bounded(limit)),
    )


def around(tx: Tx, cid: int, place: int, limit: int = 50) -> list[MessageRow]:
    """Return a page with a place in its middle, the oldest first.

    The younger half begins with the message at the place, or the one that follows it. Where one
    half is short, the page is.

    Args:
        tx: The transaction.
        cid: Conversation.
        place: Row id; there need not be a message any more.
        limit: At most so many messages.
    """
    size = _bounded(limit)
    older = before(tx, cid, place, size // 2)
    younger = tx.rows(MessageRow._make, _FROM, (place, (cid + 1) << ORDER_BITS, size - len(older)))
    return [*reversed(older), *younger]


def place_of_time(tx: Tx, cid: int, at_ms: int) -> int:
    """Return the row id where a conversation's messages reach a time, by their senders' clocks.

    The message there was sent at that time or later, and the one before it earlier. Where clocks
    disagree there are several such places, and one of them is found. Halves the conversation again
    and again, so it reads some thirty rows of any history.

    Returns:
        The end of the conversation if all messages are older.
    """
    end = (cid + 1) << ORDER_BITS
    low = cid << ORDER_BITS
    newest_id = tx.value(int, _NEWEST_ID, (low, end))
    if newest_id is None:
        return end
    found, high = end, newest_id + 1
    while low < high:
        middle = (low + high) // 2
        row = tx.row(_Place._make, _PLACE, (middle, high))
        if row is None:
            high = middle
        elif row.sent_ms >= at_ms:
            found, high = row.id, middle
        else:
            low = row.id + 1
    return found


class _Place(NamedTuple):
    id: int
    sent_ms: int


def _bounded(limit: int) -> int:
    return max(0, min(limit, MAX_PAGE))


def pick(tx: Tx, ids: Iterable[int]) -> list[MessageRow]:
    """Return those of these messages that exist, in the order asked for."""
    found = [get(tx, one) for one in ids]
    return [row for row in found if row is not None]


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


def rewrite(tx: Tx, row: MessageRow) -> None:
    """Store what a message says now: its kind, words and what is besides."""
    tx.execute(
        "UPDATE messages SET kind = ?, body = ?, ext = ? WHERE id = ?",
        (row.kind, row.body, row.ext, row.id),
    )
    tx.touch((row.id,))


def mark_accepted(tx: Tx, places: Iterable[tuple[int, int]]) -> None:
    """Note that the relay has own messages.

    Args:
        tx: The transaction.
        places: Pairs of relay sequence number and message id.
    """
    pairs = list(places)
    tx.executemany("UPDATE messages SET state = 2, seq = ? WHERE id = ?", pairs)
    tx.touch([message for _, message in pairs])


def mark_failed(tx: Tx, message: int) -> None:
    """Note that an own message will not be sent."""
    tx.execute("UPDATE messages SET state = 3 WHERE id = ?", (message,))
    tx.touch((message,))
