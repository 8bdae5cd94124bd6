"""The conversations table: one row per conversation, written once per batch."""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final, NamedTuple, cast

from e2ecore.storage import trials
from e2ecore.storage.messages import ORDER_BITS
from e2ecore.storage.sql import Row, insert, select
from e2ecore.storage.tx import Tx

LIVE_ORDER: Final = 1 << 31
"""Order of the first message that arrives live; older history is filled in below it."""


class ConversationKind(IntEnum):
    """Who can be in it."""

    DIRECT = 1
    GROUP = 2
    IMPORTED = 3
    SELF = 4
    """Of our own devices: never shown."""


class ConversationState(IntEnum):
    """Where we stand in it."""

    CREATING = 1
    ACTIVE = 2
    LEFT = 3
    REMOVED = 4
    HEALING = 5
    FAILED = 6
    LOST = 7


class ConversationRow(NamedTuple):
    """A row of ``conversations``."""

    cid: int
    uid: bytes
    kind: int
    title: str
    state: int
    peer: bytes
    epoch: int
    cursor: int
    own_counter: int
    next_order: int
    last_mid: int
    read_order: int
    unread: int
    info: bytes
    healing_ms: int
    created_ms: int


_SELECT: Final = select("conversations", ConversationRow._fields)
_INSERT: Final = insert("conversations", ConversationRow._fields)


def create(
    tx: Tx,
    *,
    uid: bytes,
    kind: ConversationKind,
    state: ConversationState,
    title: str = "",
    peer: bytes = b"",
    epoch: int = 0,
    cursor: int = 0,
    info: bytes = b"",
    created_ms: int,
) -> ConversationRow:
    """Store a new conversation without messages and return its row."""
    newest = tx.value(int, "SELECT max(cid) FROM conversations")
    row = ConversationRow(
        cid=(newest or 0) + 1,
        uid=uid,
        kind=kind,
        title=title,
        state=state,
        peer=peer,
        epoch=epoch,
        cursor=cursor,
        own_counter=0,
        next_order=LIVE_ORDER,
        last_mid=0,
        read_order=LIVE_ORDER,
        unread=0,
        info=info,
        healing_ms=0,
        created_ms=created_ms,
    )
    tx.execute(_INSERT, row)
    trials.save_place(tx, trials.LogPlace(row.cid, epoch, epoch))
    tx.touch((row.cid << ORDER_BITS,))
    return row


def get(tx: Tx, cid: int) -> ConversationRow | None:
    """Return one conversation by its local number."""
    return tx.row(ConversationRow._make, f"{_SELECT} WHERE cid = ?", (cid,))


def by_uid(tx: Tx, uid: bytes) -> ConversationRow | None:
    """Return one conversation by its id at the relay."""
    return tx.row(ConversationRow._make, f"{_SELECT} WHERE uid = ?", (uid,))


def shown(tx: Tx) -> list[ConversationRow]:
    """Return every conversation that people see, in the order of ``all_rows``."""
    return [row for row in all_rows(tx) if row.kind != ConversationKind.SELF]


def of_own_devices(tx: Tx) -> list[int]:
    """Return the local numbers of the conversations of our own devices, the newest first."""
    return tx.rows(
        _cid,
        "SELECT cid FROM conversations WHERE kind = ? ORDER BY cid DESC",
        (ConversationKind.SELF,),
    )


def _cid(row: Row) -> int:
    return cast("int", row[0])


def all_rows(tx: Tx) -> list[ConversationRow]:
    """Return every conversation, the one with the newest message first."""
    return tx.rows(ConversationRow._make, f"{_SELECT} ORDER BY last_mid DESC, cid DESC")


def save(tx: Tx, row: ConversationRow) -> None:
    """Store every field of an existing conversation but its number and id."""
    tx.execute(
        "UPDATE conversations SET kind = ?, title = ?, state = ?, peer = ?, epoch = ?, cursor = ?,"
        " own_counter = ?, next_order = ?, last_mid = ?, read_order = ?, unread = ?, info = ?,"
        " healing_ms = ?, created_ms = ? WHERE cid = ?",
        (*row[2:], row.cid),
    )
    tx.touch((row.cid << ORDER_BITS,))


def save_traffic(tx: Tx, rows: Iterable[ConversationRow]) -> None:
    """Store only what messages change: counters, cursor, order, unread. Once per batch."""
    stored = list(rows)
    tx.executemany(
        "UPDATE conversations SET cursor = ?, own_counter = ?, next_order = ?, last_mid = ?,"
        " read_order = ?, unread = ? WHERE cid = ?",
        [
            (
                row.cursor,
                row.own_counter,
                row.next_order,
                row.last_mid,
                row.read_order,
                row.unread,
                row.cid,
            )
            for row in stored
        ],
    )
    tx.touch([row.cid << ORDER_BITS for row in stored])


def last_mid(tx: Tx) -> int:
    """Return the highest arrival number given so far; 0 before the first message."""
    return tx.value(int, "SELECT max(last_mid) FROM conversations") or 0
