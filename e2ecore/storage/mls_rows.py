"""MLS state as small rows. ``MlsRows`` has the shape that ``e2ecore.mls`` reads groups through."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from e2ecore.storage.tx import Tx

RowKey = tuple[int, int, int]
"""(kind, epoch, index), as ``e2ecore.mls.rows`` names rows."""

_PUT: Final = "REPLACE INTO mls_rows (gid, kind, epoch, idx, value) VALUES (?, ?, ?, ?, ?)"
_DELETE: Final = "DELETE FROM mls_rows WHERE gid = ? AND kind = ? AND epoch = ? AND idx = ?"
_GET: Final = "SELECT value FROM mls_rows WHERE gid = ? AND kind = ? AND epoch = ? AND idx = ?"
_SCAN: Final = (
    "SELECT kind, epoch, idx, value FROM mls_rows WHERE gid = ? AND kind = ? AND epoch = ?"
    " ORDER BY idx"
)


class _Found(NamedTuple):
    kind: int
    epoch: int
    idx: int
    value: bytes


class MlsRows:
    """The rows of one group as one transaction sees them. Give it a new ``tx`` for the next one."""

    __slots__ = ("gid", "tx")

    def __init__(self, tx: Tx, gid: int) -> None:
        self.tx = tx
        self.gid = gid

    def get(self, key: RowKey, /) -> bytes | None:
        """Return one row's value, or None if there is no such row."""
        return self.tx.value(bytes, _GET, (self.gid, *key))

    def scan(self, kind: int, epoch: int, /) -> list[tuple[RowKey, bytes]]:
        """Return every row of one kind and epoch, in order of index."""
        found = self.tx.rows(_Found._make, _SCAN, (self.gid, kind, epoch))
        return [((row.kind, row.epoch, row.idx), row.value) for row in found]


def apply(tx: Tx, gid: int, changes: Mapping[RowKey, bytes | None]) -> None:
    """Store what ``Group.take_changes`` returned; None deletes a row."""
    put = [(gid, *key, value) for key, value in changes.items() if value is not None]
    if put:
        tx.executemany(_PUT, put)
    if len(put) < len(changes):
        gone = [(gid, *key) for key, value in changes.items() if value is None]
        tx.executemany(_DELETE, gone)


def remove_group(tx: Tx, gid: int) -> None:
    """Forget a group, secrets included."""
    tx.execute("DELETE FROM mls_rows WHERE gid = ?", (gid,))
