"""The list of conversations as people see it: each with its newest message, in one query.

The newest message is one step into the conversation's own range of row ids, so a list of hundreds
costs as many steps, whatever the length of the history. How many are unread is in the row.
"""

from typing import Final, NamedTuple

from e2ecore.storage.conversations import ConversationRow
from e2ecore.storage.messages import ORDER_BITS, MessageRow
from e2ecore.storage.sql import Row, select
from e2ecore.storage.tx import Tx

_CONVERSATION_FIELDS: Final = len(ConversationRow._fields)
_COLUMNS: Final = (
    *(f"c.{name}" for name in ConversationRow._fields),
    *(f"m.{name}" for name in MessageRow._fields),
)
_NEWEST: Final = (
    f"SELECT max(id) FROM messages WHERE id >= c.cid << {ORDER_BITS}"  # noqa: S608
    f" AND id < (c.cid + 1) << {ORDER_BITS}"
)
_SELECT: Final = select(
    f"conversations AS c LEFT JOIN messages AS m ON m.id = ({_NEWEST})", _COLUMNS
)
LIST: Final = f"{_SELECT} ORDER BY c.last_mid DESC, c.cid DESC"
"""Every conversation, the one with the newest message first."""


class OverviewRow(NamedTuple):
    """A conversation and its newest message."""

    conversation: ConversationRow
    newest: MessageRow | None
    """None: it has none."""


def all_rows(tx: Tx) -> list[OverviewRow]:
    """Return every conversation, the one with the newest message first."""
    return tx.rows(_make, LIST)


def get(tx: Tx, cid: int) -> OverviewRow | None:
    """Return one conversation by its local number."""
    return tx.row(_make, f"{_SELECT} WHERE c.cid = ?", (cid,))


def by_uid(tx: Tx, uid: bytes) -> OverviewRow | None:
    """Return one conversation by its id at the relay."""
    return tx.row(_make, f"{_SELECT} WHERE c.uid = ?", (uid,))


def _make(row: Row) -> OverviewRow:
    conversation, newest = row[:_CONVERSATION_FIELDS], row[_CONVERSATION_FIELDS:]
    has_newest = newest[0] is not None
    return OverviewRow(
        ConversationRow._make(conversation), MessageRow._make(newest) if has_newest else None
    )
