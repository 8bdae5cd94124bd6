"""Shares in slots: rows that are laid out ahead and only ever overwritten where they are.

A deleted row's bytes stay in the page until something else needs the space, and a row that moves
leaves a copy where it was. Neither happens to a row that keeps its length: SQLite writes the new
content over the old. Slots are added at the right end of the table while they are zero, so that
what moves when a page is split is nothing but zeros. What older versions of the page the
write-ahead log holds is dealt with by ``SqliteStore.scrub``.
"""

from collections.abc import Sequence
from typing import Final, cast

from e2ecore_protocol.limits import BLOB_SHARE_BYTES
from e2ecore_relay.backends.sqlite.connection import Connection
from e2ecore_relay.backends.sqlite.rows import insert

_ZEROS: Final = bytes(BLOB_SHARE_BYTES)
_LAID_OUT: Final = 256
"""Slots added at once: about three pages."""


def take(connection: Connection, share: bytes) -> int:
    """Write a share into a free slot. Return the slot."""
    row = connection.execute("SELECT slot FROM blob_free_slots LIMIT 1").fetchone()
    if row is None:
        _lay_out(connection)
        return take(connection, share)
    slot = cast("int", row[0])
    connection.execute("DELETE FROM blob_free_slots WHERE slot = ?", (slot,))
    connection.execute("UPDATE blob_shares SET share = ? WHERE slot = ?", (share, slot))
    return slot


def _lay_out(connection: Connection) -> None:
    row = connection.execute("SELECT coalesce(max(slot), 0) FROM blob_shares").fetchone()
    first = cast("int", row[0]) + 1 if row else 1
    slots = range(first, first + _LAID_OUT)
    insert(connection, "INSERT INTO blob_shares (slot, share)", [(slot, _ZEROS) for slot in slots])
    insert(connection, "INSERT INTO blob_free_slots (slot)", [(slot,) for slot in slots])


def destroy(connection: Connection, blobs: Sequence[int]) -> None:
    """Overwrite the shares of blobs, in place."""
    connection.executemany(
        "UPDATE blob_shares SET share = ? WHERE slot = (SELECT slot FROM blobs WHERE blob = ?)",
        [(_ZEROS, blob) for blob in blobs],
    )


def destroy_all_of(connection: Connection, account: int) -> None:
    """Overwrite the shares of all blobs of an account, in place."""
    connection.execute(
        "UPDATE blob_shares SET share = ?"
        " WHERE slot IN (SELECT slot FROM blobs WHERE account = ? AND stage < 2)",
        (_ZEROS, account),
    )
