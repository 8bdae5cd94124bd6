"""Ops of our own devices: what of them counts, and where this device stands in its own list."""

from collections.abc import Iterable
from typing import Final, NamedTuple, cast

from e2ecore.storage.sql import Row, insert, select
from e2ecore.storage.tx import Tx


class OpRow(NamedTuple):
    """A row of ``ops``."""

    hash: bytes
    time: int
    device_id: bytes
    number: int
    kind: int
    subject: bytes
    op: bytes

    def __repr__(self) -> str:
        return f"<OpRow {self.kind}>"


class AuthorRow(NamedTuple):
    """A row of ``op_authors``."""

    device_id: bytes
    number: int
    prev_hash: bytes
    time: int
    told: int


_OP: Final = "SELECT op FROM ops"
_INSERT: Final = insert("ops", OpRow._fields, or_replace=True)
_AUTHOR: Final = select("op_authors", AuthorRow._fields)
_SAVE_AUTHOR: Final = insert("op_authors", AuthorRow._fields, or_replace=True)
_ADVANCE: Final = (
    "INSERT INTO op_authors (device_id, number, prev_hash, time, told) VALUES (?, ?, ?, ?, 0)"
    " ON CONFLICT (device_id) DO UPDATE SET number = excluded.number,"
    " prev_hash = excluded.prev_hash, time = excluded.time"
)


def add(tx: Tx, row: OpRow) -> None:
    """Keep an op."""
    tx.execute(_INSERT, row)


def remove(tx: Tx, hashes: Iterable[bytes]) -> None:
    """Forget ops that are overwritten."""
    tx.executemany("DELETE FROM ops WHERE hash = ?", [(one,) for one in hashes])


def remove_all(tx: Tx) -> int:
    """Forget every op; return how many there were."""
    return tx.execute("DELETE FROM ops")


def has(tx: Tx, op_hash: bytes) -> bool:
    """Is an op kept?"""
    return tx.value(int, "SELECT 1 FROM ops WHERE hash = ?", (op_hash,)) is not None


def slot(tx: Tx, kind: int, subject: bytes) -> list[bytes]:
    """Return what is kept of a kind about a subject, encoded."""
    return tx.rows(_bytes, f"{_OP} WHERE kind = ? AND subject = ?", (kind, subject))


def strangers(tx: Tx, kind: int, limit: int) -> list[bytes]:
    """Return accounts of which something of a kind is kept, and nothing known."""
    return tx.rows(
        _bytes,
        "SELECT DISTINCT subject FROM ops WHERE kind = ?"
        " AND subject NOT IN (SELECT account_id FROM chain_accounts) LIMIT ?",
        (kind, limit),
    )


def near(tx: Tx, device_id: bytes, number: int) -> list[bytes]:
    """Return the kept ops of a device that stand beside a number, or at it."""
    return tx.rows(
        _bytes,
        f"{_OP} WHERE device_id = ? AND number BETWEEN ? AND ?",
        (device_id, number - 1, number + 1),
    )


def behind(tx: Tx, device_id: bytes, number: int, limit: int) -> list[OpRow]:
    """Return the kept ops of a device behind a number, in order."""
    return tx.rows(
        OpRow._make,
        f"{select('ops', OpRow._fields)} WHERE device_id = ? AND number > ?"
        " ORDER BY number LIMIT ?",
        (device_id, number, limit),
    )


def pick(tx: Tx, hashes: Iterable[bytes]) -> list[bytes]:
    """Return those of these ops that are kept, encoded."""
    found = [tx.value(bytes, f"{_OP} WHERE hash = ?", (one,)) for one in hashes]
    return [one for one in found if one is not None]


def items(tx: Tx) -> list[tuple[int, bytes]]:
    """Return time and hash of every op."""
    return tx.rows(_item, "SELECT time, hash FROM ops ORDER BY time, hash")


def author(tx: Tx, device_id: bytes) -> AuthorRow | None:
    """Return where a device stands, which is this one; None: it has written none."""
    return tx.row(AuthorRow._make, f"{_AUTHOR} WHERE device_id = ?", (device_id,))


def save_author(tx: Tx, row: AuthorRow) -> None:
    """Note where this device stands, and how far the others were told."""
    tx.execute(_SAVE_AUTHOR, row)


def advance(tx: Tx, device_id: bytes, number: int, prev_hash: bytes, time: int) -> None:
    """Note where this device stands; how far the others were told stays."""
    tx.execute(_ADVANCE, (device_id, number, prev_hash, time))


def _bytes(row: Row) -> bytes:
    return cast("bytes", row[0])


def _item(row: Row) -> tuple[int, bytes]:
    return cast("tuple[int, bytes]", row)
