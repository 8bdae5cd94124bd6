"""Envelopes that could not be processed: kept for diagnosis, out of the way of the rest."""

from typing import Final, NamedTuple

from e2ecore.storage.sql import insert, select
from e2ecore.storage.tx import Tx

MAX_QUARANTINED: Final = 1_000
"""A hostile member may send poison without end; the oldest gives way."""


class QuarantineRow(NamedTuple):
    """A row of ``quarantine``."""

    qid: int
    cid: int
    seq: int
    kind: int
    epoch: int
    envelope_id: bytes
    payload: bytes
    error: str
    created_ms: int


_SELECT: Final = select("quarantine", QuarantineRow._fields)
_INSERT: Final = insert("quarantine", QuarantineRow._fields[1:])


def add(
    tx: Tx,
    *,
    cid: int,
    seq: int,
    kind: int,
    epoch: int,
    envelope_id: bytes,
    payload: bytes,
    error: str,
    created_ms: int,
) -> int:
    """Set an envelope aside and return its number.

    Args:
        tx: The transaction that also moves the cursor past it.
        cid: Conversation, or 0 for the inbox log.
        seq: Number in that log.
        kind: Envelope kind.
        epoch: As the relay said.
        envelope_id: Chosen by the sender.
        payload: As it came.
        error: Name of the error class; never content.
        created_ms: Now.
    """
    qid = tx.insert(
        _INSERT,
        (cid, seq, kind, epoch, envelope_id, payload, error, created_ms),
    )
    tx.execute("DELETE FROM quarantine WHERE qid <= ?", (qid - MAX_QUARANTINED,))
    return qid


def all_rows(tx: Tx) -> list[QuarantineRow]:
    """Return what is set aside, the oldest first."""
    return tx.rows(QuarantineRow._make, f"{_SELECT} ORDER BY qid")


def remove(tx: Tx, qid: int) -> None:
    """Drop one envelope for good."""
    tx.execute("DELETE FROM quarantine WHERE qid = ?", (qid,))
