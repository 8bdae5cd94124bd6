"""Marks, guardians, what they are asked, and what the relay is to be told of it."""

from enum import IntEnum
from typing import Final, NamedTuple

from e2ecore.storage.sql import insert, select
from e2ecore.storage.tx import Tx


class Side(IntEnum):
    """Which side of a link this account is."""

    WARD = 1
    GUARDIAN = 2


class LinkState(IntEnum):
    """How far a link is."""

    INVITED = 1
    AGREED = 2
    """Both have signed; the relay does not have it yet."""
    HOLDS = 3
    OVER = 4
    DECLINED = 5


class RequestState(IntEnum):
    """What became of a wish to agree to something."""

    OPEN = 1
    APPROVED = 2
    REFUSED = 3
    TAKEN_BACK = 4
    VOID = 5
    """There is nobody any more to decide, or it was decided too late."""


class MarkRow(NamedTuple):
    """The row of ``guardian_mark``."""

    until_ms: int
    marked_by: int
    told: int


class LinkRow(NamedTuple):
    """A row of ``guardian_links``."""

    link_id: bytes
    role: int
    other: bytes
    document: bytes
    notice: str
    state: int
    until_ms: int
    wishes: int
    changed_ms: int


class RequestRow(NamedTuple):
    """A row of ``guardian_requests``."""

    consent_id: bytes
    link_id: bytes
    record: bytes
    salt: bytes
    notice: str
    state: int
    changed_ms: int

    def __repr__(self) -> str:
        return f"<RequestRow {self.consent_id.hex()}, salt hidden>"


class ErrandRow(NamedTuple):
    """A row of ``guardian_errands``."""

    number: int
    document: bytes


_LINK: Final = select("guardian_links", LinkRow._fields)
_SAVE_LINK: Final = insert("guardian_links", LinkRow._fields, or_replace=True)
_REQUEST: Final = select("guardian_requests", RequestRow._fields)
_SAVE_REQUEST: Final = insert("guardian_requests", RequestRow._fields, or_replace=True)
_MOST_ERRANDS: Final = 256


def mark(tx: Tx) -> MarkRow | None:
    """Return the mark of this account, over or not."""
    rows = tx.rows(MarkRow._make, "SELECT until_ms, marked_by, told FROM guardian_mark")
    return rows[0] if rows else None


def set_mark(tx: Tx, row: MarkRow | None) -> None:
    """Note the mark of this account; None: there is none."""
    tx.execute("DELETE FROM guardian_mark")
    if row is not None:
        sql = "INSERT INTO guardian_mark (one, until_ms, marked_by, told) VALUES (1, ?, ?, ?)"
        tx.execute(sql, row)


def links(tx: Tx) -> list[LinkRow]:
    """Return all links, the oldest first."""
    return tx.rows(LinkRow._make, f"{_LINK} ORDER BY changed_ms, link_id")


def link(tx: Tx, link_id: bytes) -> LinkRow | None:
    """Return one link."""
    rows = tx.rows(LinkRow._make, f"{_LINK} WHERE link_id = ?", (link_id,))
    return rows[0] if rows else None


def save_link(tx: Tx, row: LinkRow) -> None:
    """Store a link, new or changed."""
    tx.execute(_SAVE_LINK, row)


def requests(tx: Tx) -> list[RequestRow]:
    """Return all requests, the oldest first."""
    return tx.rows(RequestRow._make, f"{_REQUEST} ORDER BY changed_ms, consent_id")


def request(tx: Tx, consent_id: bytes) -> RequestRow | None:
    """Return one request."""
    rows = tx.rows(RequestRow._make, f"{_REQUEST} WHERE consent_id = ?", (consent_id,))
    return rows[0] if rows else None


def requests_of(tx: Tx, link_id: bytes) -> list[RequestRow]:
    """Return the requests of one link."""
    return tx.rows(RequestRow._make, f"{_REQUEST} WHERE link_id = ?", (link_id,))


def save_request(tx: Tx, row: RequestRow) -> None:
    """Store a request, new or changed."""
    tx.execute(_SAVE_REQUEST, row)


def add_errand(tx: Tx, document: bytes) -> None:
    """Note what the relay is to be told."""
    tx.execute("INSERT INTO guardian_errands (document) VALUES (?)", (document,))


def errands(tx: Tx) -> list[ErrandRow]:
    """Return what the relay is to be told, in order."""
    sql = "SELECT number, document FROM guardian_errands ORDER BY number LIMIT ?"
    return tx.rows(ErrandRow._make, sql, (_MOST_ERRANDS,))


def finish_errand(tx: Tx, number: int) -> None:
    """The relay has it, or does not want it."""
    tx.execute("DELETE FROM guardian_errands WHERE number = ?", (number,))


def is_concerned(tx: Tx) -> bool:
    """Is there anything here that the relay may have news of?"""
    sql = (
        "SELECT EXISTS (SELECT 1 FROM guardian_mark)"
        " OR EXISTS (SELECT 1 FROM guardian_links WHERE state IN (1, 2, 3))"
    )
    return bool(tx.value(int, sql))
