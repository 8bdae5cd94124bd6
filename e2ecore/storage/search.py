"""Finding messages: the newest hits first, page by page, complete whatever the index has got to.

Three sources, asked in the order of arrival, the newest first: what no slice has noted yet, what is
noted and not indexed, and the index. The first two are read and compared one by one; where the
index does not exist or is damaged, that is everything. One call compares at most ``MAX_COMPARED``
noted messages with the terms: where few match, a page may be short and yet not the last.
``Found.cursor`` says.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, cast

from e2ecore.storage import search_index
from e2ecore.storage.errors import CorruptDatabaseError
from e2ecore.storage.messages import MAX_PAGE, ORDER_BITS, MessageRow
from e2ecore.storage.search_index import BLOCK_BITS, Behind
from e2ecore.storage.search_tokens import (
    NO_FOLD,
    PREFIX_CHARACTERS,
    Fold,
    Query,
    conversation_token,
    parse,
)
from e2ecore.storage.sql import Row
from e2ecore.storage.tx import Tx

MAX_COMPARED: Final = 10_000
"""Messages that one call reads and compares, newest first; about 0.1 s."""
NEWEST: Final = 1 << 62
"""A cursor before which everything is."""
_CHUNK: Final = 500
_FEW: Final = 20
PROBED: Final = 8
"""Tokens of a long question of which is found out how rare they are; the others are not asked."""
_ASKED: Final = 2
"""The rarest tokens, which the index is asked for in any case..."""
_CHEAP: Final = 20_000
"""... and others that so many messages have at most: their lists are read in no time."""
_PROBE: Final = 16
"""How many messages back is looked to find out how rare a token is."""
_FOREVER_MS: Final = 1 << 62
_COLUMNS: Final = ", ".join(f"m.{name}" for name in MessageRow._fields)
_NOTED: Final = (
    f"SELECT {_COLUMNS} FROM arrivals AS a CROSS JOIN messages AS m ON m.id = a.id"  # noqa: S608
    " WHERE a.mid > ? AND a.mid < ? AND a.id >= ? AND a.id < ? ORDER BY a.mid DESC LIMIT ?"
)
_INDEXED: Final = (
    f"SELECT {_COLUMNS} FROM search AS s CROSS JOIN arrivals AS a ON a.mid = s.rowid"  # noqa: S608
    " CROSS JOIN messages AS m ON m.id = a.id"
    " WHERE s.search MATCH ? AND s.rowid >= ? AND s.rowid < ? ORDER BY s.rowid DESC LIMIT ?"
)
_RARITY: Final = (
    "SELECT rowid FROM search WHERE search MATCH ? AND rowid < ? ORDER BY rowid DESC"
    " LIMIT 1 OFFSET ?"
)
_BLOCKS: Final = (
    "SELECT block FROM arrival_times WHERE last_ms >= ? AND first_ms < ? AND block <= ?"
    " ORDER BY block DESC"
)


@dataclass(frozen=True, slots=True)
class Filter:
    """What a hit must be besides having the terms."""

    cid: int = 0
    """Conversation; 0: any."""
    account_id: bytes = b""
    """Who wrote it; empty: anybody."""
    after_ms: int = 0
    """Sent then or later, by the sender's clock."""
    before_ms: int = _FOREVER_MS
    """Sent earlier."""
    kinds: frozenset[int] = frozenset()
    """As in ``messages.kind``; empty: any."""

    def passes(self, row: MessageRow) -> bool:
        """Answer whether a message is what was asked for."""
        return (
            self.after_ms <= row.sent_ms < self.before_ms
            and (not self.cid or row.id >> ORDER_BITS == self.cid)
            and (not self.account_id or row.account_id == self.account_id)
            and (not self.kinds or row.kind in self.kinds)
        )

    @property
    def tokens(self) -> list[str]:
        """What the index knows of it."""
        return [conversation_token(self.cid)] if self.cid else []

    @property
    def ids(self) -> tuple[int, int]:
        """Row ids from the first up to the second, without it."""
        if not self.cid:
            return 0, _FOREVER_MS
        return self.cid << ORDER_BITS, (self.cid + 1) << ORDER_BITS


ANYTHING: Final = Filter()


class Found(NamedTuple):
    """A page of hits."""

    rows: list[MessageRow]
    """The newest first, by arrival."""
    cursor: int
    """Where the next page begins; 0: this was the last."""
    index_failed: bool
    """The index is damaged: this page was found without it, and it should be made anew."""


class _Page:
    """One page being filled."""

    def __init__(self, query: Query, asked: Filter, limit: int) -> None:
        self.rows: list[MessageRow] = []
        self.upto = 0
        """Everything from this arrival number on has been looked at; 0: everything."""
        self._query = query
        self._asked = asked
        self.limit = limit
        self._left = MAX_COMPARED
        self._has_filter = asked != ANYTHING

    @property
    def is_full(self) -> bool:
        return bool(self.upto)

    def hits(self, rows: Iterable[MessageRow], *, exact: bool = False) -> Iterator[MessageRow]:
        """Yield what of these messages was asked for."""
        passes = self._asked.passes if self._has_filter else None
        matches = None if exact else self._query.matches
        for row in rows:
            if (passes is None or passes(row)) and (matches is None or matches(row.body)):
                yield row

    @property
    def promising(self) -> int:
        """How many messages to look at next: if they are as those before, a few more than enough.

        It is a guess; too many cost as much as too few.
        """
        looked = MAX_COMPARED - self._left
        wanted = (self.limit - len(self.rows)) * looked // max(1, len(self.rows))
        return max(_FEW, min(wanted + wanted // 4, _CHUNK))

    def take(self, rows: list[MessageRow], *, exact: bool = False) -> None:
        """Look at messages, in descending order of arrival, until the page is full."""
        self._left -= len(rows)
        for row in self.hits(rows, exact=exact):
            self.rows.append(row)
            if len(self.rows) == self.limit:
                self.upto = row.mid
                return
        if self._left <= 0 and rows:
            self.upto = rows[-1].mid


def find(
    tx: Tx,
    text: str,
    asked: Filter = ANYTHING,
    *,
    limit: int = 50,
    cursor: int = NEWEST,
    fold: Fold = NO_FOLD,
) -> Found:
    """Return a page of the messages that have every term of a text, the newest first.

    Args:
        tx: One snapshot.
        text: As typed: terms with white space between them, nothing else has a meaning.
        asked: What they must be besides.
        limit: At most so many, up to 1,000.
        cursor: ``Found.cursor`` of the page before.
        fold: Characters to be taken for others.

    Raises:
        SearchTextError: The text is too long.
    """
    query = parse(text, fold, asked.tokens)
    if not query.terms:
        return Found([], 0, index_failed=False)
    now = search_index.state(tx)
    usable = now.made_with == search_index.made_with(fold) and not now.damaged
    indexed = now.indexed_mid if usable else 0
    page = _Page(query, asked, max(1, min(limit, MAX_PAGE)))
    failed = bool(now.damaged)
    if now.noted_mid + 1 < cursor:
        _take_unnoted(tx, page, now.noted_mid, asked, cursor)
    if not page.is_full and indexed < now.noted_mid:
        _take_noted(tx, page, indexed, min(cursor, now.noted_mid + 1), asked)
    if indexed and not page.is_full:
        try:
            _take_indexed(tx, page, query, asked, min(cursor, indexed + 1))
        except CorruptDatabaseError:
            failed = True
            _take_noted(tx, page, 0, min(cursor, indexed + 1), asked)
    return Found(page.rows, page.upto, failed)


def _take_unnoted(tx: Tx, page: _Page, noted_mid: int, asked: Filter, cursor: int) -> None:
    """Look at what came after ``noted_mid``: nearly always nothing, or the last second's.

    Reads all of it: what no slice has noted lies by conversation, and the newest hits can be in
    any of them.
    """
    behind = search_index.behind(tx, noted_mid)
    waiting = [one for one in behind if not asked.cid or one.cid == asked.cid]
    if waiting:
        found = page.hits(_unnoted(tx, waiting, noted_mid, asked, cursor))
        page.take(heapq.nlargest(page.limit, found, key=lambda row: row.mid), exact=True)


def _unnoted(
    tx: Tx, waiting: list[Behind], noted_mid: int, asked: Filter, cursor: int
) -> Iterator[MessageRow]:
    for one in waiting:
        upto = one.upto
        while rows := search_index.after(tx, upto, _CHUNK):
            yield from (row for row in rows if noted_mid < row.mid < cursor)
            upto = rows[-1].id
    while rows := _noted(tx, noted_mid, cursor, asked):
        yield from rows
        cursor = rows[-1].mid


def _noted(tx: Tx, above: int, below: int, asked: Filter) -> list[MessageRow]:
    return tx.rows(MessageRow._make, _NOTED, (above, below, *asked.ids, _CHUNK))


def _take_noted(tx: Tx, page: _Page, above: int, below: int, asked: Filter) -> None:
    """Look at what is noted between two arrival numbers, neither of them included."""
    while not page.is_full and (rows := _noted(tx, above, below, asked)):
        page.take(rows)
        below = rows[-1].mid


def _take_indexed(tx: Tx, page: _Page, query: Query, asked: Filter, below: int) -> None:
    """Ask the index, and compare what it names where its answer is not the whole one."""
    ranges = _ranges(tx, asked, below)
    if not ranges:
        return
    match, is_exact = _plan(tx, query, ranges[0][1])
    for first, stop in ranges:
        end, size = stop, page.limit
        while not page.is_full:
            rows = tx.rows(MessageRow._make, _INDEXED, (match, first, end, size))
            page.take(rows, exact=is_exact)
            if len(rows) < size:
                break
            end = rows[-1].mid
            size = page.promising


def _plan(tx: Tx, query: Query, below: int) -> tuple[str, bool]:
    """Return what to ask the index for, and whether its answer is the whole one.

    To intersect lists, the index looks into each of them for each entry of the shortest: the more
    tokens are asked for, the dearer. The two rarest of many leave little that has to be compared.
    """
    if len(query.tokens) <= _ASKED:
        return query.match, query.is_exact
    step = -(-len(query.tokens) // PROBED)
    ranked = sorted((_messages(tx, _whole(token), below), token) for token in query.tokens[::step])
    cheap = [token for count, token in ranked[_ASKED:] if count <= _CHEAP]
    chosen = [*(_whole(token) for _, token in ranked[:_ASKED]), *map(_whole, cheap)]
    is_exact = query.is_exact and set(chosen) == set(query.tokens)
    return " AND ".join(chosen), is_exact


def _whole(token: str) -> str:
    """Return a token that is asked for whole, and that every message with this one has.

    For a word by its beginning the lists of many words are merged before anything is found.
    """
    return f'"{token[1 : 1 + PREFIX_CHARACTERS]}"' if token.endswith("*") else token


def _messages(tx: Tx, token: str, below: int) -> int:
    """Return about how many messages have a token, from how far the newest of them lie apart."""
    some_way_back = tx.value(int, _RARITY, (token, below, _PROBE))
    return 0 if some_way_back is None else _PROBE * below // (below - some_way_back)


def _ranges(tx: Tx, asked: Filter, below: int) -> list[tuple[int, int]]:
    """Return the ranges of arrival numbers in which messages of the time asked for can be."""
    if not asked.after_ms and asked.before_ms == _FOREVER_MS:
        return [(0, below)]
    newest = (below - 1) >> BLOCK_BITS
    wanted = tx.rows(_first, _BLOCKS, (asked.after_ms, asked.before_ms, newest))
    found: list[tuple[int, int]] = []
    for block in wanted:
        first, end = block << BLOCK_BITS, min(below, (block + 1) << BLOCK_BITS)
        if found and found[-1][0] == end:
            _, end = found.pop()
        found.append((first, end))
    return found


def _first(row: Row) -> int:
    return cast("int", row[0])
