"""Pinned messages: what counts of all that was said of each."""

from typing import Final, NamedTuple

from e2ecore.storage.messages import ORDER_BITS
from e2ecore.storage.sql import insert, select
from e2ecore.storage.tx import Tx


class PinRow(NamedTuple):
    """A row of ``pins``."""

    message: int
    account_id: bytes
    device_id: bytes
    changed_ms: int
    state: int


_SELECT: Final = select("pins", PinRow._fields)
_SAVE: Final = insert("pins", PinRow._fields, or_replace=True)


def get(tx: Tx, message: int) -> PinRow | None:
    """Return what counts for a message, also if it is not pinned any more."""
    return tx.row(PinRow._make, f"{_SELECT} WHERE message = ?", (message,))


def between(tx: Tx, first: int, last: int) -> list[PinRow]:
    """Return what counts for the messages from one row id to another, by message."""
    sql = f"{_SELECT} WHERE message >= ? AND message <= ? ORDER BY message"
    return tx.rows(PinRow._make, sql, (first, last))


def save(tx: Tx, row: PinRow) -> None:
    """Store what counts for a message."""
    tx.execute(_SAVE, row)
    tx.touch((row.message, row.message >> ORDER_BITS << ORDER_BITS))


def pinned(tx: Tx, cid: int, limit: int) -> list[PinRow]:
    """Return the messages of a conversation that are pinned, those pinned last first."""
    return tx.rows(
        PinRow._make,
        f"{_SELECT} WHERE message >= ? AND message < ? AND state = 1"
        " ORDER BY changed_ms DESC, device_id DESC, message DESC LIMIT ?",
        (cid << ORDER_BITS, (cid + 1) << ORDER_BITS, limit),
    )
