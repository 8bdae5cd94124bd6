"""The list of conversations as people see it, in one query.

Each comes with its newest message, what was begun to be written there, and how it is arranged. The
newest message is one step into the conversation's own range of row ids, so a list of hundreds costs
as many steps, whatever the length of the history. How many are unread is in the row.
"""

from typing import Final, NamedTuple

from e2ecore.storage.arrangements import ArrangementRow
from e2ecore.storage.conversations import ConversationKind, ConversationRow
from e2ecore.storage.drafts import DraftRow
from e2ecore.storage.messages import ORDER_BITS, MessageRow
from e2ecore.storage.sql import Row, select
from e2ecore.storage.tx import Tx

_PARTS: Final = {
    "c": ConversationRow._fields,
    "m": MessageRow._fields,
    "d": DraftRow._fields,
    "a": ArrangementRow._fields,
}
_COLUMNS: Final = tuple(f"{part}.{name}" for part, names in _PARTS.items() for name in names)
_FIRST_MESSAGE: Final = len(ConversationRow._fields)
_FIRST_DRAFT: Final = _FIRST_MESSAGE + len(MessageRow._fields)
_FIRST_ARRANGEMENT: Final = _FIRST_DRAFT + len(DraftRow._fields)
_NEWEST: Final = (
    f"SELECT max(id) FROM messages WHERE id >= c.cid << {ORDER_BITS}"  # noqa: S608
    f" AND id < (c.cid + 1) << {ORDER_BITS}"
)
_SELECT: Final = select(
    f"conversations AS c LEFT JOIN messages AS m ON m.id = ({_NEWEST})"
    " LEFT JOIN drafts AS d ON d.cid = c.cid LEFT JOIN arrangements AS a ON a.cid = c.cid",
    _COLUMNS,
)
_HIDDEN: Final = int(ConversationKind.SELF)
LIST: Final = (
    f"{_SELECT} WHERE c.kind <> {_HIDDEN}"
    " ORDER BY coalesce(a.archived, 0), coalesce(a.pinned_ms, 0) DESC,"
    " c.last_mid DESC, c.cid DESC"
)
"""Every conversation: pinned ones first, those put away last, else by the newest message."""


class OverviewRow(NamedTuple):
    """A conversation, its newest message, its draft, its place in the list."""

    conversation: ConversationRow
    newest: MessageRow | None
    """None: it has none."""
    draft: DraftRow | None
    arrangement: ArrangementRow


def all_rows(tx: Tx) -> list[OverviewRow]:
    """Return every conversation in the order of ``LIST``."""
    return tx.rows(_make, LIST)


def get(tx: Tx, cid: int) -> OverviewRow | None:
    """Return one conversation by its local number; None also for what is never shown."""
    return tx.row(_make, f"{_SELECT} WHERE c.cid = ? AND c.kind <> {_HIDDEN}", (cid,))


def by_uid(tx: Tx, uid: bytes) -> OverviewRow | None:
    """Return one conversation by its id at the relay."""
    return tx.row(_make, f"{_SELECT} WHERE c.uid = ? AND c.kind <> {_HIDDEN}", (uid,))


def _make(row: Row) -> OverviewRow:
    conversation = ConversationRow._make(row[:_FIRST_MESSAGE])
    newest = row[_FIRST_MESSAGE:_FIRST_DRAFT]
    draft = row[_FIRST_DRAFT:_FIRST_ARRANGEMENT]
    arrangement = row[_FIRST_ARRANGEMENT:]
    return OverviewRow(
        conversation,
        None if newest[0] is None else MessageRow._make(newest),
        None if draft[0] is None else DraftRow._make(draft),
        ArrangementRow(conversation.cid)
        if arrangement[0] is None
        else ArrangementRow._make(arrangement),
    )
