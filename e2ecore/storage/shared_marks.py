"""What all devices of this account agree is read, and is gone."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from e2ecore.storage.messages import MAX_PAGE, ORDER_BITS, MessageRow
from e2ecore.storage.sql import insert, select
from e2ecore.storage.tx import Tx


class MarkRow(NamedTuple):
    """A row of ``shared_marks``."""

    cid: int
    read_seq: int = 0
    cleared_seq: int = 0


class Unread(NamedTuple):
    """Where the unread messages begin, as a row id, and how many there are."""

    first: int | None
    amount: int


_SELECT: Final = select("shared_marks", MarkRow._fields)
_SAVE: Final = insert("shared_marks", MarkRow._fields, or_replace=True)
_MESSAGES: Final = f"{select('messages', MessageRow._fields)} WHERE id >= ? AND id < ?"
_UNREAD: Final = (
    "SELECT min(id), count(*) FROM messages WHERE id >= ? AND id < ? AND seq > ? AND state = 0"
    " AND account_id <> ? AND kind <> ?"
)


def get(tx: Tx, cid: int) -> MarkRow:
    """Return the marks of a conversation."""
    found = tx.row(MarkRow._make, f"{_SELECT} WHERE cid = ?", (cid,))
    return MarkRow(cid) if found is None else found


def save(tx: Tx, row: MarkRow) -> None:
    """Set the marks of a conversation."""
    tx.execute(_SAVE, row)


def set_back(tx: Tx, row: MarkRow, seq: int) -> MarkRow:
    """Lower the marks of a conversation whose log went back; return them.

    Args:
        tx: The transaction.
        row: The marks until now.
        seq: Number up to which this device had the log as it is now. Behind it may be messages that
            nobody has read or erased; what was there before is known by its counters.
    """
    lowered = row._replace(read_seq=min(row.read_seq, seq), cleared_seq=min(row.cleared_seq, seq))
    if lowered != row:
        save(tx, lowered)
    return lowered


def unread(tx: Tx, begin: int, read_seq: int, own_id: bytes, notice: int) -> Unread:
    """Return the unread messages from a row id to the end of its conversation.

    Args:
        tx: The transaction.
        begin: Row id.
        read_seq: Number of the relay's log up to which everything is read.
        own_id: Our account, whose messages are read.
        notice: The kind of row that nobody wrote.
    """
    end = ((begin >> ORDER_BITS) + 1) << ORDER_BITS
    found = tx.row(Unread._make, _UNREAD, (begin, end, read_seq, own_id, notice))
    return Unread(None, 0) if found is None else found


def first_seq(tx: Tx, begin: int, rows: int) -> int | None:
    """Return the lowest number of the relay's log among the first messages from a row id on.

    Args:
        tx: The transaction.
        begin: Row id.
        rows: How many messages to look at; more are in order.
    """
    end = ((begin >> ORDER_BITS) + 1) << ORDER_BITS
    return tx.value(
        int,
        "SELECT min(seq) FROM (SELECT seq FROM messages WHERE id >= ? AND id < ? AND seq > 0"
        " ORDER BY id LIMIT ?)",
        (begin, end, rows),
    )


def cleared(tx: Tx, cid: int, seq: int, after: int, notice: int) -> list[MessageRow]:
    """Return the next messages up to a number of the relay's log, with the notices among them.

    Args:
        tx: The transaction.
        cid: Conversation.
        seq: Number of the relay's log.
        after: Row id to begin behind; 0: at the beginning.
        notice: The kind of row that nobody wrote.
    """
    begin, end = max(cid << ORDER_BITS, after + 1), (cid + 1) << ORDER_BITS
    last = tx.value(
        int,
        "SELECT max(id) FROM messages WHERE id >= ? AND id < ? AND seq BETWEEN 1 AND ?",
        (begin, end, seq),
    )
    if last is None:
        return []
    return tx.rows(
        MessageRow._make,
        f"{_MESSAGES} AND (seq BETWEEN 1 AND ? OR kind = ?) ORDER BY id LIMIT ?",
        (begin, last + 1, seq, notice, MAX_PAGE),
    )


def add_names(tx: Tx, conversation: bytes, names: Iterable[tuple[bytes, bytes]]) -> None:
    """Note messages, by id and author, that are never stored again."""
    tx.executemany(
        "INSERT OR IGNORE INTO erased_names (conversation, uid, account_id) VALUES (?, ?, ?)",
        [(conversation, *one) for one in names],
    )


def is_named(tx: Tx, conversation: bytes, uid: bytes, author: bytes) -> bool:
    """Is a message one of those?"""
    found = tx.value(
        int,
        "SELECT 1 FROM erased_names WHERE conversation = ? AND uid = ? AND account_id = ?",
        (conversation, uid, author),
    )
    return found is not None


def any_name(tx: Tx) -> bool:
    """Is there any?"""
    return tx.value(int, "SELECT 1 FROM erased_names LIMIT 1") is not None
