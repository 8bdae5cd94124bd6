"""Committed effects that the relay has not accepted yet, in the order of submission."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from e2ecore.storage.sql import insert, select
from e2ecore.storage.tx import Tx


class OutboxRow(NamedTuple):
    """A row of ``outbox``."""

    oid: int
    cid: int
    message: int
    kind: int
    epoch: int
    counter: int
    envelope_id: bytes
    payload: bytes
    content: bytes
    attempts: int
    next_ms: int

    def __repr__(self) -> str:
        return f"<OutboxRow {self.oid}, {len(self.payload)} bytes>"


_SELECT: Final = select("outbox", OutboxRow._fields)
_INSERT: Final = insert("outbox", OutboxRow._fields)


def add(tx: Tx, rows: Iterable[OutboxRow]) -> None:
    """Queue effects. ``oid`` ascends; take it from ``last_oid`` at the start and count on."""
    tx.executemany(_INSERT, rows)


def last_oid(tx: Tx) -> int:
    """Return the highest number in the outbox; 0 if it is empty."""
    return tx.value(int, "SELECT max(oid) FROM outbox") or 0


def get(tx: Tx, oid: int) -> OutboxRow | None:
    """Return one row."""
    return tx.row(OutboxRow._make, f"{_SELECT} WHERE oid = ?", (oid,))


def after(tx: Tx, oid: int, limit: int) -> list[OutboxRow]:
    """Return the rows behind ``oid`` in order of submission, at most ``limit``."""
    return tx.rows(OutboxRow._make, f"{_SELECT} WHERE oid > ? ORDER BY oid LIMIT ?", (oid, limit))


def with_content(tx: Tx, cid: int) -> list[OutboxRow]:
    """Return what of a conversation can be encrypted again, in order of submission."""
    return tx.rows(
        OutboxRow._make, f"{_SELECT} WHERE cid = ? AND content <> x'' ORDER BY oid", (cid,)
    )


def replace_content(tx: Tx, oid: int, content: bytes) -> None:
    """Have something else sent in a row's stead, unless it is on its way already."""
    tx.execute("UPDATE outbox SET content = ? WHERE oid = ?", (content, oid))


def remove(tx: Tx, oids: Iterable[int]) -> None:
    """The relay accepted these, or they are given up."""
    tx.executemany("DELETE FROM outbox WHERE oid = ?", [(oid,) for oid in oids])


def re_encrypted(tx: Tx, oid: int, *, epoch: int, envelope_id: bytes, payload: bytes) -> None:
    """Store fresh bytes for a row whose epoch was over, or that had none yet."""
    tx.execute(
        "UPDATE outbox SET epoch = ?, envelope_id = ?, payload = ? WHERE oid = ?",
        (epoch, envelope_id, payload, oid),
    )


def postpone(tx: Tx, oid: int, *, attempts: int, next_ms: int) -> None:
    """Note a refusal: not to be sent before ``next_ms``."""
    tx.execute(
        "UPDATE outbox SET attempts = ?, next_ms = ? WHERE oid = ?", (attempts, next_ms, oid)
    )
