"""Conversations brought in from files, and what the files call those who wrote in them."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from e2ecore.storage.messages import MAX_PAGE, ORDER_BITS
from e2ecore.storage.sql import insert, select
from e2ecore.storage.tx import Tx

FIRST_ORDER: Final = 1 << 30
"""Order of the first imported message; below every live one (``conversations.LIVE_ORDER``)."""


class ImportRow(NamedTuple):
    """A row of ``imported_conversations``."""

    cid: int
    source: bytes
    format: str
    imported_ms: int


class PersonRow(NamedTuple):
    """A row of ``imported_people``."""

    cid: int
    account_id: bytes
    name: str


class _Place(NamedTuple):
    id: int
    uid: bytes


_INSERT: Final = insert("imported_conversations", ImportRow._fields)
_SELECT: Final = select("imported_conversations", ImportRow._fields)
_SAVE_PERSON: Final = insert("imported_people", PersonRow._fields, or_replace=True)
_PEOPLE: Final = select("imported_people", PersonRow._fields)
_UIDS: Final = f"{select('messages', _Place._fields)} WHERE id > ? AND id < ? ORDER BY id LIMIT ?"


def add(tx: Tx, row: ImportRow) -> None:
    """Note that a conversation came from a file.

    Raises:
        ConstraintError: One that is called the same in the file is here already.
    """
    tx.execute(_INSERT, row)


def by_source(tx: Tx, source: bytes) -> ImportRow | None:
    """Return what is known of a file's conversation that was brought in before."""
    return tx.row(ImportRow._make, f"{_SELECT} WHERE source = ?", (source,))


def get(tx: Tx, cid: int) -> ImportRow | None:
    """Return where a conversation came from; None: it is a live one."""
    return tx.row(ImportRow._make, f"{_SELECT} WHERE cid = ?", (cid,))


def save_people(tx: Tx, rows: Iterable[PersonRow]) -> None:
    """Store names."""
    tx.executemany(_SAVE_PERSON, rows)


def people(tx: Tx, cid: int) -> list[PersonRow]:
    """Return who wrote in a conversation that came from a file, by account id."""
    return tx.rows(PersonRow._make, f"{_PEOPLE} WHERE cid = ? ORDER BY account_id", (cid,))


def message_ids(tx: Tx, cid: int, cursor: int) -> list[tuple[int, bytes]]:
    """Return row ids and message ids of a conversation, up to 1,000, behind a row id."""
    end = (cid + 1) << ORDER_BITS
    return list(tx.rows(_Place._make, _UIDS, (max(cursor, cid << ORDER_BITS), end, MAX_PAGE)))
