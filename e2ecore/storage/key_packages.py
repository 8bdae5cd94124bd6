"""Private parts of the key packages that a Welcome may use."""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final, NamedTuple

from e2ecore.storage.sql import insert, select
from e2ecore.storage.tx import Tx


class KeyPackageState(IntEnum):
    """Where a key package is."""

    MADE = 1
    PUBLISHED = 2
    REPLACED = 3


class KeyPackageRow(NamedTuple):
    """A row of ``key_packages``."""

    ref: bytes
    bundle: bytes
    last_resort: int
    state: int
    expires_ms: int

    def __repr__(self) -> str:
        return f"<KeyPackageRow {self.ref.hex()}, keys hidden>"


_SELECT: Final = select("key_packages", KeyPackageRow._fields)
_INSERT: Final = insert("key_packages", KeyPackageRow._fields)


def add(tx: Tx, rows: Iterable[KeyPackageRow]) -> None:
    """Store fresh ones, before they are published."""
    tx.executemany(_INSERT, rows)


def get(tx: Tx, ref: bytes) -> KeyPackageRow | None:
    """Return the one that a Welcome names."""
    return tx.row(KeyPackageRow._make, f"{_SELECT} WHERE ref = ?", (ref,))


def in_state(tx: Tx, state: KeyPackageState) -> list[KeyPackageRow]:
    """Return all in one state."""
    return tx.rows(KeyPackageRow._make, f"{_SELECT} WHERE state = ? ORDER BY rowid", (state,))


def set_state(tx: Tx, refs: Iterable[bytes], state: KeyPackageState) -> None:
    """Note where these are now."""
    tx.executemany(
        "UPDATE key_packages SET state = ? WHERE ref = ?", [(state, ref) for ref in refs]
    )


def retire(tx: Tx, refs: Iterable[bytes], until_ms: int) -> None:
    """Note that these were replaced; forget them at a time, if they do not expire earlier."""
    tx.executemany(
        "UPDATE key_packages SET state = 3, expires_ms = min(expires_ms, ?) WHERE ref = ?",
        [(until_ms, ref) for ref in refs],
    )


def remove(tx: Tx, ref: bytes) -> None:
    """Forget a used one, keys included, in the transaction that joins the group."""
    tx.execute("DELETE FROM key_packages WHERE ref = ?", (ref,))


def remove_all(tx: Tx) -> None:
    """Forget every key package: nobody is to add this device any more."""
    tx.execute("DELETE FROM key_packages")


def remove_expired(tx: Tx, now_ms: int) -> int:
    """Forget those whose lifetime is over; returns how many."""
    return tx.execute("DELETE FROM key_packages WHERE expires_ms < ?", (now_ms,))
