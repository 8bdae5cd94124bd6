"""What a person has begun to write in each conversation: what is shown of it."""

from typing import Final, NamedTuple

from e2ecore.storage.messages import ORDER_BITS
from e2ecore.storage.sql import insert, select
from e2ecore.storage.tx import Tx


class DraftRow(NamedTuple):
    """A row of ``drafts``."""

    cid: int
    changed_ms: int
    body: str
    reply: int
    mentions: bytes

    def __repr__(self) -> str:
        return f"<DraftRow in {self.cid}>"


_SELECT: Final = select("drafts", DraftRow._fields)
_SAVE: Final = insert("drafts", DraftRow._fields, or_replace=True)


def get(tx: Tx, cid: int) -> DraftRow | None:
    """Return what was begun in a conversation."""
    return tx.row(DraftRow._make, f"{_SELECT} WHERE cid = ?", (cid,))


def save(tx: Tx, row: DraftRow) -> None:
    """Keep what was begun, instead of what was begun before."""
    tx.execute(_SAVE, row)
    tx.touch((row.cid << ORDER_BITS,))


def remove(tx: Tx, cid: int) -> bool:
    """Delete what was begun; return whether there was something."""
    if not tx.execute("DELETE FROM drafts WHERE cid = ?", (cid,)):
        return False
    tx.touch((cid << ORDER_BITS,))
    return True
