"""What imported exports prove of consents. It is kept to be looked at, and allows nothing."""

from typing import Final, NamedTuple

from e2ecore.storage.sql import insert, select
from e2ecore.storage.tx import Tx


class ConsentPaperRow(NamedTuple):
    """A row of ``consent_papers``."""

    account_id: bytes
    entries: int
    document: bytes
    imported_ms: int

    def __repr__(self) -> str:
        return f"<ConsentPaperRow of {self.account_id.hex()}, {self.entries} entries>"


_SELECT: Final = select("consent_papers", ConsentPaperRow._fields)
_SAVE: Final = insert("consent_papers", ConsentPaperRow._fields, or_replace=True)


def all_rows(tx: Tx) -> list[ConsentPaperRow]:
    """Return all, in the order in which they came."""
    return tx.rows(ConsentPaperRow._make, f"{_SELECT} ORDER BY imported_ms, account_id")


def keep(tx: Tx, row: ConsentPaperRow) -> bool:
    """Keep a document, unless one as new is here; return whether it was kept."""
    known = tx.value(
        int, "SELECT entries FROM consent_papers WHERE account_id = ?", (row.account_id,)
    )
    if known is not None and known >= row.entries:
        return False
    tx.execute(_SAVE, row)
    return True


def forget(tx: Tx) -> int:
    """Delete all; return how many they were."""
    return tx.execute("DELETE FROM consent_papers")
