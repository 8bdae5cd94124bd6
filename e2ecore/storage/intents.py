"""What the user wants done by a commit, until a commit that does it is merged."""

from enum import IntEnum
from typing import Final, NamedTuple

from e2ecore.storage.sql import select
from e2ecore.storage.tx import Tx


class IntentState(IntEnum):
    """How far an intent is."""

    WANTED = 1
    COMMIT_MADE = 2


class IntentRow(NamedTuple):
    """A row of ``intents``."""

    iid: int
    cid: int
    kind: int
    args: bytes
    state: int
    epoch: int
    envelope_id: bytes
    pending: bytes
    attempts: int
    next_ms: int
    created_ms: int

    def __repr__(self) -> str:
        return f"<IntentRow {self.iid}, kind {self.kind}>"


_SELECT: Final = select("intents", IntentRow._fields)


def add(tx: Tx, cid: int, kind: int, args: bytes, created_ms: int) -> int:
    """Store a wish and return its number, which is never used again."""
    return tx.insert(
        "INSERT INTO intents (cid, kind, args, state, epoch, envelope_id, pending, attempts,"
        " next_ms, created_ms) VALUES (?, ?, ?, 1, 0, x'', x'', 0, 0, ?)",
        (cid, kind, args, created_ms),
    )


def get(tx: Tx, iid: int) -> IntentRow | None:
    """Return one intent."""
    return tx.row(IntentRow._make, f"{_SELECT} WHERE iid = ?", (iid,))


def all_rows(tx: Tx) -> list[IntentRow]:
    """Return every open intent, the oldest first."""
    return tx.rows(IntentRow._make, f"{_SELECT} ORDER BY iid")


def of_conversation(tx: Tx, cid: int) -> list[IntentRow]:
    """Return the open intents of one conversation, the oldest first. The table is always short."""
    return tx.rows(IntentRow._make, f"{_SELECT} WHERE cid = ? ORDER BY iid", (cid,))


def commit_made(tx: Tx, iid: int, *, epoch: int, envelope_id: bytes, pending: bytes) -> None:
    """Store the commit before it is sent, so that its echo is recognised after a crash."""
    tx.execute(
        "UPDATE intents SET state = 2, epoch = ?, envelope_id = ?, pending = ? WHERE iid = ?",
        (epoch, envelope_id, pending, iid),
    )


def commit_lost(tx: Tx, iid: int, *, attempts: int, next_ms: int) -> None:
    """Forget the commit: another one took its epoch, or the relay refused it."""
    tx.execute(
        "UPDATE intents SET state = 1, epoch = 0, envelope_id = x'', pending = x'',"
        " attempts = ?, next_ms = ? WHERE iid = ?",
        (attempts, next_ms, iid),
    )


def rewrite(tx: Tx, iid: int, args: bytes) -> None:
    """Change what is wanted."""
    tx.execute("UPDATE intents SET args = ? WHERE iid = ?", (args, iid))


def remove(tx: Tx, iid: int) -> None:
    """It is done, or reported as failed."""
    tx.execute("DELETE FROM intents WHERE iid = ?", (iid,))
