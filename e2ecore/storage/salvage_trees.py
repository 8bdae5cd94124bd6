"""Which pages are whose: the trees of a damaged database, put together from what can be read.

A tree is followed from its first page, which the schema names, or else a landmark. A page that
cannot be read leaves a *hole*: of the keys of what was below, and on it, the pages around it tell
between which they are. What was below it is found among the pages that nobody points to, *orphans*:
one is put into the hole that its keys and the form of its rows fit. What fits holes of two tables
is put nowhere: a row that is lost is better than one that is false.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from e2ecore.storage.landmarks import MAGIC, Landmarks, decode
from e2ecore.storage.records import (
    INNER,
    INNER_TABLE,
    LEAF_TABLE,
    BrokenPageError,
    Cell,
    Node,
    cells,
    children,
    node,
    record,
)
from e2ecore.storage.salvage_tables import LANDMARKS, Place, Table, others
from e2ecore.storage.sealed_pages import SealedPages
from e2ecore.storage.sql import Row

_BAD: Final = 255
_NO_TREE: Final = 0
_MAX_DEPTH: Final = 30
_SIZE_AT: Final = 28
_FREE_AT: Final = 32
_SCHEMA_AT: Final = 60
_SCHEMA_COLUMNS: Final = 5
_SCHEMA_TYPES: Final = frozenset({"table", "index", "view", "trigger"})


class Gap(NamedTuple):
    """Rows that could not be read: those between two places, and at them; None: no limit."""

    after: Place | None
    before: Place | None


@dataclass(slots=True)
class Hole:
    """A page of a tree that cannot be read."""

    page: int
    """0: the first page of the tree, and it is not known which that is."""
    gap: Gap
    found: list[tuple[Place, Place]] = field(default_factory=list)
    """First and last keys of orphans that were put here."""


@dataclass(slots=True)
class Tree:
    """What was found of a table."""

    table: Table
    pages: list[int] = field(default_factory=list)
    """Those that have rows on them."""
    holes: list[Hole] = field(default_factory=list)


class Survey:
    """What every page is, as it says itself."""

    def __init__(self, pages: SealedPages) -> None:
        """Read every page once."""
        self.kinds = bytearray(pages.count + 1)
        self.below: set[int] = set()
        """Pages that an inner page points to."""
        self.bad: set[int] = set()
        self.landmarks: Landmarks | None = None
        self.schema: int | None = None
        """Number of the last migration; None: the first page cannot be read."""
        self.spare: set[int] = set()
        """Pages with nothing that is to be saved: free ones, landmarks."""
        for number in range(1, pages.count + 1):
            page = pages.read(number)
            if page is None:
                self.bad.add(number)
                self.kinds[number] = _BAD
            else:
                self._note(number, page)
        self._first(pages)

    def _note(self, number: int, page: bytes) -> None:
        found = node(page, number)
        if found is None:
            return
        self.kinds[number] = found.kind
        if found.kind in INNER:
            self.below.update(children(found))
        elif MAGIC in page and (marks := _landmarks(found)):
            self.landmarks = marks
            self.spare.add(number)

    def _first(self, pages: SealedPages) -> None:
        """Take from the first page what it says of the file."""
        page = pages.read(1)
        if page is None:
            return
        self.schema = _number(page, _SCHEMA_AT)
        size = min(_number(page, _SIZE_AT), pages.count * 2 + 2)
        self.bad.update(range(pages.count + 1, size + 1))
        trunk = _number(page, _FREE_AT)
        while trunk and trunk not in self.spare:
            self.spare.add(trunk)
            free = pages.read(trunk) or bytes(8)
            leaves = min(_number(free, 4), len(free) // 4 - 2)
            self.spare.update(_number(free, 8 + 4 * at) for at in range(leaves))
            trunk = _number(free, 0)


class Forest:
    """The trees of a database."""

    def __init__(self, pages: SealedPages, survey: Survey) -> None:
        self._pages = pages
        self._survey = survey
        self._seen: set[int] = set()
        self.roots = self._schema()
        """First pages, by name, as far as they are known."""

    def grow(self, known: Sequence[Table]) -> list[Tree]:
        """Return the tree of each table that is to be saved.

        Args:
            known: All tables and indexes of the schema: what is of others must be told from them.
        """
        names = {table.name for table in known}
        saved = [table for table in known if table.is_saved]
        rest = [table for table in known if not table.is_saved]
        rest += others(name for name in self.roots if name not in names)
        trees = [self._tree(table) for table in (*saved, *rest)]
        for tree in trees:
            if tree.table.name == LANDMARKS:
                tree.holes.clear()  # its pages are known by what they hold
        orphans = [
            number
            for number, kind in enumerate(self._survey.kinds)
            if kind not in {_BAD, _NO_TREE}
            and number not in self._seen
            and number not in self._survey.below
            and number not in self._survey.spare
        ]
        left = len(orphans) + 1
        while len(orphans) < left:
            left = len(orphans)
            orphans = [number for number in orphans if not self._adopt(number, trees)]
        return trees[: len(saved)]

    def gaps(self, tree: Tree) -> list[Gap]:
        """Return where rows of a table are missing, so far as pages tell."""
        return [gap for hole in tree.holes for gap in self._gaps(hole, tree.table)]

    def rows(self, tree: Tree, number: int) -> tuple[list[Row], list[Gap]]:
        """Return the rows on a page, and where rows on it cannot be read."""
        found = self._node(number)
        rows: list[Row] = []
        gaps: list[Gap] = []
        last: Place | None = None
        for cell in cells(found, self._pages.read) if found else ():
            row = _row(tree.table, cell)
            if row is not None and cell is not None:
                last = row[: tree.table.key_columns] if tree.table.key_columns else (cell.rowid,)
                rows.append(row)
                gaps = [gap if gap.before else Gap(gap.after, last) for gap in gaps]
            else:
                gaps.append(Gap(last, None))
        return rows, gaps

    def unexplained(self) -> set[int]:
        """Return the pages that cannot be read and that no page points to."""
        return self._survey.bad - self._survey.below - set(self.roots.values()) - {1}

    def _gaps(self, hole: Hole, table: Table) -> Iterator[Gap]:
        if hole.found and not table.key_columns and not self.unexplained():
            return  # it had no rows of its own, and everything below it was found
        after = hole.gap.after
        for first, last in sorted(hole.found):
            yield Gap(after, first)
            after = last
        yield Gap(after, hole.gap.before)

    def _tree(self, table: Table) -> Tree:
        tree = Tree(table)
        root = self.roots.get(table.name)
        if root is None:
            tree.holes.append(Hole(0, Gap(None, None)))
        else:
            self._follow(tree, root, Gap(None, None), 0)
        return tree

    def _follow(self, tree: Tree, number: int, gap: Gap, depth: int) -> None:
        """Add a page and all below it to a tree."""
        found = self._node(number) if number not in self._seen and depth < _MAX_DEPTH else None
        if found is None or (found.kind in {LEAF_TABLE, INNER_TABLE}) != (
            tree.table.leaf == LEAF_TABLE
        ):
            tree.holes.append(Hole(number, gap))
            return
        self._seen.add(number)
        if found.kind != INNER_TABLE:
            tree.pages.append(number)
        if found.kind in INNER:
            places = [_place(tree.table, cell) for cell in cells(found, self._pages.read)]
            for child, after, before in zip(
                children(found), [gap.after, *places], [*places, gap.before], strict=True
            ):
                self._follow(tree, child, Gap(after, before), depth + 1)

    def _adopt(self, number: int, trees: list[Tree]) -> bool:
        """Put an orphan into the hole that it fits, if that is a single one."""
        fitting: list[tuple[Tree, Hole, tuple[Place, Place] | None]] = []
        for tree in trees:
            if tree.holes and (span := self._span(tree.table, number)):
                fitting += [(tree, hole, span) for hole in tree.holes if _fits(hole.gap, span)][:1]
        if len(fitting) != 1:
            return False
        tree, hole, span = fitting[0]
        if span is not None:
            hole.found.append(span)
            self._follow(tree, number, hole.gap, 0)
        return True

    def _span(self, table: Table, number: int) -> tuple[Place, Place] | None:
        """Return the first and the last key at or below a page; None: it is not of this table."""
        first, last = self._edge(number, 0), self._edge(number, -1)
        if first is None or last is None or first.kind != table.leaf:
            return None
        try:
            places = [
                table.place(cell)
                for one in (first, last)
                for cell in cells(one, self._pages.read)
                if cell is not None and table.row(cell)
            ]
        except BrokenPageError:
            return None
        return (places[0], places[-1]) if places else None

    def _edge(self, number: int, side: int) -> Node | None:
        """Return the leaf at one side of what is below a page, or the one nearest to it."""
        for _ in range(_MAX_DEPTH):
            found = self._node(number)
            if found is None or found.kind not in INNER:
                return found
            below = [one for one in children(found) if self._node(one) is not None]
            if not below:
                return None
            number = below[side]
        return None

    def _node(self, number: int) -> Node | None:
        page = self._pages.read(number)
        return node(page, number) if page is not None else None

    def _schema(self) -> Mapping[str, int]:
        """Return first pages by name: as the schema says, then as the landmarks do.

        The search index may have been made anew since: a page that another one points to is no
        first page any more.
        """
        marks = self._survey.landmarks.roots if self._survey.landmarks else {}
        roots = {name: page for name, page in marks.items() if page not in self._survey.below}
        first = self._node(1)
        if first is not None:
            below = children(first) if first.kind in INNER else []
            self._seen |= {1, *below}
        else:
            below = [
                number
                for number, kind in enumerate(self._survey.kinds)
                if kind == LEAF_TABLE and number not in self._survey.below
            ]
        for number in (1, *below):
            found = self._node(number)
            for cell in cells(found, self._pages.read) if found else ():
                row = _schema_row(cell)
                if row is not None:
                    self._seen.add(number)
                    roots[row[0]] = row[1]
        return roots


def _fits(gap: Gap, span: tuple[Place, Place]) -> bool:
    """May these keys be in this gap? They may be where its limits are of another kind, too."""
    try:
        return (gap.after is None or gap.after < span[0]) and (
            gap.before is None or span[1] <= gap.before
        )
    except TypeError:
        return False


def _place(table: Table, cell: Cell | None) -> Place | None:
    try:
        return None if cell is None else table.place(cell)
    except BrokenPageError:
        return None


def _row(table: Table, cell: Cell | None) -> Row | None:
    try:
        return None if cell is None else table.row(cell)
    except BrokenPageError:
        return None


def _schema_row(cell: Cell | None) -> tuple[str, int] | None:
    """Return name and first page of a row of the schema; None if it is no such row."""
    try:
        row = record(cell.payload) if cell is not None else ()
    except BrokenPageError:
        return None
    if len(row) != _SCHEMA_COLUMNS or row[0] not in _SCHEMA_TYPES:
        return None
    name, page = row[1], row[3]
    return (name, page) if isinstance(name, str) and isinstance(page, int) and page else None


def _landmarks(found: Node) -> Landmarks | None:
    for cell in cells(found, lambda _: None):
        try:
            row = record(cell.payload) if cell is not None else ()
        except BrokenPageError:
            continue
        if len(row) == 2 and isinstance(row[1], bytes) and (marks := decode(row[1])):  # noqa: PLR2004
            return marks
    return None


def _number(page: bytes, at: int) -> int:
    return int.from_bytes(page[at : at + 4], "big")
