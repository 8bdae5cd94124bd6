"""The tables log_places and trials: where a conversation stands in the relay's count of commits."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from e2ecore.storage.sql import insert, select
from e2ecore.storage.tx import Tx


class LogPlace(NamedTuple):
    """A row of ``log_places``."""

    cid: int
    log_epoch: int
    floor: int


class TrialRow(NamedTuple):
    """A row of ``trials``."""

    cid: int
    number: int
    digest: bytes
    epoch: int
    judgement: int
    sender: bytes
    joined: bytes
    gone: bytes
    strangers: bytes
    cut: bytes
    against: bytes


_SELECT_PLACE: Final = select("log_places", LogPlace._fields)
_SAVE_PLACE: Final = insert("log_places", LogPlace._fields, or_replace=True)
_SELECT: Final = select("trials", TrialRow._fields)
_SAVE: Final = insert("trials", TrialRow._fields, or_replace=True)


def place(tx: Tx, cid: int) -> LogPlace:
    """Return where a conversation stands; at the beginning if nothing is known."""
    found = tx.row(LogPlace._make, f"{_SELECT_PLACE} WHERE cid = ?", (cid,))
    return found or LogPlace(cid, 0, 0)


def save_place(tx: Tx, row: LogPlace) -> None:
    """Store where a conversation stands."""
    tx.execute(_SAVE_PLACE, row)


def of_conversation(tx: Tx, cid: int) -> list[TrialRow]:
    """Return the commits that are remembered of a conversation, the oldest first."""
    return tx.rows(TrialRow._make, f"{_SELECT} WHERE cid = ? ORDER BY number", (cid,))


def replace_all(tx: Tx, cid: int, rows: Iterable[TrialRow]) -> None:
    """Remember these commits of a conversation, and no others."""
    tx.execute("DELETE FROM trials WHERE cid = ?", (cid,))
    tx.executemany(_SAVE, rows)
