"""Accounts whose words are not wanted here."""

from typing import Final, NamedTuple

from e2ecore.storage.sql import insert, select
from e2ecore.storage.tx import Tx


class BlockRow(NamedTuple):
    """A row of ``blocks``."""

    account_id: bytes
    since_ms: int


_SELECT: Final = select("blocks", BlockRow._fields)
_SAVE: Final = insert("blocks", BlockRow._fields, or_replace=True)


def all_rows(tx: Tx) -> list[BlockRow]:
    """Return everybody who is blocked, the first one first."""
    return tx.rows(BlockRow._make, f"{_SELECT} ORDER BY since_ms, account_id")


def since(tx: Tx, account_id: bytes) -> int | None:
    """Return since when an account is blocked; None: it is not."""
    return tx.value(int, "SELECT since_ms FROM blocks WHERE account_id = ?", (account_id,))


def add(tx: Tx, row: BlockRow) -> None:
    """Block an account."""
    tx.execute(_SAVE, row)


def remove(tx: Tx, account_id: bytes) -> None:
    """Block an account no longer."""
    tx.execute("DELETE FROM blocks WHERE account_id = ?", (account_id,))
