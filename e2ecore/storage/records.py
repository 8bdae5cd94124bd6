"""SQLite's file format, as far as rows of damaged files are read by it: nodes, cells, records.

Everything here takes pages that were authenticated, and still trusts no number in them: what does
not fit raises ``BrokenPageError``. See sqlite.org/fileformat2.html, "B-tree Pages" and "Record
Format".
"""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from e2ecore.storage.sealed_pages import USABLE_BYTES
from e2ecore.storage.sql import Row, SqlValue

INNER_INDEX: Final = 2
INNER_TABLE: Final = 5
LEAF_INDEX: Final = 10
LEAF_TABLE: Final = 13
KINDS: Final = frozenset({INNER_INDEX, INNER_TABLE, LEAF_INDEX, LEAF_TABLE})
"""First byte of a page of a tree. All others begin with the number of another page, and 0."""
INNER: Final = frozenset({INNER_INDEX, INNER_TABLE})
_FILE_HEADER_BYTES: Final = 100
_MIN_LOCAL: Final = (USABLE_BYTES - 12) * 32 // 255 - 23
_MAX_LOCAL_INDEX: Final = (USABLE_BYTES - 12) * 64 // 255 - 23
_MAX_LOCAL_TABLE: Final = USABLE_BYTES - 35
_MAX_PAYLOAD_BYTES: Final = 1 << 30
"""As SQLite's own limit."""
_INTEGER_BYTES: Final = (0, 1, 2, 3, 4, 6, 8)
_REAL: Final = 7
_ZERO: Final = 8
_ONE: Final = 9
_FIRST_BLOB: Final = 12

ReadPage = Callable[[int], bytes | None]


class BrokenPageError(Exception):
    """What a page says does not fit together, or goes on in a page that cannot be read."""


class Node(NamedTuple):
    """A page of a tree."""

    kind: int
    cells: tuple[int, ...]
    """Where its cells begin, in order of their keys."""
    right: int
    """Of an inner page: the page behind its last cell."""
    page: bytes


class Cell(NamedTuple):
    """One entry of a page of a tree."""

    child: int
    """Of an inner page: the page before it; else 0."""
    rowid: int
    """Of a table with row ids; else 0."""
    payload: bytes
    """The record; empty in inner pages of tables with row ids."""


def node(page: bytes, number: int) -> Node | None:
    """Return a page as what it is in a tree; None if it is of no tree."""
    start = _FILE_HEADER_BYTES if number == 1 else 0
    kind = page[start]
    if kind not in KINDS:
        return None
    count = int.from_bytes(page[start + 3 : start + 5], "big")
    inner = kind in INNER
    first = start + (12 if inner else 8)
    end = first + 2 * count
    if end > USABLE_BYTES:
        return None
    cells = tuple(int.from_bytes(page[at : at + 2], "big") for at in range(first, end, 2))
    if any(not end <= at < USABLE_BYTES for at in cells):
        return None
    right = int.from_bytes(page[start + 8 : start + 12], "big") if inner else 0
    return Node(kind, cells, right, page)


def cells(found: Node, read: ReadPage) -> Iterator[Cell | None]:
    """Yield the entries of a page; None for one that goes on in a page that cannot be read."""
    for at in found.cells:
        try:
            yield _cell(found, at, read)
        except (BrokenPageError, IndexError):
            yield None


def children(found: Node) -> list[int]:
    """Return the pages below an inner page, in order."""
    below = [int.from_bytes(found.page[at : at + 4], "big") for at in found.cells]
    return [*below, found.right]


def _cell(found: Node, at: int, read: ReadPage) -> Cell:
    page, kind = found.page, found.kind
    child = rowid = 0
    if kind in INNER:
        child = int.from_bytes(page[at : at + 4], "big")
        at += 4
    if kind == INNER_TABLE:
        return Cell(child, _signed(_varint(page, at)[0]), b"")
    size, at = _varint(page, at)
    if kind == LEAF_TABLE:
        number, at = _varint(page, at)
        rowid = _signed(number)
    most = _MAX_LOCAL_TABLE if kind == LEAF_TABLE else _MAX_LOCAL_INDEX
    if size <= most:
        if at + size > USABLE_BYTES:
            raise BrokenPageError
        return Cell(child, rowid, page[at : at + size])
    return Cell(child, rowid, _spilled(page, at, size, most, read))


def _spilled(page: bytes, at: int, size: int, most: int, read: ReadPage) -> bytes:
    """Return a record that goes on in other pages."""
    if size > _MAX_PAYLOAD_BYTES:
        raise BrokenPageError
    local = _MIN_LOCAL + (size - _MIN_LOCAL) % (USABLE_BYTES - 4)
    if local > most:
        local = _MIN_LOCAL
    if at + local + 4 > USABLE_BYTES:
        raise BrokenPageError
    parts = [page[at : at + local]]
    left = size - local
    following = int.from_bytes(page[at + local : at + local + 4], "big")
    while left > 0:
        more = read(following)
        if more is None:
            raise BrokenPageError
        parts.append(more[4 : 4 + left])
        left -= USABLE_BYTES - 4
        following = int.from_bytes(more[:4], "big")
    return b"".join(parts)


def record(payload: bytes) -> Row:
    """Return the values of a record.

    Raises:
        BrokenPageError: It is none, or none of ours: it has a fraction in it.
    """
    try:
        end, at = _varint(payload, 0)
        values: list[SqlValue] = []
        place = end
        while at < end:
            kind = payload[at]
            if kind < 128:  # noqa: PLR2004 - one byte says it
                at += 1
            else:
                kind, at = _varint(payload, at)
            if kind >= _FIRST_BLOB:
                size = (kind - _FIRST_BLOB) >> 1
                data = payload[place : place + size]
                values.append(data.decode() if kind & 1 else data)
            else:
                size, value = _number(kind, payload, place)
                values.append(value)
            place += size
    except (IndexError, UnicodeDecodeError):
        raise BrokenPageError from None
    if place != len(payload) or at != end:
        raise BrokenPageError
    return tuple(values)


def _number(kind: int, payload: bytes, place: int) -> tuple[int, int | None]:
    """Return the size and the value of a number or of nothing."""
    if kind < _REAL:
        size = _INTEGER_BYTES[kind]
        if not size:
            return 0, None
        return size, int.from_bytes(payload[place : place + size], "big", signed=True)
    if kind in {_ZERO, _ONE}:
        return 0, kind - _ZERO
    raise BrokenPageError


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of one to nine bytes, and where it ends."""
    value = 0
    for _ in range(8):
        byte = data[at]
        at += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:  # noqa: PLR2004 - the last byte of a number
            return value, at
    return value << 8 | data[at], at + 1


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
