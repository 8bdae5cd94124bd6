"""Votes on polls: sealed ones, those that were opened, and which count."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from e2ecore.storage.messages import ORDER_BITS, MessageRow
from e2ecore.storage.sql import insert, select
from e2ecore.storage.tx import Tx

POLL: Final = 6
"""``messages.kind`` of a poll."""
TABLES: Final = (
    *("poll_votes", "poll_closes", "poll_reveals", "poll_deadlines"),
    *("own_votes", "own_closes"),
)
"""All tables about polls."""


class VoteRow(NamedTuple):
    """A row of ``poll_votes``."""

    message: int
    account_id: bytes
    device_id: bytes
    changed_ms: int
    commitment: bytes


class OwnVoteRow(NamedTuple):
    """A row of ``own_votes``."""

    message: int
    commitment: bytes
    choices: int
    salt: bytes
    due: int

    def __repr__(self) -> str:
        return f"<OwnVoteRow of {self.message}>"


class CloseRow(NamedTuple):
    """A row of ``poll_closes``."""

    message: int
    seq: int
    account_id: bytes
    counted: bytes


class OwnCloseRow(NamedTuple):
    """A row of ``own_closes``."""

    oid: int
    message: int
    counted: bytes


class RevealRow(NamedTuple):
    """A row of ``poll_reveals``."""

    message: int
    account_id: bytes
    commitment: bytes
    choices: int

    def __repr__(self) -> str:
        return f"<RevealRow of {self.message}>"


class DeadlineRow(NamedTuple):
    """A row of ``poll_deadlines``."""

    message: int
    closes_ms: int


_VOTES: Final = select("poll_votes", VoteRow._fields)
_OWN_VOTES: Final = select("own_votes", OwnVoteRow._fields)
_CLOSES: Final = select("poll_closes", CloseRow._fields)
_OWN_CLOSES: Final = select("own_closes", OwnCloseRow._fields)
_REVEALS: Final = select("poll_reveals", RevealRow._fields)
_DEADLINES: Final = select("poll_deadlines", DeadlineRow._fields)


def votes(tx: Tx, message: int) -> list[VoteRow]:
    """Return the sealed votes of a poll, by account."""
    return tx.rows(VoteRow._make, f"{_VOTES} WHERE message = ? ORDER BY account_id", (message,))


_WITHIN: Final = "WHERE message >= ? AND message <= ? ORDER BY message"


def votes_between(tx: Tx, first: int, last: int) -> list[VoteRow]:
    """Return the sealed votes on polls from one row id to another, by message."""
    return tx.rows(VoteRow._make, f"{_VOTES} {_WITHIN}, account_id", (first, last))


def own_votes_between(tx: Tx, first: int, last: int) -> list[OwnVoteRow]:
    """Return what opens our votes on polls from one row id to another, by message."""
    return tx.rows(OwnVoteRow._make, f"{_OWN_VOTES} {_WITHIN}, commitment", (first, last))


def closes_between(tx: Tx, first: int, last: int) -> list[CloseRow]:
    """Return the closes that count of polls from one row id to another, by message."""
    return tx.rows(CloseRow._make, f"{_CLOSES} {_WITHIN}", (first, last))


def reveals_between(tx: Tx, first: int, last: int) -> list[RevealRow]:
    """Return what was opened of votes on polls from one row id to another, by message."""
    return tx.rows(RevealRow._make, f"{_REVEALS} {_WITHIN}, account_id, commitment", (first, last))


def vote(tx: Tx, message: int, account_id: bytes) -> VoteRow | None:
    """Return the sealed vote of an account."""
    sql = f"{_VOTES} WHERE message = ? AND account_id = ?"
    return tx.row(VoteRow._make, sql, (message, account_id))


def cast(tx: Tx, row: VoteRow) -> None:
    """Store a vote, instead of an earlier one."""
    tx.execute(insert("poll_votes", VoteRow._fields, or_replace=True), row)


def keep_own(tx: Tx, row: OwnVoteRow) -> None:
    """Keep what opens a vote of ours."""
    tx.execute(insert("own_votes", OwnVoteRow._fields, or_replace=True), row)


def own_vote(tx: Tx, message: int, commitment: bytes) -> OwnVoteRow | None:
    """Return what opens a vote of ours; None: it was cast on another device."""
    sql = f"{_OWN_VOTES} WHERE message = ? AND commitment = ?"
    return tx.row(OwnVoteRow._make, sql, (message, commitment))


def set_due(tx: Tx, message: int, commitment: bytes, *, is_due: bool) -> None:
    """Note whether a vote of ours has to be opened."""
    sql = "UPDATE own_votes SET due = ? WHERE message = ? AND commitment = ?"
    tx.execute(sql, (int(is_due), message, commitment))


def due(tx: Tx, cid: int) -> list[OwnVoteRow]:
    """Return the votes of ours in a conversation that have to be opened."""
    sql = f"{_OWN_VOTES} WHERE due = 1 AND message >= ? AND message < ? ORDER BY message"
    return tx.rows(OwnVoteRow._make, sql, (cid << ORDER_BITS, (cid + 1) << ORDER_BITS))


def cids_due(tx: Tx) -> list[int]:
    """Return the conversations in which votes of ours have to be opened."""
    rows = tx.rows(OwnVoteRow._make, f"{_OWN_VOTES} WHERE due = 1")
    return sorted({row.message >> ORDER_BITS for row in rows})


def close(tx: Tx, message: int) -> CloseRow | None:
    """Return the close of a poll that counts."""
    return tx.row(CloseRow._make, f"{_CLOSES} WHERE message = ?", (message,))


def put_close(tx: Tx, row: CloseRow) -> None:
    """Store the close that counts; the poll needs no closing any more."""
    tx.execute(insert("poll_closes", CloseRow._fields, or_replace=True), row)
    tx.execute("DELETE FROM poll_deadlines WHERE message = ?", (row.message,))
    tx.touch((row.message,))


def closing(tx: Tx, row: OwnCloseRow) -> None:
    """Keep a close of ours until the relay has given it its number."""
    tx.execute(insert("own_closes", OwnCloseRow._fields), row)
    tx.execute("DELETE FROM poll_deadlines WHERE message = ?", (row.message,))


def is_closing(tx: Tx, message: int) -> bool:
    """Is a close of ours on its way?"""
    return tx.value(int, "SELECT 1 FROM own_closes WHERE message = ?", (message,)) is not None


def take_closing(tx: Tx, oids: Iterable[int]) -> list[OwnCloseRow]:
    """Return the closes of ours among rows of the outbox, and keep them no longer."""
    waiting = {row.oid: row for row in tx.rows(OwnCloseRow._make, _OWN_CLOSES)}
    found = [waiting[oid] for oid in oids if oid in waiting]
    for row in found:
        tx.execute("DELETE FROM own_closes WHERE oid = ?", (row.oid,))
    return found


def reveals(tx: Tx, message: int) -> list[RevealRow]:
    """Return what was opened of a poll's votes, whether or not it counts."""
    return tx.rows(RevealRow._make, f"{_REVEALS} WHERE message = ?", (message,))


def reveals_of(tx: Tx, message: int, account_id: bytes) -> list[RevealRow]:
    """Return what one account has opened."""
    sql = f"{_REVEALS} WHERE message = ? AND account_id = ?"
    return tx.rows(RevealRow._make, sql, (message, account_id))


def reveal(tx: Tx, row: RevealRow) -> None:
    """Store an opened vote."""
    tx.execute(insert("poll_reveals", RevealRow._fields, or_replace=True), row)
    tx.touch((row.message,))


def set_deadline(tx: Tx, row: DeadlineRow) -> None:
    """Note when this device is to close a poll."""
    tx.execute(insert("poll_deadlines", DeadlineRow._fields, or_replace=True), row)


def deadlines(tx: Tx, now_ms: int, limit: int) -> list[DeadlineRow]:
    """Return polls that this device is to close by now, the longest due first."""
    sql = f"{_DEADLINES} WHERE closes_ms <= ? ORDER BY closes_ms, message LIMIT ?"
    return tx.rows(DeadlineRow._make, sql, (now_ms, limit))


def no_deadline(tx: Tx, message: int) -> None:
    """Note that this device is not to close a poll any more."""
    tx.execute("DELETE FROM poll_deadlines WHERE message = ?", (message,))


def forget(tx: Tx, rows: Iterable[MessageRow]) -> None:
    """Delete everything about polls among messages, which are deleted or taken back as well."""
    ids = [(row.id,) for row in rows if row.kind == POLL]
    if ids:
        for table in TABLES:
            tx.executemany(f"DELETE FROM {table} WHERE message = ?", ids)  # noqa: S608
