"""Deleting messages so that nothing is left: no row, no index entry, no copy on its way out.

What a transaction deletes is overwritten in the pages that it leaves behind (``secure_delete``);
what the log still holds is gone once ``Writer.purge`` has come through. The search index is harder:
an entry stands in the lists of a hundred tokens. Three ways, by how much there is to erase:

- few messages: each is taken out of every list at once, some milliseconds each;
- many: their entries are only marked, then the whole index is rewritten without them;
- very many, or many in a very long history: the index is dropped, and made anew in idle time.

The second and third take many transactions. ``erasures`` remembers them, so that they go on after a
crash; the caller learns of the end only when the last one and a purge are done.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from e2ecore.storage import expiries, polls, remarks, search_index
from e2ecore.storage.messages import MAX_PAGE, ORDER_BITS, MessageRow
from e2ecore.storage.search_tokens import NO_FOLD, Fold
from e2ecore.storage.sql import select
from e2ecore.storage.tx import Tx

FEW: Final = 400
"""Up to so many messages each is taken out of the index by itself."""
MANY: Final = 20_000
"""Above it, making the index anew costs less than cleaning it."""
MERGED: Final = 400_000
"""Indexed messages above which rewriting the index takes longer than somebody waits: 12 s for a
million, where dropping it takes 3 s and searches read the history until it is made anew."""
FEW_SLICE: Final = 4
"""Messages of one transaction where each is taken out by itself: others wait some 30 ms."""
SLICE: Final = 500
"""Messages of one transaction otherwise."""


class ErasureState(IntEnum):
    """What is left to do. The numbers are stored: never change one."""

    MARKING = 1
    """Messages are deleted, their index entries marked."""
    MERGING = 2
    """All are deleted; the index is rewritten without what was marked."""
    DELETING = 3
    """Messages are deleted; the index is gone already."""


class ErasureRow(NamedTuple):
    """A row of ``erasures``."""

    eid: int
    cid: int
    below: int
    state: int


_SELECT: Final = select("erasures", ErasureRow._fields)
_FIRST: Final = (
    f"{select('messages', MessageRow._fields)} WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"
)


def oldest(tx: Tx, cid: int, below: int, limit: int) -> list[MessageRow]:
    """Return the oldest messages of a conversation, below a row id."""
    return tx.rows(MessageRow._make, _FIRST, (cid << ORDER_BITS, below, min(limit, MAX_PAGE)))


def count(tx: Tx, cid: int, below: int, limit: int) -> int:
    """Return how many messages of a conversation are below a row id, counting up to ``limit``."""
    found = tx.value(
        int,
        "SELECT count(*) FROM (SELECT 1 FROM messages WHERE id >= ? AND id < ? LIMIT ?)",
        (cid << ORDER_BITS, below, limit),
    )
    return found or 0


def expired_below(tx: Tx, cid: int, before_ms: int) -> int:
    """Return the row id below which a conversation's messages were stored before a time.

    Walks from the oldest, so it costs what there is to erase. Messages are stored in order; where
    the clock was set back, an old one may wait for its younger neighbours.
    """
    first_kept = tx.value(
        int,
        "SELECT id FROM messages WHERE id >= ? AND id < ? AND stored_ms >= ? ORDER BY id LIMIT 1",
        (cid << ORDER_BITS, (cid + 1) << ORDER_BITS, before_ms),
    )
    return first_kept if first_kept is not None else (cid + 1) << ORDER_BITS


def erase(
    tx: Tx,
    rows: Sequence[MessageRow],
    *,
    silence: bytes,
    indexed: bool = True,
    fold: Fold = NO_FOLD,
) -> None:
    """Delete messages of one conversation, with their index entries and their copies.

    A message that the relay has not got keeps its place among those that leave, because its counter
    must not be missing: ``silence`` goes in its stead unless it is on its way already.

    Args:
        tx: The transaction.
        rows: Messages of one conversation, as they are stored.
        silence: Content that says nothing, encoded.
        indexed: Are they still in the index?
        fold: As the index was made with.
    """
    if not rows:
        return
    if indexed:
        search_index.remove(tx, rows, fold)
    else:
        tx.executemany("DELETE FROM arrivals WHERE mid = ?", [(row.mid,) for row in rows])
    tx.executemany("DELETE FROM messages WHERE id = ?", [(row.id,) for row in rows])
    tx.executemany(
        "DELETE FROM message_names WHERE uid = ? AND id = ?", [(row.uid, row.id) for row in rows]
    )
    remarks.forget(tx, rows)
    expiries.remove(tx, [row.id for row in rows])
    polls.forget(tx, rows)
    gone = {row.id for row in rows}
    tx.touch(gone)
    waiting = tx.rows(
        _Waiting._make,
        "SELECT oid, message FROM outbox WHERE message >= ? AND message <= ?",
        (min(gone), max(gone)),
    )
    tx.executemany(
        "UPDATE outbox SET message = 0, content = ? WHERE oid = ?",
        [(silence, one.oid) for one in waiting if one.message in gone],
    )


class _Waiting(NamedTuple):
    oid: int
    message: int


def forget_poison(tx: Tx, cid: int) -> None:
    """Delete what was set aside of a conversation."""
    tx.execute("DELETE FROM quarantine WHERE cid = ?", (cid,))


def under_way(tx: Tx) -> list[ErasureRow]:
    """Return the erasures that are not finished, the oldest first."""
    return tx.rows(ErasureRow._make, f"{_SELECT} ORDER BY eid")


def get(tx: Tx, eid: int) -> ErasureRow | None:
    """Return an erasure that is not finished."""
    return tx.row(ErasureRow._make, f"{_SELECT} WHERE eid = ?", (eid,))


def begin(tx: Tx, cid: int, below: int, amount: int) -> int:
    """Begin to erase everything of a conversation below a row id, more than ``FEW`` messages.

    Args:
        tx: The transaction.
        cid: Conversation.
        below: Row id; 0: nothing more, the caller erases by itself and only marks index entries.
        amount: How many messages it will be.

    Returns:
        The number of the erasure.
    """
    now = search_index.state(tx)
    if amount > MANY or now.indexed_mid > MERGED or not now.made_with:
        search_index.drop(tx)
        state = ErasureState.DELETING
    else:
        search_index.secure_delete(tx, on=False)
        state = ErasureState.MARKING
    return tx.insert(
        "INSERT INTO erasures (cid, below, state) VALUES (?, ?, ?)", (cid, below, state)
    )


class Step(NamedTuple):
    """What one transaction of an erasure did."""

    cid: int
    rows: list[MessageRow]
    """Messages that it deleted."""
    is_left: bool
    """Is there anything left to do?"""


def go_on(tx: Tx, eid: int, *, silence: bytes, fold: Fold = NO_FOLD) -> Step:
    """Do the next slice of an erasure.

    Args:
        tx: The transaction.
        eid: As ``begin`` returned it.
        silence: As for ``erase``.
        fold: As the index was made with.
    """
    row = get(tx, eid)
    if row is None:
        return Step(0, [], is_left=False)
    if row.state == ErasureState.MERGING:
        return Step(row.cid, [], _merge(tx, row, fold))
    marking = row.state == ErasureState.MARKING
    rows = oldest(tx, row.cid, row.below, SLICE)
    erase(tx, rows, silence=silence, indexed=marking, fold=fold)
    if not rows and marking:
        tx.execute("UPDATE erasures SET state = 2 WHERE eid = ?", (eid,))
        if _is_intact(tx, fold):
            search_index.begin_merge(tx)
    elif not rows:
        tx.execute("DELETE FROM erasures WHERE eid = ?", (eid,))
    return Step(row.cid, rows, bool(rows) or marking)


def _merge(tx: Tx, row: ErasureRow, fold: Fold) -> bool:
    """Rewrite the next slice of the index; return whether anything is left to do."""
    if _is_intact(tx, fold):
        if search_index.merge_slice(tx):
            return True
        search_index.secure_delete(tx, on=True)
    tx.execute("DELETE FROM erasures WHERE eid = ?", (row.eid,))
    return False


def _is_intact(tx: Tx, fold: Fold) -> bool:
    """Is there still an index to clean? It may have been dropped for another reason meanwhile."""
    now = search_index.state(tx)
    return now.made_with == search_index.made_with(fold) and not now.damaged


class RetentionRow(NamedTuple):
    """A row of ``retentions``."""

    cid: int
    keep_ms: int


def retentions(tx: Tx) -> list[RetentionRow]:
    """Return the conversations whose messages are erased after a time."""
    return tx.rows(RetentionRow._make, "SELECT cid, keep_ms FROM retentions ORDER BY cid")


def retention(tx: Tx, cid: int) -> int | None:
    """Return how long a conversation's messages are kept, in milliseconds; None: for ever."""
    return tx.value(int, "SELECT keep_ms FROM retentions WHERE cid = ?", (cid,))


def retain(tx: Tx, cid: int, keep_ms: int | None) -> None:
    """Set how long a conversation's messages are kept; None: for ever."""
    tx.execute("DELETE FROM retentions WHERE cid = ?", (cid,))
    if keep_ms is not None:
        tx.execute("INSERT INTO retentions (cid, keep_ms) VALUES (?, ?)", (cid, keep_ms))
