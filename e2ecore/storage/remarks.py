"""What is said of messages afterwards: reactions, earlier words, what came before its message."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from e2ecore.storage import attachments
from e2ecore.storage.messages import MessageRow
from e2ecore.storage.sql import insert, select
from e2ecore.storage.tx import Tx

MAX_REVISIONS: Final = 32
"""Earlier words kept of one message, so that nobody fills a disk by editing."""
MAX_EARLY: Final = 16
"""Remarks of one device in one conversation that wait for their message: it may be a megabyte
each, and hardly ever happens at all."""


class ReactionRow(NamedTuple):
    """A row of ``reactions``."""

    message: int
    account_id: bytes
    device_id: bytes
    changed_ms: int
    signs: bytes


class RevisionRow(NamedTuple):
    """A row of ``revisions``."""

    message: int
    changed_ms: int
    device_id: bytes
    body: str

    def __repr__(self) -> str:
        return f"<RevisionRow of {self.message}>"


class EarlyRow(NamedTuple):
    """A row of ``early_remarks``."""

    cid: int
    device_id: bytes
    counter: int
    account_id: bytes
    uid: bytes
    author: bytes
    content: bytes
    stored_ms: int
    seq: int

    def __repr__(self) -> str:
        return f"<EarlyRow in {self.cid}, {len(self.content)} bytes>"


_REACTIONS: Final = select("reactions", ReactionRow._fields)
_REVISIONS: Final = select("revisions", RevisionRow._fields)
_EARLY: Final = select("early_remarks", EarlyRow._fields)
_REPLACE_REACTION: Final = insert("reactions", ReactionRow._fields, or_replace=True)
_KEEP: Final = insert("revisions", RevisionRow._fields).replace("INTO", "OR IGNORE INTO", 1)
_WAIT: Final = insert("early_remarks", EarlyRow._fields).replace("INTO", "OR IGNORE INTO", 1)


def reaction(tx: Tx, message: int, account_id: bytes) -> ReactionRow | None:
    """Return what somebody said of a message, also if it was taken back."""
    return tx.row(
        ReactionRow._make,
        f"{_REACTIONS} WHERE message = ? AND account_id = ?",
        (message, account_id),
    )


def reactions(tx: Tx, first: int, last: int) -> list[ReactionRow]:
    """Return the reactions to messages from one row id to another, by message."""
    return tx.rows(
        ReactionRow._make,
        f"{_REACTIONS} WHERE message >= ? AND message <= ? ORDER BY message, changed_ms",
        (first, last),
    )


def react(tx: Tx, row: ReactionRow) -> None:
    """Store what somebody thinks of a message, instead of what they thought before."""
    tx.execute(_REPLACE_REACTION, row)


def revisions(tx: Tx, message: int) -> list[RevisionRow]:
    """Return what a message said before, the first words first."""
    return tx.rows(
        RevisionRow._make,
        f"{_REVISIONS} WHERE message = ? ORDER BY changed_ms, device_id",
        (message,),
    )


def revisions_between(tx: Tx, first: int, last: int) -> list[RevisionRow]:
    """Return what messages from one row id to another said before, by message."""
    return tx.rows(
        RevisionRow._make,
        f"{_REVISIONS} WHERE message >= ? AND message <= ? ORDER BY message, changed_ms, device_id",
        (first, last),
    )


def keep_revision(tx: Tx, row: RevisionRow) -> None:
    """Keep what a message said before; of too many, those after the first go, the oldest first."""
    tx.execute(_KEEP, row)
    kept = revisions(tx, row.message)
    for gone in kept[1 : 1 + max(0, len(kept) - MAX_REVISIONS)]:
        tx.execute(
            "DELETE FROM revisions WHERE message = ? AND changed_ms = ? AND device_id = ?",
            gone[:3],
        )


def forget(tx: Tx, rows: Iterable[MessageRow], *, recalled: bool = False) -> None:
    """Delete everything that was said of messages, which are deleted or taken back as well.

    When they erase themselves is left: what is left of a message that was taken back goes then.

    Args:
        tx: The transaction.
        rows: The messages.
        recalled: They are own ones that are taken back.
    """
    ids = [(row.id,) for row in rows]
    attachments.forget(tx, [one for (one,) in ids], recalled=recalled)
    tx.executemany("DELETE FROM reactions WHERE message = ?", ids)
    tx.executemany("DELETE FROM revisions WHERE message = ?", ids)
    tx.executemany("DELETE FROM pins WHERE message = ?", ids)


def awaited(tx: Tx, cid: int) -> frozenset[bytes]:
    """Return the ids of the messages of a conversation for which something waits."""
    return frozenset(row.uid for row in tx.rows(EarlyRow._make, f"{_EARLY} WHERE cid = ?", (cid,)))


def wait(tx: Tx, row: EarlyRow) -> bool:
    """Have a remark wait for its message; return whether there was room for it."""
    count = tx.value(
        int,
        "SELECT count(*) FROM early_remarks WHERE cid = ? AND device_id = ?",
        (row.cid, row.device_id),
    )
    if (count or 0) >= MAX_EARLY:
        return False
    tx.execute(_WAIT, row)
    return True


def take_early(tx: Tx, cid: int, uid: bytes, author: bytes) -> list[EarlyRow]:
    """Return what waits for a message, and let it wait no longer."""
    rows = tx.rows(
        EarlyRow._make, f"{_EARLY} WHERE cid = ? AND uid = ? AND author = ?", (cid, uid, author)
    )
    for row in rows:
        tx.execute(
            "DELETE FROM early_remarks WHERE cid = ? AND device_id = ? AND counter = ?", row[:3]
        )
    return rows


def any_early(tx: Tx, before_ms: int) -> bool:
    """Answer whether something waits since before a time."""
    found = tx.value(int, "SELECT 1 FROM early_remarks WHERE stored_ms < ? LIMIT 1", (before_ms,))
    return found is not None


def forget_early(tx: Tx, before_ms: int) -> None:
    """Delete what waits since before a time: it waits in vain."""
    tx.execute("DELETE FROM early_remarks WHERE stored_ms < ?", (before_ms,))
