"""Member devices of conversations, with the counters that make replays and gaps visible."""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final, NamedTuple, cast

from e2ecore.storage.sql import Row, insert, select
from e2ecore.storage.tx import Tx

NO_LEAF: Final = -1
"""Leaf of a device that is no member now."""


class Role(IntEnum):
    """What a member may do."""

    MEMBER = 1
    ADMIN = 2
    OWNER = 3


class MemberRow(NamedTuple):
    """A row of ``members``."""

    cid: int
    device_id: bytes
    account_id: bytes
    leaf: int
    role: int
    receive_counter: int
    receive_missing: bytes
    receipt_counter: int
    delivered_upto: int
    delivered_gaps: bytes


_SELECT: Final = select("members", MemberRow._fields)
_CURRENT_OF: Final = (
    f"{_SELECT} WHERE leaf >= 0 AND cid IN (SELECT value FROM json_each(?)) ORDER BY cid, leaf"  # noqa: S608
)
_SAVE: Final = insert("members", MemberRow._fields, or_replace=True)


def new_row(cid: int, account_id: bytes, device_id: bytes, leaf: int, role: int) -> MemberRow:
    """Return the row of a device that has not sent anything yet."""
    return MemberRow(cid, device_id, account_id, leaf, role, 0, b"", 0, 0, b"")


def save(tx: Tx, rows: Iterable[MemberRow]) -> None:
    """Store whole rows, new or changed. Once per batch."""
    tx.executemany(_SAVE, rows)


def get(tx: Tx, cid: int, device_id: bytes) -> MemberRow | None:
    """Return one device, member or former member."""
    return tx.row(MemberRow._make, f"{_SELECT} WHERE cid = ? AND device_id = ?", (cid, device_id))


def all_rows(tx: Tx, cid: int) -> list[MemberRow]:
    """Return every device that is or was a member of one conversation."""
    return tx.rows(MemberRow._make, f"{_SELECT} WHERE cid = ? ORDER BY device_id", (cid,))


def current(tx: Tx, cid: int) -> list[MemberRow]:
    """Return the member devices of one conversation, by leaf."""
    return tx.rows(MemberRow._make, f"{_SELECT} WHERE cid = ? AND leaf >= 0 ORDER BY leaf", (cid,))


def current_of(tx: Tx, cids: Iterable[int]) -> dict[int, list[MemberRow]]:
    """Return the member devices of many conversations by one query; none of those without any."""
    found: dict[int, list[MemberRow]] = {}
    wanted = f"[{','.join(map(str, cids))}]"
    for row in tx.rows(MemberRow._make, _CURRENT_OF, (wanted,)):
        found.setdefault(row.cid, []).append(row)
    return found


def conversations_of(tx: Tx, account_id: bytes) -> list[int]:
    """Return the conversations in which an account is a member. Reads all members: be rare."""
    return tx.rows(
        _cid,
        "SELECT DISTINCT cid FROM members WHERE account_id = ? AND leaf >= 0 ORDER BY cid",
        (account_id,),
    )


def _cid(row: Row) -> int:
    return cast("int", row[0])
