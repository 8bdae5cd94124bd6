"""The search index: made behind the messages' backs, always possible to do without.

Storing a message writes nothing here. When the engine is idle, slices of work follow:

1. ``note_slice``: what is in ``messages`` and not yet in ``arrivals`` is noted there, conversation
   by conversation. ``arrivals`` puts the arrival numbers (``mid``) in order, which ``messages``
   does not: its rows lie by conversation. Message ids are noted with them; of imported messages
   (``note_import``) later, by ``name_slice``.
2. ``add_slice``: what is noted and not yet in the index is added, in the order of arrival. Only
   then does FTS5 take it without sorting, and the newest hits come out first without sorting.

A search asks the index up to ``indexed_mid`` and reads what came later, so it is always complete.

The index is an FTS5 table without content: it holds tokens (``search_tokens``) and arrival numbers.
Removing an entry takes the very tokens that it was made with. Therefore ``made_with`` names the
rules and tables that they came from; if those of this program differ, the index is dropped and made
anew. With FTS5's ``secure-delete`` a removed entry leaves nothing behind, at some milliseconds
each. Without it removed entries are marked, and gone when everything was merged (``begin_merge``).
"""

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from e2ecore.storage.messages import ORDER_BITS, MessageRow
from e2ecore.storage.search_tokens import (
    NO_FOLD,
    VERSION,
    Fold,
    conversation_token,
    normal,
    tokens,
)
from e2ecore.storage.sql import select
from e2ecore.storage.tx import Tx

BLOCK_BITS: Final = 10
"""Arrival numbers of one row of ``arrival_times``."""
LEAF_BYTES: Final = 3970
"""What FTS5 puts into one row of its own. Its usual 4050 do not fit into an encrypted page of 4096
bytes, 80 of which are not for use, and take two: the index becomes an eighth larger."""
AUTO_MERGE: Final = 16
"""Segments of one size that are merged while others are added. FTS5's usual 4 writes everything
more often; 8 cost a fifteenth more here, and questions were answered as fast."""
CRISIS_MERGE: Final = 64
"""Segments of one size that are merged at once, however long that takes. FTS5's usual 16 is
reached together with ``AUTO_MERGE``: one slice merged all of them then, for seconds in a long
history. Far above it, each slice merges a little."""
MERGE_PAGES: Final = 500
"""Pages of the index that one slice of merging writes: about 20 ms."""

_CREATE: Final = (
    "CREATE VIRTUAL TABLE search USING fts5(tokens, content = '', columnsize = 0, detail = none,"
    " tokenize = 'ascii')"
)
_ADD: Final = "INSERT INTO search (rowid, tokens) VALUES (?, ?)"
_REMOVE: Final = "INSERT INTO search (search, rowid, tokens) VALUES ('delete', ?, ?)"
_SETTING: Final = "INSERT INTO search (search, rank) VALUES (?, ?)"
_SETTINGS: Final = (
    ("pgsz", LEAF_BYTES),
    ("automerge", AUTO_MERGE),
    ("crisismerge", CRISIS_MERGE),
    ("secure-delete", 1),
)
_TO_ADD: Final = (
    "SELECT a.mid, a.id, m.body FROM arrivals AS a CROSS JOIN messages AS m ON m.id = a.id"
    " WHERE a.mid > ? AND a.mid <= ? ORDER BY a.mid LIMIT ?"
)


class SearchState(NamedTuple):
    """The row of ``search_state``."""

    made_with: str
    noted_mid: int
    indexed_mid: int
    damaged: int


class Behind(NamedTuple):
    """A conversation with messages that are not in ``arrivals`` yet."""

    cid: int
    upto: int
    named: int
    last_mid: int


_STATE: Final = select("search_state", SearchState._fields)
_BEHIND: Final = (
    "SELECT c.cid, coalesce(k.upto, c.cid << 32), coalesce(k.named, c.cid << 32), c.last_mid"
    " FROM conversations AS c LEFT JOIN arrival_marks AS k ON k.cid = c.cid WHERE c.last_mid > ?"
)
_UNNAMED: Final = (
    "SELECT c.cid FROM conversations AS c LEFT JOIN arrival_marks AS k ON k.cid = c.cid"
    " WHERE c.kind = 3 AND coalesce(k.named, c.cid << 32) < (c.cid << 32) + c.next_order - 1"
    " LIMIT 1"
)
_ALL_NAMED: Final = (
    "REPLACE INTO arrival_marks (cid, upto, named) SELECT cid, (cid << 32) + next_order - 1,"
    " (cid << 32) + next_order - 1 FROM conversations WHERE cid = ?"
)
_MARK: Final = "REPLACE INTO arrival_marks (cid, upto, named) VALUES (?, ?, ?)"
_AFTER: Final = (
    f"{select('messages', MessageRow._fields)} WHERE id > ? AND id < ? ORDER BY id LIMIT ?"
)


def made_with(fold: Fold = NO_FOLD) -> str:
    """Return the name of the rules that tokens are made by in this program."""
    table = hashlib.sha256(repr(sorted(fold.items())).encode()).hexdigest()[:16] if fold else "-"
    return f"{VERSION} {unicodedata.unidata_version} {table}"


def state(tx: Tx) -> SearchState:
    """Return how far the index has got."""
    return tx.row(SearchState._make, _STATE) or SearchState("", 0, 0, 1)


def behind(tx: Tx, noted_mid: int) -> list[Behind]:
    """Return the conversations that have messages which are not in ``arrivals`` yet."""
    return tx.rows(Behind._make, _BEHIND, (noted_mid,))


def after(tx: Tx, upto: int, limit: int) -> list[MessageRow]:
    """Return the messages behind a row id in its conversation, in order."""
    end = ((upto >> ORDER_BITS) + 1) << ORDER_BITS
    return tx.rows(MessageRow._make, _AFTER, (upto, end, limit))


def named_upto(tx: Tx, cid: int) -> int:
    """Return the row id up to which a conversation's messages are in ``message_names``."""
    return _marks(tx, cid).named


class _Marks(NamedTuple):
    upto: int
    named: int


def _marks(tx: Tx, cid: int) -> _Marks:
    found = tx.row(_Marks._make, "SELECT upto, named FROM arrival_marks WHERE cid = ?", (cid,))
    return found or _Marks(cid << ORDER_BITS, cid << ORDER_BITS)


def note_next(tx: Tx, cid: int, limit: int) -> list[MessageRow]:
    """Note the next messages of a conversation that have no names yet; return which."""
    upto, named = _marks(tx, cid)
    rows = after(tx, named, limit)
    if rows:
        note(tx, rows)
        tx.execute(_MARK, (cid, max(upto, rows[-1].id), rows[-1].id))
    return rows


def note(tx: Tx, rows: Sequence[MessageRow]) -> None:
    """Put messages into ``arrivals``, and their ids into ``message_names``."""
    _note_arrivals(tx, rows)
    tx.executemany(
        "INSERT OR IGNORE INTO message_names (uid, id) VALUES (?, ?)",
        [(row.uid, row.id) for row in rows],
    )


def note_import(tx: Tx, rows: Sequence[MessageRow]) -> None:
    """Put messages into ``arrivals`` in the transaction that has stored them.

    So a search after an import has nothing to read that is not noted. Their names follow: each
    goes to another place of the file.

    Args:
        tx: The transaction.
        rows: The newest messages of one conversation, in order.
    """
    cid = rows[0].id >> ORDER_BITS
    upto, named = _marks(tx, cid)
    if all(row.id == rows[0].id for row in after(tx, upto, 1)):
        _note_arrivals(tx, rows)
        tx.execute(_MARK, (cid, rows[-1].id, named))


def _note_arrivals(tx: Tx, rows: Sequence[MessageRow]) -> None:
    tx.executemany(
        "REPLACE INTO arrivals (mid, id) VALUES (?, ?)", [(row.mid, row.id) for row in rows]
    )
    blocks: dict[int, tuple[int, int]] = {}
    for row in rows:
        first, last = blocks.get(row.mid >> BLOCK_BITS, (row.sent_ms, row.sent_ms))
        blocks[row.mid >> BLOCK_BITS] = min(first, row.sent_ms), max(last, row.sent_ms)
    tx.executemany(
        "INSERT INTO arrival_times (block, first_ms, last_ms) VALUES (?, ?, ?) ON CONFLICT (block)"
        " DO UPDATE SET first_ms = min(first_ms, excluded.first_ms),"
        " last_ms = max(last_ms, excluded.last_ms)",
        [(block, *times) for block, times in blocks.items()],
    )


def note_slice(tx: Tx, limit: int) -> int:
    """Note at most ``limit`` messages; return how many it were. 0: all are noted."""
    now = state(tx)
    done = 0
    waiting = behind(tx, now.noted_mid)
    for one in waiting:
        rows = after(tx, one.upto, limit - done)
        if rows:
            note(tx, rows)
            named = rows[-1].id if one.named == one.upto else one.named
            tx.execute(_MARK, (one.cid, rows[-1].id, named))
        done += len(rows)
        if done >= limit:
            return done
    if waiting:
        newest = max(one.last_mid for one in waiting)
        tx.execute("UPDATE search_state SET noted_mid = ?", (newest,))
    return done


def name_slice(tx: Tx, limit: int) -> int:
    """Name at most ``limit`` imported messages; return how many it were, at least 1. 0: all are."""
    cid = tx.value(int, _UNNAMED)
    if cid is None:
        return 0
    rows = note_next(tx, cid, limit)
    if not rows:  # the last ones were erased
        tx.execute(_ALL_NAMED, (cid,))
    return len(rows) or 1


def add_slice(tx: Tx, limit: int, fold: Fold = NO_FOLD) -> int:
    """Add at most ``limit`` noted messages to the index; return how many it were.

    Makes the index if there is none.
    """
    now = state(tx)
    if not now.made_with:
        create(tx, fold)
    rows = tx.rows(_Text._make, _TO_ADD, (now.indexed_mid, now.noted_mid, limit))
    _add(tx, rows, fold)
    upto = rows[-1].mid if len(rows) == limit else now.noted_mid
    if upto != now.indexed_mid:
        tx.execute("UPDATE search_state SET indexed_mid = ?", (upto,))
    return len(rows)


class _Text(NamedTuple):
    mid: int
    id: int
    body: str


def _entry(row: _Text | MessageRow, fold: Fold) -> str:
    return f"{conversation_token(row.id >> ORDER_BITS)} {tokens(normal(row.body, fold))}"


def _add(tx: Tx, rows: Iterable[_Text | MessageRow], fold: Fold) -> None:
    tx.executemany(_ADD, [(row.mid, _entry(row, fold)) for row in rows if row.body])


def remove(tx: Tx, rows: Iterable[MessageRow], fold: Fold = NO_FOLD) -> None:
    """Take messages out of the index and of ``arrivals``, before they are deleted or changed.

    Args:
        tx: The transaction that also deletes or changes them.
        rows: As they were when they were indexed.
        fold: As the index was made with.
    """
    now = state(tx)
    ordered = sorted(rows, key=lambda row: row.mid)
    if now.damaged or now.made_with not in ("", made_with(fold)):
        drop(tx)  # what it holds could not be named any more
    elif now.made_with:
        tx.executemany(
            _REMOVE,
            [
                (row.mid, _entry(row, fold))
                for row in ordered
                if row.body and row.mid <= now.indexed_mid
            ],
        )
    tx.executemany("DELETE FROM arrivals WHERE mid = ?", [(row.mid,) for row in ordered])


def replace(tx: Tx, old: MessageRow, new: MessageRow, fold: Fold = NO_FOLD) -> None:
    """Index the new text of a message that was changed; the caller changes its row.

    Args:
        tx: The transaction that also changes it.
        old: As it was.
        new: As it will be, with the same id and arrival number.
        fold: As the index was made with.
    """
    known = tx.value(int, "SELECT id FROM arrivals WHERE mid = ?", (old.mid,)) is not None
    remove(tx, [old], fold)
    if known:
        note(tx, [new])
        if state(tx).made_with and new.mid <= state(tx).indexed_mid:
            _add(tx, [new], fold)


def step(tx: Tx, limit: int, fold: Fold = NO_FOLD) -> int:
    """Do the next slice of whatever is to be done; 0: there is nothing.

    Args:
        tx: The transaction.
        limit: Messages at most.
        fold: Characters to be taken for others.
    """
    now = state(tx)
    if now.damaged or now.made_with not in ("", made_with(fold)):
        drop(tx)
        return 1
    return note_slice(tx, limit) or name_slice(tx, limit) or add_slice(tx, limit, fold)


def create(tx: Tx, fold: Fold = NO_FOLD) -> None:
    """Make an empty index."""
    tx.execute(_CREATE)
    for setting in _SETTINGS:
        tx.execute(_SETTING, setting)
    tx.execute(
        "UPDATE search_state SET made_with = ?, indexed_mid = 0, damaged = 0", (made_with(fold),)
    )


def drop(tx: Tx) -> None:
    """Remove the index for good. It is made anew by ``add_slice``."""
    tx.execute("DROP TABLE IF EXISTS search")
    tx.execute("UPDATE search_state SET made_with = '', indexed_mid = 0, damaged = 0")


def mark_damaged(tx: Tx) -> None:
    """Have nobody ask the index any more."""
    tx.execute("UPDATE search_state SET damaged = 1")


def secure_delete(tx: Tx, *, on: bool) -> None:
    """Have ``remove`` leave nothing behind at once, or only after a merge of everything."""
    tx.execute(_SETTING, ("secure-delete", int(on)))


def begin_merge(tx: Tx) -> None:
    """Begin to rewrite the whole index without what was removed."""
    tx.execute(_SETTING, ("merge", -MERGE_PAGES))


def merge_slice(tx: Tx) -> bool:
    """Go on with a merge; return whether there was something to do."""
    before = tx.value(int, "SELECT total_changes()") or 0
    tx.execute(_SETTING, ("merge", MERGE_PAGES))
    return (tx.value(int, "SELECT total_changes()") or 0) - before > 1  # as FTS5 documents it
