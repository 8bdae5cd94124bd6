"""Walking one table of a damaged database: everything that can be read, and where the gaps are."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, cast

from e2ecore.storage.errors import CorruptDatabaseError, DiskError
from e2ecore.storage.sql import Connection, Row, SqlValue

DERIVED: Final = frozenset({"arrivals", "arrival_times", "arrival_marks", "search_state"})
"""Tables that are made anew from the messages."""
CHUNK_ROWS: Final = 256
"""Rows per statement and transaction."""
_SHRINK: Final = 8
HALVINGS: Final = 6
"""How often what lies between two damaged places is halved in search of something readable: up to
63 looks at what is, nearly always, one page."""
_TOP: Final = (1 << 63) - 1
_LEAP: Final = 1 << 31
"""How far ahead is looked where a table's end is not known: half a conversation of messages."""

Place = tuple[SqlValue, ...]
"""Values of the first columns of a key."""


class Gap(NamedTuple):
    """Rows that could not be read: those behind ``after`` and before ``before``; None: no limit."""

    after: Place | None
    before: Place | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a table that is still to be walked."""

    start: Place | None = None
    end: Place | None = None
    """Not included."""
    includes_start: bool = False
    halvings: int = HALVINGS


@dataclass(slots=True)
class Walked:
    """How far a walk is."""

    todo: list[Stretch]
    """What comes next is at the end."""
    gaps: list[Gap] = field(default_factory=list)
    saved: int = 0

    @classmethod
    def begin(cls) -> "Walked":
        """Return the start of a walk."""
        return cls([Stretch()])

    def encode(self) -> str:
        """Return it as text."""
        todo = [[_plain(s.start), _plain(s.end), s.includes_start, s.halvings] for s in self.todo]
        gaps = [[_plain(gap.after), _plain(gap.before)] for gap in self.gaps]
        return json.dumps([todo, gaps, self.saved])

    @classmethod
    def decode(cls, text: str) -> "Walked":
        """Read what ``encode`` wrote."""
        todo, gaps, saved = cast("_Plain", json.loads(text))
        return cls(
            [Stretch(_place(a), _place(b), c, d) for a, b, c, d in todo],
            [Gap(_place(a), _place(b)) for a, b in gaps],
            saved,
        )


_PlainPlace = list["int | str | dict[str, str] | None"] | None
_Plain = tuple[
    list[tuple[_PlainPlace, _PlainPlace, bool, int]], list[tuple[_PlainPlace, _PlainPlace]], int
]


def _plain(place: Place | None) -> _PlainPlace:
    if place is None:
        return None
    return [{"hex": one.hex()} if isinstance(one, bytes) else one for one in place]


def _place(plain: _PlainPlace) -> Place | None:
    if plain is None:
        return None
    return tuple(bytes.fromhex(one["hex"]) if isinstance(one, dict) else one for one in plain)


class Table(NamedTuple):
    """A table as its own schema describes it."""

    name: str
    key: tuple[str, ...]
    """Columns by which it is sorted."""
    columns: tuple[str, ...]
    """The key first."""

    @property
    def insert(self) -> str:
        """The statement that stores a row; a second time it changes nothing."""
        marks = ", ".join("?" * len(self.columns))
        return f"REPLACE INTO {self.name} ({', '.join(self.columns)}) VALUES ({marks})"  # noqa: S608 - names of our schema

    def select(self, stretch: Stretch, *, backwards: bool) -> tuple[str, Place]:
        """Return the statement that reads a stretch from one of its ends."""
        found: list[str] = []
        values: Place = ()
        if stretch.start is not None:
            found.append(self._compare(stretch.start, ">=" if stretch.includes_start else ">"))
            values = stretch.start
        if stretch.end is not None:
            found.append(self._compare(stretch.end, "<"))
            values = (*values, *stretch.end)
        where = f" WHERE {' AND '.join(found)}" if found else ""
        way = " DESC" if backwards else ""
        order = ", ".join(column + way for column in self.key)
        columns = ", ".join(self.columns)
        return f"SELECT {columns} FROM {self.name}{where} ORDER BY {order} LIMIT ?", values  # noqa: S608 - names of our schema

    def place(self, row: Row) -> Place:
        """Return where a row stands."""
        return row[: len(self.key)]

    def _compare(self, place: Place, how: str) -> str:
        columns = ", ".join(self.key[: len(place)])
        return f"({columns}) {how} ({', '.join('?' * len(place))})"


class _Column(NamedTuple):
    name: str
    type: str
    pk: int


def tables_of(connection: Connection) -> list[Table]:
    """Return the ordinary tables of a database, those with the fewest rows of their own first."""
    names = connection.rows(
        lambda row: (str(row[0]), bool(row[1])),
        "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
        " AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name",
    )
    return [_table(connection, name, is_keyed=is_keyed) for name, is_keyed in names]


def _table(connection: Connection, name: str, *, is_keyed: bool) -> Table:
    columns = connection.rows(
        _Column._make, "SELECT name, type, pk FROM pragma_table_info(?)", (name,)
    )
    keys = sorted((one for one in columns if one.pk), key=lambda one: one.pk)
    if is_keyed or (len(keys) == 1 and keys[0].type == "INTEGER"):
        key = tuple(one.name for one in keys)
    else:
        key = ("rowid",)
    return Table(name, key, key + tuple(one.name for one in columns if one.name not in key))


class TableWalk:
    """Iterates over the rows of a table that can be read, chunk by chunk."""

    def __init__(self, connect: Callable[[], Connection], table: Table, walked: Walked) -> None:
        """Go on from ``walked``, which changes as the walk does."""
        self._connect = connect
        self._connection: Connection | None = None
        self._table = table
        self.walked = walked
        """How far the walk is once the chunk that was yielded last is stored."""

    def __iter__(self) -> Iterator[list[Row]]:
        """Yield chunks; the last one is empty, so that the end can be noted as well."""
        try:
            while self.walked.todo:
                yield from self._walk(self.walked.todo.pop())
        finally:
            if self._connection is not None:
                self._connection.close()
        yield []

    def _walk(self, stretch: Stretch) -> Iterator[list[Row]]:
        for backwards in (False, True):
            limit = CHUNK_ROWS
            while limit:
                rows = self._read(stretch, limit, backwards=backwards)
                if rows is None:
                    limit //= _SHRINK
                elif not rows:
                    return
                else:
                    stretch = self._taken(stretch, rows, backwards=backwards)
                    yield rows
        yield from self._between(stretch)

    def _taken(self, stretch: Stretch, rows: list[Row], *, backwards: bool) -> Stretch:
        """Note that rows at one end of a stretch are read."""
        last = self._table.place(rows[-1])
        if self.walked.todo and self.walked.todo[-1] is stretch:
            self.walked.todo.pop()
        if backwards:
            left = Stretch(stretch.start, last, stretch.includes_start, stretch.halvings)
        else:
            left = Stretch(last, stretch.end, includes_start=False, halvings=stretch.halvings)
        self.walked.todo.append(left)
        self.walked.saved += len(rows)
        return left

    def _between(self, stretch: Stretch) -> Iterator[list[Row]]:
        """Neither end of a stretch can be read: look in its middle."""
        if self.walked.todo and self.walked.todo[-1] is stretch:
            self.walked.todo.pop()
        middle = _middle(stretch.start, stretch.end) if stretch.halvings else None
        if middle is None:
            self._lost(stretch)
            return
        left = stretch.halvings - 1
        behind = Stretch(middle, stretch.end, includes_start=True, halvings=left)
        before = Stretch(stretch.start, middle, stretch.includes_start, left)
        self.walked.todo += [behind, before]
        yield []

    def _lost(self, stretch: Stretch) -> None:
        gaps = self.walked.gaps
        if gaps and gaps[-1].before is not None and gaps[-1].before == stretch.start:
            gaps[-1] = Gap(gaps[-1].after, stretch.end)
        else:
            gaps.append(Gap(stretch.start, stretch.end))

    def _read(self, stretch: Stretch, limit: int, *, backwards: bool) -> list[Row] | None:
        """Return rows, or None if they cannot be read; then the connection is of no use either."""
        if self._connection is None:
            self._connection = self._connect()
        sql, values = self._table.select(stretch, backwards=backwards)
        try:
            return self._connection.rows(tuple, sql, (*values, limit))
        except (CorruptDatabaseError, DiskError):
            self._connection.close()
            self._connection = None
            return None


def _middle(start: Place | None, end: Place | None) -> Place | None:
    """Return a place between two others; None if there is none, or none that can be computed."""
    known = start if start is not None else end
    if known is None:
        return None
    low = start if start is not None else tuple(_lowest(one) for one in known)
    if end is None:
        first = low[0]
        if isinstance(first, int):
            return (first + _LEAP,) if first < _TOP - _LEAP else None
        return _between_values((), first, b"\xff" * 32 if isinstance(first, bytes) else first)
    for at, (one, other) in enumerate(zip(low, end, strict=False)):
        if one != other:
            return _between_values(low[:at], one, other)
    return None


def _between_values(same: Place, low: SqlValue, high: SqlValue) -> Place | None:
    if isinstance(low, int) and isinstance(high, int):
        middle = (low + high) // 2
        return (*same, middle) if low < middle < high else None
    if isinstance(low, bytes) and isinstance(high, bytes):
        size = max(len(low), len(high), 1)
        a, b = (int.from_bytes(one.ljust(size, b"\0"), "big") for one in (low, high))
        middle = (a + b) // 2
        return (*same, middle.to_bytes(size, "big")) if a < middle < b else None
    return None


def _lowest(like: SqlValue) -> SqlValue:
    return b"" if isinstance(like, bytes) else -1 if isinstance(like, int) else ""
