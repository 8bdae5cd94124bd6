"""Saving what can still be read of a damaged database into a new one; the old file is set aside.

Damage is met page by page, and SQLite refuses everything on a connection that met some. So SQLite
is not asked: pages are opened one by one (``sealed_pages``), trees put together from those that
can be (``salvage_trees``), and their rows stored in a new database of the same schema. So what a
damaged page costs is what stood on it, also where the schema stood there, or an inner page of a
table. What is missing is a *gap*.

What has been saved is in ``alice.db.repair``, together with how far that is: an interrupted repair
goes on from there. At the end ``alice.db`` becomes ``alice.db.damaged-1`` (or the next free
number), ``alice.db.repair`` becomes ``alice.db``. The key file stays: it opens both. Nothing is
ever deleted, and nothing written to the damaged file. Opening the database for use drops a repair
that was begun: it would be out of date.

The search index is not saved; it is made anew. Where rows are lost that make up the state of MLS
groups, or say what was received, the conversations concerned ask to be added again.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from e2ecore.storage import files
from e2ecore.storage.connecting import Opener
from e2ecore.storage.errors import (
    CorruptDatabaseError,
    DiskError,
    NewerSchemaError,
    StorageError,
    UnreadableDatabaseError,
)
from e2ecore.storage.log import checkpoint
from e2ecore.storage.making import SUFFIXES, make_file
from e2ecore.storage.mending import mend
from e2ecore.storage.migrations.steps import made_by, steps
from e2ecore.storage.salvage_progress import Progress
from e2ecore.storage.salvage_tables import PROGRESS, SEQUENCES, Table, tables_of
from e2ecore.storage.salvage_trees import Forest, Gap, Survey, Tree
from e2ecore.storage.sealed_pages import SealedPages
from e2ecore.storage.sql import Connection, Row

_AT_WORK: Final = ".repair"
_ASIDE: Final = ".damaged-"
_CHUNK_ROWS: Final = 1_000
"""Rows per transaction, and not many more."""
_MAX_ASIDE: Final = 1000
"""Files set aside for one database; somebody who has more has another problem."""


@dataclass(frozen=True, slots=True)
class SalvageReport:
    """What a repair has done."""

    saved: Mapping[str, int]
    """Rows saved of each table."""
    gaps: Mapping[str, int]
    """Stretches of rows that could not be read, of each table that has any."""
    set_aside: Path
    """The damaged file: it holds what could not be read, and everything else as well. The key
    file of the database opens it. Delete it when it is not needed any more."""


def salvage(opener: Opener) -> SalvageReport:
    """Save a closed, damaged database; the caller holds its lock. May be repeated until it is done.

    Needs as much free space again as the database takes.

    Raises:
        UnreadableDatabaseError: Not one page can be read. Nothing changed.
        NewerSchemaError: A newer version wrote it. Nothing changed.
        DiskFullError: No space. Free some, and repeat it: what was saved is kept.
        DiskError: The new file could not be written. The same.
    """
    fresh = Opener(_beside(opener.path, _AT_WORK), opener.key, opener.salt, opener.connect)
    with SealedPages(opener.path, opener.key, opener.salt) as pages:
        survey = Survey(pages)
        if len(survey.bad) >= pages.count:
            raise UnreadableDatabaseError
        target = _begin(opener.path, fresh, _schema_of(survey, Forest(pages, survey)))
        try:
            progress = _save(target, Forest(pages, survey))
            checkpoint(target, "TRUNCATE")
        finally:
            target.close()
    aside = _swap(opener.path)
    return SalvageReport(
        {name: one.saved for name, one in progress.items()},
        {name: len(one.gaps) for name, one in progress.items() if one.gaps},
        aside,
    )


def _save(target: Connection, forest: Forest) -> dict[str, Progress]:
    """Save all rows; return what was saved of each table."""
    done: dict[str, Progress] = {}
    sequences: list[Row] = []
    for tree in forest.grow(tables_of(target)):
        if tree.table.name == SEQUENCES:
            sequences = [row for number in tree.pages for row in forest.rows(tree, number)[0]]
            continue
        done[tree.table.name] = progress = _load(target, tree.table.name)
        _save_table(target, forest, tree, progress)
        progress.gaps += forest.gaps(tree)
    _complete(target, sequences, {name: one.gaps for name, one in done.items() if one.gaps})
    return done


def _save_table(target: Connection, forest: Forest, tree: Tree, progress: Progress) -> None:
    rows: list[Row] = []
    for number in tree.pages[progress.pages :]:
        found, gaps = forest.rows(tree, number)
        rows += found
        progress.gaps += gaps
        progress.saved += len(found)
        progress.pages += 1
        if len(rows) >= _CHUNK_ROWS:
            _store(target, tree.table, rows, progress)
            rows = []
    _store(target, tree.table, rows, progress)


def _schema_of(survey: Survey, forest: Forest) -> int:
    """Return the number of the database's last migration, or the most likely one."""
    schema = survey.schema
    if schema is None and survey.landmarks:
        schema = survey.landmarks.schema
    if schema is None and survey.bad == {1}:
        schema = max((made_by(name) for name in forest.roots), default=None)
    if schema is None:
        return len(steps())  # almost every database has been opened since the program was updated
    if schema > len(steps()):
        raise NewerSchemaError
    return schema


def discard(path: Path) -> None:
    """Drop what a repair has saved that was not finished: the database is about to change.

    Raises:
        ReadOnlyError: Not permitted.
        DiskError: Anything else the operating system reports.
    """
    if not files.exists(_beside(path, _AT_WORK)) or not files.exists(path):
        return
    try:
        for suffix in SUFFIXES:
            _beside(path, _AT_WORK + suffix).unlink(missing_ok=True)
    except OSError as error:
        raise files.mapped(error) from None


def finish(path: Path) -> None:
    """Do the second half of an exchange that a crash has interrupted."""
    aside = _newest_aside(path)
    if aside is None or files.exists(path) or not files.exists(_beside(path, _AT_WORK)):
        return
    _move_in(path, aside)


def _begin(path: Path, fresh: Opener, schema: int) -> Connection:
    """Open what an earlier attempt has saved, or make an empty database of the same schema."""
    if files.exists(fresh.path):
        try:
            target = fresh.writer()
        except CorruptDatabaseError:
            target = None
        if target is not None:
            if target.value(int, f"SELECT 1 FROM sqlite_schema WHERE name = '{PROGRESS}'"):  # noqa: S608 - our own name
                return target
            target.close()
    discard(path)
    make_file(fresh, schema)
    target = fresh.writer()
    target.execute(
        f"CREATE TABLE {PROGRESS} (name TEXT NOT NULL PRIMARY KEY, progress TEXT NOT NULL) STRICT"
    )
    return target


def _load(target: Connection, name: str) -> Progress:
    text = target.value(str, f"SELECT progress FROM {PROGRESS} WHERE name = ?", (name,))  # noqa: S608 - our own name
    return Progress() if text is None else Progress.decode(text)


def _store(target: Connection, table: Table, rows: list[Row], progress: Progress) -> None:
    """Store rows and how far that is, in one transaction."""
    target.execute("BEGIN IMMEDIATE")
    try:
        target.executemany(table.insert, rows)
        target.execute(
            f"REPLACE INTO {PROGRESS} VALUES (?, ?)",  # noqa: S608 - our own name
            (table.name, progress.encode()),
        )
        target.execute("COMMIT")
    except StorageError:
        if target.in_transaction:
            target.execute("ROLLBACK")
        raise


def _complete(target: Connection, sequences: list[Row], gaps: Mapping[str, list[Gap]]) -> None:
    """Make what was saved hang together, and forget how it was saved.

    Args:
        target: The new database.
        sequences: Numbers that must not be given again, even if the rows that had them are gone.
        gaps: Where rows are missing, of each table that misses any.
    """
    target.execute("BEGIN IMMEDIATE")
    try:
        for _rowid, name, number in sequences:
            target.execute("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
            target.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, number))
        mend(target, gaps)
        target.execute(f"DROP TABLE {PROGRESS}")
        target.execute("COMMIT")
    except StorageError:
        if target.in_transaction:
            target.execute("ROLLBACK")
        raise


def _swap(path: Path) -> Path:
    """Set the damaged file aside and put the new one in its place."""
    aside = _free_aside(path)
    try:
        path.replace(aside)
        files.sync_directory(path.parent)
    except OSError as error:
        raise files.mapped(error) from None
    _move_in(path, aside)
    return aside


def _move_in(path: Path, aside: Path) -> None:
    """The damaged file has its new name: its log follows, then the new database moves in.

    A log must never meet a database that it was not written for.
    """
    log, index = _beside(path, "-wal"), _beside(path, "-shm")
    try:
        if files.exists(log):
            log.replace(_beside(aside, "-wal"))
        index.unlink(missing_ok=True)
        files.sync_directory(path.parent)
        _beside(path, _AT_WORK).replace(path)
        files.sync_directory(path.parent)
    except OSError as error:
        raise files.mapped(error) from None


def _free_aside(path: Path) -> Path:
    for number in range(1, _MAX_ASIDE):
        aside = _beside(path, f"{_ASIDE}{number}")
        if not files.exists(aside):
            return aside
    raise DiskError("too many files were set aside")


def _newest_aside(path: Path) -> Path | None:
    form = re.compile(re.escape(path.name + _ASIDE) + r"(\d+)")
    try:
        found = [form.fullmatch(one.name) for one in path.parent.iterdir()]
    except OSError as error:
        raise files.mapped(error) from None
    numbers = [int(one[1]) for one in found if one]
    return _beside(path, f"{_ASIDE}{max(numbers)}") if numbers else None


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
