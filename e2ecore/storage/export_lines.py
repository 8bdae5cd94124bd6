"""Messages as lines of an export, made by SQLite itself: no object for each column of each row.

The line is laid down in ``docs/portability.md``. SQLite writes JSON strings as Python's ``json``
does without ``ensure_ascii``; a test compares the two.
"""

from typing import Final, NamedTuple, cast

from e2ecore.storage.messages import MAX_PAGE, ORDER_BITS
from e2ecore.storage.sql import Row
from e2ecore.storage.tx import Tx

PAGE_CHARS: Final = 4 << 20
"""Text of one page: what a reader holds in memory at once, if no single message has more."""

_LINES: Final = f"""
    SELECT id, mid, uid, format(
        '{{"id":"%s","from":"%s","device":"%s","counter":%d,"sent_ms":%d,"stored_ms":%d,"kind":%d'
        || ',"state":"%s","text":%s}}' || char(10),
        lower(hex(uid)), lower(hex(account_id)), lower(hex(device_id)), counter, sent_ms, stored_ms,
        kind,
        CASE state WHEN 0 THEN 'received' WHEN 1 THEN 'queued' WHEN 2 THEN 'accepted'
            ELSE 'failed' END,
        json_quote(body)
    ), ext, seq FROM messages WHERE id > ? AND id < ? AND sent_ms >= ? ORDER BY id LIMIT {MAX_PAGE}
"""  # noqa: S608 - a number of ours


class Line(NamedTuple):
    """A message that is to be exported."""

    id: int
    mid: int
    uid: bytes
    text: str
    """A JSON object and the end of the line."""
    ext: bytes
    """What is stored besides, and not in the line."""
    seq: int
    """Number in the relay's log, not in the line; 0: none."""


def after(tx: Tx, cid: int, cursor: int, since_ms: int = 0) -> tuple[list[Line], bool]:
    """Return the lines behind the message of a row id, and whether there are more.

    A page has at most 1,000 lines, and ends with the first ones that fill ``PAGE_CHARS``. What was
    sent before ``since_ms`` is left out.
    """
    params = max(cursor, cid << ORDER_BITS), (cid + 1) << ORDER_BITS, since_ms
    found, is_cut = tx.rows_within(Line._make, _LINES, params, size=_size, budget=PAGE_CHARS)
    return found, is_cut or len(found) == MAX_PAGE


def _size(row: Row) -> int:
    return len(cast("str", row[3])) + len(cast("bytes", row[4]))
