"""Account chains as checked by this device, and what we know of each account."""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final, NamedTuple

from e2ecore.storage.sql import insert, select
from e2ecore.storage.tx import Tx


class Verification(IntEnum):
    """What two people compared."""

    UNVERIFIED = 0
    VERIFIED = 1
    CHANGED = 2


class ChainEntryRow(NamedTuple):
    """A row of ``chain_entries``."""

    account_id: bytes
    seq: int
    hash: bytes
    entry: bytes


class _Id(NamedTuple):
    account_id: bytes


class ChainAccountRow(NamedTuple):
    """A row of ``chain_accounts``."""

    account_id: bytes
    handle: str
    display_name: str
    head_seq: int
    head_hash: bytes
    verification: int
    verified: bytes
    contact: int
    checked_ms: int
    name: str = ""
    forgotten: int = 0

    @property
    def is_contact(self) -> bool:
        """Does it belong to the contacts?"""
        return bool(self.contact) and not self.forgotten


_SELECT: Final = select("chain_accounts", ChainAccountRow._fields)
_SAVE: Final = insert("chain_accounts", ChainAccountRow._fields, or_replace=True)
_APPEND: Final = insert("chain_entries", ChainEntryRow._fields)
_ENTRIES: Final = select("chain_entries", ChainEntryRow._fields)


def append(tx: Tx, entries: Iterable[ChainEntryRow]) -> None:
    """Store checked entries.

    Raises:
        ConstraintError: There is an entry at that place already: chains only grow.
    """
    tx.executemany(_APPEND, entries)


def entries(tx: Tx, account_id: bytes, from_seq: int = 0) -> list[ChainEntryRow]:
    """Return the entries of one chain from ``from_seq`` on, in order."""
    return tx.rows(
        ChainEntryRow._make,
        f"{_ENTRIES} WHERE account_id = ? AND seq >= ? ORDER BY seq",
        (account_id, from_seq),
    )


def save_account(tx: Tx, row: ChainAccountRow) -> None:
    """Store what we know of an account."""
    tx.execute(_SAVE, row)


def account(tx: Tx, account_id: bytes) -> ChainAccountRow | None:
    """Return one account."""
    return tx.row(
        ChainAccountRow._make,
        f"{_SELECT} WHERE account_id = ?",
        (account_id,),
    )


def accounts(tx: Tx) -> list[ChainAccountRow]:
    """Return every account we know, by id."""
    return tx.rows(ChainAccountRow._make, f"{_SELECT} ORDER BY account_id")


def contacts(tx: Tx) -> list[ChainAccountRow]:
    """Return the accounts that are contacts, by handle."""
    return tx.rows(
        ChainAccountRow._make,
        f"{_SELECT} WHERE contact = 1 AND forgotten = 0 ORDER BY handle, account_id",
    )


def changed(tx: Tx) -> list[bytes]:
    """Return the accounts that were verified and have changed since. Cheap: before each message."""
    found = tx.rows(_Id._make, "SELECT account_id FROM chain_accounts WHERE verification = 2")
    return [row.account_id for row in found]
