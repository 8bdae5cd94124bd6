"""Whatever pages of a database are lost: all rows that stand on others are found, and no false one.

Rows are made for every table from its schema alone, so a new table is in here without being named.
What a page holds is not asked of the code under test alone: read as a whole, a database must give
what SQLite gives.
"""

import random  # noqa: TID251 - chooses pages, not keys
import shutil
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2ecore.storage import account, files, messages, search_index
from e2ecore.storage.connecting import PAGE_BYTES, Opener
from e2ecore.storage.database import Database
from e2ecore.storage.keys import KeyFile, database_key
from e2ecore.storage.landmarks import MAGIC, Landmarks, decode, encode
from e2ecore.storage.migrations.steps import steps
from e2ecore.storage.records import BrokenPageError, cells, children, node, record
from e2ecore.storage.salvage_tables import Table, tables_of
from e2ecore.storage.salvage_trees import Forest, Survey
from e2ecore.storage.sealed_pages import SealedPages
from e2ecore.storage.sql import Row, SqlValue
from e2ecore.storage.tx import Tx
from tests.stored.make import golden
from tests.support.databases import PASSPHRASE, create_database, open_database

ROWS = 25
MANY = {"messages": 150, "mls_rows": 200, "mls_nodes": 60, "members": 120, "reactions": 100}
TWINS = ({"poll_votes", "reactions"},)
"""Tables whose rows look alike: what is below a lost page of both is of neither."""

Found = dict[str, set[Row]]
Places = dict[str, list[tuple[Row, frozenset[int]]]]
"""Of each row of each table the pages that it stands on."""


def value(dice: random.Random, column: str, kind: type | None, number: int) -> SqlValue:
    """A value that a column could hold; the same number gives another one in every row."""
    if kind is int:
        return 1 if column == "one" else dice.getrandbits(40) << 12 | number
    size = 5_000 if column in {"body", "value", "ext"} and number % 37 == 5 else 30
    data = number.to_bytes(4, "big") + dice.randbytes(size)
    return data if kind is bytes else data.hex() if kind is str else number


def fill(tx: Tx, tables: list[Table]) -> None:
    dice = random.Random(1)
    for table in tables:
        marks = ", ".join("?" * len(table.columns))
        rows = [
            [
                number if at == table.alias else value(dice, column, kind, number)
                for at, (column, kind) in enumerate(zip(table.columns, table.kinds, strict=True))
            ]
            for number in range(1, 2 if table.columns[0] == "one" else MANY.get(table.name, ROWS))
        ]
        tx.executemany(f"REPLACE INTO {table.name} VALUES ({marks})", rows)  # noqa: S608 - ours


class Whole:
    """A database with rows in every table, and what of it stands where."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.kept: dict[int, bytes | None] = {}
        """Pages that were read once."""
        database = create_database(path)
        with closing(self.opener().reader()) as reader:
            tables = [table for table in tables_of(reader) if table.is_table]
        ordinary = [one for one in tables if not one.name.startswith(("sqlite_", "landmarks"))]
        database.writer.call(lambda tx: fill(tx, ordinary))
        database.writer.call(search_index.create)
        database.close()
        open_database(path).close()  # landmarks are renewed
        self.count = path.stat().st_size // PAGE_BYTES
        with closing(self.opener().reader()) as reader:
            self.tables = [
                one
                for one in tables_of(reader)
                if not one.name.startswith("search_") or one.name == "search_state"
            ]
            self.rows: Found = {
                table.name: set(reader.rows(tuple, select(table)))
                for table in self.tables
                if table.is_saved
            }

        with Torn(self) as pages:
            first = node(pages.read(1) or b"", 1)
            assert first is not None
            marks = [one for one in range(1, self.count + 1) if MAGIC in (pages.read(one) or b"")]
            self.signposts = [1, *children(first), *marks]
            """Pages that say where the others belong to."""
        assert len(self.signposts) > 8

    def opener(self, path: Path | None = None) -> Opener:
        path = path or self.path
        keys = KeyFile.load(files.keys_of(path))
        return Opener(path, database_key(keys.unlock(PASSPHRASE)), keys.database)


def select(table: Table) -> str:
    names = table.columns if table.alias >= 0 or table.key_columns else ("rowid", *table.columns)
    return f"SELECT {', '.join(names)} FROM {table.name}"  # noqa: S608 - ours


class Torn(SealedPages):
    """The same pages without some; notes which were read."""

    def __init__(self, whole: Whole, lost: frozenset[int] = frozenset()) -> None:
        opener = whole.opener()
        super().__init__(opener.path, opener.key, opener.salt)
        self.lost = lost
        self.asked: list[int] = []
        self._kept = whole.kept

    def read(self, number: int) -> bytes | None:
        self.asked.append(number)
        if number in self.lost:
            return None
        if number not in self._kept:
            self._kept[number] = super().read(number)
        return self._kept[number]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return Whole(tmp_path_factory.mktemp("whole") / "alice.db")


def found_in(pages: Torn, whole: Whole) -> Found:
    forest = Forest(pages, Survey(pages))
    return {
        tree.table.name: {row for number in tree.pages for row in forest.rows(tree, number)[0]}
        for tree in forest.grow(whole.tables)
    }


@pytest.fixture(scope="module")
def places(whole: Whole) -> Places:
    with Torn(whole) as pages:
        forest = Forest(pages, Survey(pages))
        found: Places = {}
        for tree in forest.grow(whole.tables):
            rows = found[tree.table.name] = []
            for number in tree.pages:
                page = pages.read(number)
                assert page is not None
                at = node(page, number)
                assert at is not None
                pages.asked.clear()
                for cell in cells(at, pages.read):
                    assert cell is not None
                    rows.append((tree.table.row(cell), frozenset({number, *pages.asked})))
                    pages.asked.clear()
    return found


def test_a_whole_database_gives_what_sqlite_gives(whole: Whole) -> None:
    with Torn(whole) as pages:
        assert found_in(pages, whole) == whole.rows
    assert sum(map(len, whole.rows.values())) > 1_200


def lose(whole: Whole, places: Places, *lost: int) -> None:
    """Check that without these pages just the rows are missing that stand on them."""
    gone = frozenset(lost)
    with Torn(whole, gone) as pages:
        found = found_in(pages, whole)
    left = {name: {row for row, at in rows if not at & gone} for name, rows in places.items()}
    assert all(found[name] <= left[name] for name in left), "a row that was never written"
    assert {name for name in left if found[name] != left[name]} in (set(), *TWINS), lost


@pytest.mark.slow
def test_whichever_page_is_lost_all_rows_on_others_are_found(whole: Whole, places: Places) -> None:
    for number in range(1, whole.count + 1):
        lose(whole, places, number)


@given(lost=st.sets(st.integers(0, 1 << 16), min_size=2, max_size=3))
def test_whichever_three_pages_are_lost_all_rows_on_others_are_found(
    whole: Whole, places: Places, lost: set[int]
) -> None:
    lose(whole, places, *(1 + one % whole.count for one in lost))


@given(lost=st.sets(st.integers(0, 1 << 16), min_size=2, max_size=3))
def test_whichever_pages_of_schema_and_landmarks_are_lost_all_rows_are_found(
    whole: Whole, places: Places, lost: set[int]
) -> None:
    lose(whole, places, *(whole.signposts[one % len(whole.signposts)] for one in lost))


@given(page=st.binary(min_size=4016, max_size=4016), kind=st.sampled_from([2, 5, 10, 13]))
def test_a_page_of_noise_raises_nothing(page: bytes, kind: int) -> None:
    found = node(bytes([kind]) + page[1:4] + bytes([page[4] % 8]) + page[5:], 2)
    for cell in cells(found, lambda number: page if number % 2 else None) if found else ():
        assert cell is None or isinstance(cell.payload, bytes)


@given(payload=st.binary(max_size=64))
def test_a_record_of_noise_is_read_or_refused(payload: bytes) -> None:
    try:
        row = record(payload)
    except BrokenPageError:
        return
    assert len(row) <= len(payload)


@given(roots=st.dictionaries(st.text("abc_", min_size=1), st.integers(1, 9999)))
def test_landmarks_are_read_as_they_were_written(roots: dict[str, int]) -> None:
    marks = Landmarks(12, roots)
    assert decode(encode(marks)) == marks


@given(copy=st.binary(max_size=64))
def test_other_bytes_are_no_landmarks(copy: bytes) -> None:
    assert decode(copy) is None
    assert decode(b"e2ecore landmarks 1\n\0" + copy) is None


def test_without_a_page_that_says_where_tables_are_every_table_comes_back(
    whole: Whole, tmp_path: Path
) -> None:
    """Reactions, revisions, reads, pins, polls, drafts, files, consents: whatever has a table."""
    for number in (*whole.signposts[:3], *whole.signposts[-4:-2]):
        path = copied(whole.path, tmp_path / str(number), number)
        report = Database.repair(path, PASSPHRASE)
        assert report is not None
        assert not report.gaps
        with closing(whole.opener(path).reader()) as reader:
            for name, rows in whole.rows.items():
                table = next(one for one in whole.tables if one.name == name)
                found = set(reader.rows(tuple, select(table)))
                if name == "sqlite_sequence":  # in the order in which tables were filled again
                    assert {row[1:] for row in found} == {row[1:] for row in rows}
                else:
                    assert found == rows, (number, name)


@pytest.mark.parametrize("schema", [1, 6, len(steps())])
def test_a_database_of_an_older_schema_is_saved_without_its_first_page(
    schema: int, tmp_path: Path
) -> None:
    path = copied(golden(schema), tmp_path / "old", 1)
    report = Database.repair(path, PASSPHRASE)
    assert report is not None
    assert not report.gaps
    with closing(open_database(path)) as database:
        assert len(database.readers.read(lambda tx: messages.newest(tx, 1, 200))) == 120
        own = database.readers.read(account.load)
        assert own is not None
        assert own.handle == "alice"


def copied(source: Path, folder: Path, damaged: int) -> Path:
    """A copy of a database with one byte of a page changed."""
    folder.mkdir()
    path = folder / "alice.db"
    shutil.copy(files.keys_of(source), files.keys_of(path))
    content = bytearray(source.read_bytes())
    content[(damaged - 1) * PAGE_BYTES + 77] ^= 1
    path.write_bytes(content)
    return path
