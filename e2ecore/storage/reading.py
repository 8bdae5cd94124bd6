"""How far others have read, and where this user lets others know the same."""

from typing import Final, NamedTuple, cast

from e2ecore.storage.messages import message_row_id
from e2ecore.storage.sql import Row, insert, select
from e2ecore.storage.tx import Tx


class ReadRow(NamedTuple):
    """A row of ``reads``."""

    cid: int
    account_id: bytes
    upto: int


class _Unread(NamedTuple):
    device_id: bytes
    counter: int


_READS: Final = select("reads", ReadRow._fields)
_SAVE: Final = insert("reads", ReadRow._fields, or_replace=True)


def readers(tx: Tx, cid: int) -> list[ReadRow]:
    """Return how far each other member has read what this device sent, as far as it is known."""
    return tx.rows(ReadRow._make, f"{_READS} WHERE cid = ? ORDER BY account_id", (cid,))


def advance(tx: Tx, row: ReadRow) -> bool:
    """Note how far somebody has read; return whether that is news."""
    known = tx.value(
        int, "SELECT upto FROM reads WHERE cid = ? AND account_id = ?", (row.cid, row.account_id)
    )
    if known is not None and known >= row.upto:
        return False
    tx.execute(_SAVE, row)
    return True


def told(tx: Tx, cid: int) -> int | None:
    """Return up to which order others were told; 0: never; None: they are not to know."""
    return tx.value(int, "SELECT told FROM reading_shared WHERE cid = ?", (cid,))


def share(tx: Tx, cid: int, *, on: bool) -> None:
    """Let others know what was read in a conversation, or not any more."""
    if on:
        tx.execute("INSERT OR IGNORE INTO reading_shared (cid, told) VALUES (?, 0)", (cid,))
    else:
        tx.execute("DELETE FROM reading_shared WHERE cid = ?", (cid,))


def share_nothing(tx: Tx) -> None:
    """Let nobody know any more what was read, in no conversation."""
    tx.execute("DELETE FROM reading_shared")


def note_told(tx: Tx, cid: int, upto: int) -> None:
    """Others are being told up to an order."""
    tx.execute("UPDATE reading_shared SET told = ? WHERE cid = ?", (upto, cid))


def untold(tx: Tx) -> list[int]:
    """Return the conversations where more was read than others were told."""
    return tx.rows(
        _cid,
        "SELECT s.cid FROM reading_shared AS s CROSS JOIN conversations AS c ON c.cid = s.cid"
        " WHERE s.told < c.read_order",
    )


def first_unread(tx: Tx, cid: int, read_order: int) -> dict[bytes, int]:
    """Return for each device that has sent unread messages the lowest counter of them."""
    rows = tx.rows(
        _Unread._make,
        "SELECT device_id, min(counter) FROM messages WHERE id >= ? AND id < ? GROUP BY device_id",
        (message_row_id(cid, read_order), message_row_id(cid + 1, 0)),
    )
    return dict(rows)


def _cid(row: Row) -> int:
    return cast("int", row[0])
