"""How a person arranges their conversations: pinned to the top, muted, put away."""

from typing import Final, NamedTuple

from e2ecore.storage.messages import ORDER_BITS
from e2ecore.storage.sql import insert, select
from e2ecore.storage.tx import Tx


class ArrangementRow(NamedTuple):
    """A row of ``arrangements``; most conversations have none."""

    cid: int
    pinned_ms: int = 0
    muted_ms: int = 0
    archived: int = 0


_SELECT: Final = select("arrangements", ArrangementRow._fields)
_SAVE: Final = insert("arrangements", ArrangementRow._fields, or_replace=True)


def get(tx: Tx, cid: int) -> ArrangementRow:
    """Return how a conversation is arranged."""
    found = tx.row(ArrangementRow._make, f"{_SELECT} WHERE cid = ?", (cid,))
    return ArrangementRow(cid) if found is None else found


def save(tx: Tx, row: ArrangementRow) -> None:
    """Arrange a conversation; what is not arranged has no row."""
    if row == ArrangementRow(row.cid):
        tx.execute("DELETE FROM arrangements WHERE cid = ?", (row.cid,))
    else:
        tx.execute(_SAVE, row)
    tx.touch((row.cid << ORDER_BITS,))
