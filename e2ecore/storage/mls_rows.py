"""MLS state as small rows. ``MlsRows`` has the shape that ``e2ecore.mls`` reads groups through.

Nodes of the ratchet tree live apart: with 1.2 to 3 KB each they are too long for the leaves of a
b-tree without row ids, where every one of them would drag an overflow page along (measured for
1,000 members: 4.1 against 9.2 MB, and half the time to load a tree).
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from e2ecore.mls.rows import NODE
from e2ecore.storage.tx import Tx

RowKey = tuple[int, int, int]
"""(kind, epoch, index), as ``e2ecore.mls.rows`` names rows."""

_PUT: Final = "REPLACE INTO mls_rows (gid, kind, epoch, idx, value) VALUES (?, ?, ?, ?, ?)"
_DELETE: Final = "DELETE FROM mls_rows WHERE gid = ? AND kind = ? AND epoch = ? AND idx = ?"
_GET: Final = "SELECT value FROM mls_rows WHERE gid = ? AND kind = ? AND epoch = ? AND idx = ?"
_SCAN: Final = (
    "SELECT idx, value FROM mls_rows WHERE gid = ? AND kind = ? AND epoch = ? ORDER BY idx"
)
_PUT_NODE: Final = "REPLACE INTO mls_nodes (id, value) VALUES (?, ?)"
_DELETE_NODE: Final = "DELETE FROM mls_nodes WHERE id = ?"
_GET_NODE: Final = "SELECT value FROM mls_nodes WHERE id = ?"
_SCAN_NODES: Final = (
    "SELECT id & 0xffffffff, value FROM mls_nodes WHERE id >= ? AND id < ? ORDER BY id"
)


_NODES: Final = (NODE, 0)
"""Kind and epoch of the rows that have a table of their own."""


class _Found(NamedTuple):
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
        if key[:2] == _NODES:
            return self.tx.value(bytes, _GET_NODE, (_node_id(self.gid, key[2]),))
        return self.tx.value(bytes, _GET, (self.gid, *key))

    def scan(self, kind: int, epoch: int, /) -> list[tuple[RowKey, bytes]]:
        """Return every row of one kind and epoch, in order of index."""
        if (kind, epoch) == _NODES:
            found = self.tx.rows(
                _Found._make, _SCAN_NODES, (_node_id(self.gid, 0), _node_id(self.gid + 1, 0))
            )
        else:
            found = self.tx.rows(_Found._make, _SCAN, (self.gid, kind, epoch))
        return [((kind, epoch, row.idx), row.value) for row in found]


def apply(tx: Tx, gid: int, changes: Mapping[RowKey, bytes | None]) -> None:
    """Store what ``Group.take_changes`` returned; None deletes a row."""
    put: list[tuple[int | bytes, ...]] = []
    gone: list[tuple[int | bytes, ...]] = []
    put_nodes: list[tuple[int | bytes, ...]] = []
    gone_nodes: list[tuple[int | bytes, ...]] = []
    for key, value in changes.items():
        if key[:2] == _NODES:
            node = _node_id(gid, key[2])
            if value is None:
                gone_nodes.append((node,))
            else:
                put_nodes.append((node, value))
        elif value is None:
            gone.append((gid, *key))
        else:
            put.append((gid, *key, value))
    for sql, rows in (
        (_PUT, put),
        (_DELETE, gone),
        (_PUT_NODE, put_nodes),
        (_DELETE_NODE, gone_nodes),
    ):
        if rows:
            tx.executemany(sql, rows)


def remove_group(tx: Tx, gid: int) -> None:
    """Forget a group, secrets included."""
    tx.execute("DELETE FROM mls_rows WHERE gid = ?", (gid,))
    nodes = (_node_id(gid, 0), _node_id(gid + 1, 0))
    tx.execute("DELETE FROM mls_nodes WHERE id >= ? AND id < ?", nodes)


def _node_id(gid: int, idx: int) -> int:
    return gid << 32 | idx
