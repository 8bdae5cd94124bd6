"""History on its way between two devices of one person: what is given, what is taken, its parts."""

from enum import IntEnum
from typing import Final, NamedTuple

from e2ecore.storage.messages import ORDER_BITS
from e2ecore.storage.sql import insert, select
from e2ecore.storage.tx import Tx


class GiftState(IntEnum):
    """How far a gift is. The numbers are stored: never change one."""

    MAKING = 1
    MADE = 2
    GIVEN = 3
    ENDED = 4


class TakingState(IntEnum):
    """How far a taking is. The numbers are stored: never change one."""

    TAKING = 1
    TAKEN = 2
    LOST = 3
    INCOMPLETE = 4


class GiftRow(NamedTuple):
    """A row of ``history_gifts``."""

    transfer: bytes
    device_id: bytes
    since_ms: int
    upto_mid: int
    waiting: bytes
    cid: int
    cursor: int
    place: int
    amount: int
    parts: int
    messages: int
    total: int
    withheld: bytes
    state: int
    began_ms: int


class PartRow(NamedTuple):
    """A row of ``history_parts``."""

    part: int
    transfer: bytes
    number: int
    device_id: bytes
    aid: int
    is_ours: int
    pid: int
    is_last: int


class TakingRow(NamedTuple):
    """A row of ``history_takings``."""

    transfer: bytes
    device_id: bytes
    messages: int
    next: int
    state: int
    began_ms: int


_GIFTS: Final = select("history_gifts", GiftRow._fields)
_SAVE_GIFT: Final = insert("history_gifts", GiftRow._fields, or_replace=True)
_PARTS: Final = select("history_parts", PartRow._fields)
PARTS: Final = f"{_PARTS} WHERE transfer = ? ORDER BY number"
NEXT_PART: Final = f"{_PARTS} WHERE transfer = ? AND number = ? AND is_ours = 0"
_ADD_PART: Final = insert("history_parts", PartRow._fields[1:])
_SAVE_PART: Final = insert("history_parts", PartRow._fields, or_replace=True)
_TAKINGS: Final = select("history_takings", TakingRow._fields)
_SAVE_TAKING: Final = insert("history_takings", TakingRow._fields, or_replace=True)


def gifts(tx: Tx) -> list[GiftRow]:
    """Return everything that is given, the oldest first."""
    return tx.rows(GiftRow._make, f"{_GIFTS} ORDER BY began_ms, transfer")


def gift(tx: Tx, transfer: bytes) -> GiftRow | None:
    """Return what is given in one transfer."""
    return tx.row(GiftRow._make, f"{_GIFTS} WHERE transfer = ?", (transfer,))


def save_gift(tx: Tx, row: GiftRow) -> None:
    """Store a gift, or what has changed of it."""
    tx.execute(_SAVE_GIFT, row)


def takings(tx: Tx) -> list[TakingRow]:
    """Return everything that is taken, the oldest first."""
    return tx.rows(TakingRow._make, f"{_TAKINGS} ORDER BY began_ms, transfer")


def taking(tx: Tx, transfer: bytes) -> TakingRow | None:
    """Return what is taken in one transfer."""
    return tx.row(TakingRow._make, f"{_TAKINGS} WHERE transfer = ?", (transfer,))


def save_taking(tx: Tx, row: TakingRow) -> None:
    """Store a taking, or what has changed of it."""
    tx.execute(_SAVE_TAKING, row)


def add_part(tx: Tx, row: PartRow) -> int:
    """Store a part; its number is chosen here and returned."""
    return tx.insert(_ADD_PART, row[1:])


def part(tx: Tx, number: int) -> PartRow | None:
    """Return a part by its local number."""
    return tx.row(PartRow._make, f"{_PARTS} WHERE part = ?", (number,))


def part_of_parcel(tx: Tx, pid: int) -> PartRow | None:
    """Return the part that a parcel brings to the relay; None: it is an ordinary one."""
    return tx.row(PartRow._make, f"{_PARTS} WHERE pid = ? AND pid != 0", (pid,))


def parts(tx: Tx, transfer: bytes) -> list[PartRow]:
    """Return the parts of a transfer that are on their way, in order."""
    return tx.rows(PartRow._make, PARTS, (transfer,))


def next_part(tx: Tx, transfer: bytes, number: int) -> PartRow | None:
    """Return one part of a transfer that is to be taken."""
    return tx.row(PartRow._make, NEXT_PART, (transfer, number))


def save_part(tx: Tx, row: PartRow) -> None:
    """Store what has changed of a part."""
    tx.execute(_SAVE_PART, row)


def remove_part(tx: Tx, number: int) -> None:
    """Forget a part."""
    tx.execute("DELETE FROM history_parts WHERE part = ?", (number,))


def first_order(tx: Tx, transfer: bytes, uid: bytes) -> int | None:
    """Return where the messages of a transfer begin in a conversation; None: not known yet."""
    query = "SELECT first_order FROM history_places WHERE transfer = ? AND uid = ?"
    return tx.value(int, query, (transfer, uid))


def place(tx: Tx, transfer: bytes, uid: bytes, order: int) -> None:
    """Note where the messages of a transfer begin in a conversation."""
    query = "INSERT INTO history_places (transfer, uid, first_order) VALUES (?, ?, ?)"
    tx.execute(query, (transfer, uid, order))


def forget_places(tx: Tx, transfer: bytes) -> None:
    """Forget where the messages of a transfer went: it is over."""
    tx.execute("DELETE FROM history_places WHERE transfer = ?", (transfer,))


def lowest_order(tx: Tx, cid: int, most: int) -> int:
    """Return the order of a conversation's first message; ``most`` if there is none below it."""
    found = tx.value(
        int,
        "SELECT min(id) FROM messages WHERE id >= ? AND id < ?",
        (cid << ORDER_BITS, cid << ORDER_BITS | most),
    )
    return most if found is None else found & ((1 << ORDER_BITS) - 1)


def amount(tx: Tx, cid: int, since_ms: int, upto_mid: int) -> int:
    """Return how many messages of a conversation a transfer has. Reads all of them."""
    ids = cid << ORDER_BITS, (cid + 1) << ORDER_BITS
    return (
        tx.value(
            int,
            "SELECT count(*) FROM messages WHERE id >= ? AND id < ? AND sent_ms >= ? AND mid <= ?",
            (*ids, since_ms, upto_mid),
        )
        or 0
    )


def is_known(tx: Tx, cid: int, uid: bytes) -> bool:
    """Is a message of this id in a conversation, as far as ``message_names`` goes?"""
    ids = cid << ORDER_BITS, (cid + 1) << ORDER_BITS
    query = "SELECT 1 FROM message_names WHERE uid = ? AND id >= ? AND id < ? LIMIT 1"
    return tx.value(int, query, (uid, *ids)) is not None
