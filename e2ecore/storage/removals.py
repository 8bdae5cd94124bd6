"""Devices of this account that were removed, and what proves that the relay keeps nothing."""

from typing import Final, NamedTuple

from e2ecore.storage.sql import insert, select
from e2ecore.storage.tx import Tx


class RemovalRow(NamedTuple):
    """A row of ``removals``."""

    device_id: bytes
    reason: int
    since_ms: int
    told_late: int = 0
    server_name: str = ""
    deleted_ms: int = 0
    envelopes: int = 0
    conversations: int = 0
    key_packages: int = 0
    blobs: int = 0
    signature: bytes = b""


_SELECT: Final = select("removals", RemovalRow._fields)
_SAVE: Final = insert("removals", RemovalRow._fields, or_replace=True)


def all_rows(tx: Tx) -> list[RemovalRow]:
    """Return everything that is known of devices that were removed."""
    return tx.rows(RemovalRow._make, f"{_SELECT} ORDER BY since_ms, device_id")


def get(tx: Tx, device_id: bytes) -> RemovalRow | None:
    """Return what is known of one."""
    return tx.row(RemovalRow._make, f"{_SELECT} WHERE device_id = ?", (device_id,))


def late(tx: Tx, before_ms: int) -> list[RemovalRow]:
    """Return those that nothing proves, learned of before a time, of which nobody was told yet."""
    return tx.rows(
        RemovalRow._make,
        f"{_SELECT} WHERE signature = x'' AND told_late = 0 AND since_ms < ? ORDER BY since_ms",
        (before_ms,),
    )


def save(tx: Tx, row: RemovalRow) -> None:
    """Store or replace one."""
    tx.execute(_SAVE, row)
