"""Which message has which id: what refers to a message finds it here, at the cost of no message.

The table is filled together with ``arrivals``, behind the messages' backs. Who looks for a message
that is not noted yet reads what is left of its conversation; a writer notes it on the way, so that
each message is read for this once, however often others ask for what is not there.
"""

from collections.abc import Iterable
from typing import Final, cast

from e2ecore.storage import search_index
from e2ecore.storage.messages import ORDER_BITS, MessageRow
from e2ecore.storage.sql import Row
from e2ecore.storage.tx import Tx

MAX_NAMESAKES: Final = 64
"""Messages of one id that are looked at. The first one of an author is meant, and whoever takes
another's id must have seen it, so that the right one is among the first."""
_CHUNK: Final = 500
_COLUMNS: Final = ", ".join(f"m.{name}" for name in MessageRow._fields)
_FIND: Final = (
    f"SELECT {_COLUMNS} FROM (SELECT id FROM message_names WHERE uid = ?"  # noqa: S608
    " AND id >= ? AND id < ? ORDER BY id LIMIT ?) AS n CROSS JOIN messages AS m ON m.id = n.id"
    " WHERE m.account_id = ? ORDER BY m.id LIMIT 1"
)

_AUTHORS: Final = (
    "SELECT m.account_id FROM message_names AS n CROSS JOIN messages AS m ON m.id = n.id"
    " WHERE n.uid = ? AND n.id >= ? AND n.id < ? ORDER BY n.id LIMIT ?"
)


def find(tx: Tx, cid: int, uid: bytes, author: bytes) -> MessageRow | None:
    """Return the message of an id and author, for a writer: notes what was not noted yet.

    Args:
        tx: A transaction that may write.
        cid: Conversation.
        uid: Message id.
        author: Account id.
    """
    found = _noted(tx, cid, uid, author)
    while found is None:
        rows = search_index.note_next(tx, cid, _CHUNK)
        if not rows:
            return None
        found = _among(rows, uid, author)
    return found


def look(tx: Tx, cid: int, uid: bytes, author: bytes) -> MessageRow | None:
    """Return the message of an id and author, for a reader; arguments as for ``find``."""
    found = _noted(tx, cid, uid, author)
    upto = search_index.named_upto(tx, cid)
    while found is None:
        rows = search_index.after(tx, upto, _CHUNK)
        if not rows:
            return None
        found = _among(rows, uid, author)
        upto = rows[-1].id
    return found


def authors(tx: Tx, cid: int, uid: bytes) -> list[bytes]:
    """Return who has sent messages of an id, whoever was first in front; for a reader."""
    ids = cid << ORDER_BITS, (cid + 1) << ORDER_BITS
    found = tx.rows(_author, _AUTHORS, (uid, *ids, MAX_NAMESAKES))
    upto = search_index.named_upto(tx, cid)
    while rows := search_index.after(tx, upto, _CHUNK):
        found += [row.account_id for row in rows if row.uid == uid]
        upto = rows[-1].id
    return list(dict.fromkeys(found))


def _author(row: Row) -> bytes:
    return cast("bytes", row[0])


def _noted(tx: Tx, cid: int, uid: bytes, author: bytes) -> MessageRow | None:
    ids = cid << ORDER_BITS, (cid + 1) << ORDER_BITS
    return tx.row(MessageRow._make, _FIND, (uid, *ids, MAX_NAMESAKES, author))


def _among(rows: Iterable[MessageRow], uid: bytes, author: bytes) -> MessageRow | None:
    return next((row for row in rows if row.uid == uid and row.account_id == author), None)
