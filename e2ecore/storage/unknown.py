"""Messages of kinds that were not known when they came."""

from typing import Final

from e2ecore.storage.messages import MessageRow
from e2ecore.storage.sql import select
from e2ecore.storage.tx import Tx

_AFTER: Final = (
    f"{select('messages', MessageRow._fields)} WHERE kind = 0 AND id > ? ORDER BY id LIMIT ?"
)


def after(tx: Tx, message: int, limit: int) -> list[MessageRow]:
    """Return the next messages of unknown kinds behind a row id."""
    return tx.rows(MessageRow._make, _AFTER, (message, limit))


def become(tx: Tx, old: MessageRow, new: MessageRow) -> None:
    """Store what a message turned out to be. Whoever keeps an index of it does so besides."""
    tx.execute("DELETE FROM message_names WHERE uid = ? AND id = ?", (old.uid, old.id))
    tx.execute(
        "UPDATE messages SET uid = ?, sent_ms = ?, kind = ?, body = ?, ext = ? WHERE id = ?",
        (new.uid, new.sent_ms, new.kind, new.body, new.ext, new.id),
    )
    tx.touch((new.id,))
