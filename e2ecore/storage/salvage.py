"""Saving what can still be read of a damaged database into a new one; the old file is set aside.

Damage is met page by page, and SQLite refuses everything on a connection that met some. So each
table is walked in the order of its key, from both ends: forwards until a row cannot be read,
backwards until one cannot be read, with a new connection after every refusal. What lies between the
two is searched for readable stretches by halving it. What is left is a *gap*.

What has been saved is in ``alice.db.repair``, together with how far that is: an interrupted repair
goes on from there. At the end ``alice.db`` becomes ``alice.db.damaged-1`` (or the next free
number), ``alice.db.repair`` becomes ``alice.db``. The key file stays: it opens both. Nothing is
ever deleted. Opening the database for use drops a repair that was begun: it would be out of date.

The search index is not saved; it is made anew. Where rows are lost that make up the state of MLS
groups, or say what was received, the conversations concerned ask to be added again.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from e2ecore.storage import files
from e2ecore.storage.connecting import Opener
from e2ecore.storage.errors import CorruptDatabaseError, DiskError, StorageError
from e2ecore.storage.log import checkpoint
from e2ecore.storage.making import SUFFIXES, make_file
from e2ecore.storage.mending import mend
from e2ecore.storage.migrations.steps import schema_version
from e2ecore.storage.salvage_walk import DERIVED, Gap, TableWalk, Walked, tables_of
from e2ecore.storage.sql import Connection

_AT_WORK: Final = ".repair"
_ASIDE: Final = ".damaged-"
_PROGRESS: Final = "salvage_progress"
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
        CorruptDatabaseError: Not even the list of its tables can be read. Nothing changed.
        DiskFullError: No space. Free some, and repeat it: what was saved is kept.
        DiskError: The new file could not be written. The same.
    """
    _settle_log(opener)
    fresh = Opener(_beside(opener.path, _AT_WORK), opener.key, opener.salt, opener.connect)
    saved: dict[str, int] = {}
    gaps: dict[str, list[Gap]] = {}
    target = _begin(opener, fresh)
    try:
        for table in tables_of(target):
            if table.name in DERIVED or table.name == _PROGRESS:
                continue
            walked = _load(target, table.name)
            walk = TableWalk(opener.reader, table, walked)
            for rows in walk:
                _store(target, table.insert, rows, table.name, walk.walked)
            saved[table.name] = walk.walked.saved
            if walk.walked.gaps:
                gaps[table.name] = walk.walked.gaps
        _complete(opener, target, gaps)
        checkpoint(target, "TRUNCATE")
    finally:
        target.close()
    aside = _swap(opener.path)
    return SalvageReport(saved, {name: len(found) for name, found in gaps.items()}, aside)


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


def _settle_log(opener: Opener) -> None:
    """Bring the log into the damaged file if that is possible, so that there is one file to move.

    Raises:
        CorruptDatabaseError: The key is right, and the first page does not open.
    """
    connection = opener.checked()
    try:
        checkpoint(connection, "TRUNCATE")
    except (CorruptDatabaseError, DiskError):
        return
    finally:
        connection.close()


def _begin(opener: Opener, fresh: Opener) -> Connection:
    """Open what an earlier attempt has saved, or make an empty database of the same schema."""
    if files.exists(fresh.path):
        try:
            target = fresh.writer()
        except CorruptDatabaseError:
            target = None
        if target is not None:
            if target.value(int, f"SELECT 1 FROM sqlite_schema WHERE name = '{_PROGRESS}'"):  # noqa: S608 - our own name
                return target
            target.close()
    reader = opener.reader()
    try:
        schema = schema_version(reader)
    finally:
        reader.close()
    discard(opener.path)
    make_file(fresh, schema)
    target = fresh.writer()
    target.execute(
        f"CREATE TABLE {_PROGRESS} (name TEXT NOT NULL PRIMARY KEY, walked TEXT NOT NULL) STRICT"
    )
    return target


def _load(target: Connection, name: str) -> Walked:
    text = target.value(str, f"SELECT walked FROM {_PROGRESS} WHERE name = ?", (name,))  # noqa: S608 - our own name
    return Walked.begin() if text is None else Walked.decode(text)


def _store(
    target: Connection, insert: str, rows: list[tuple[int | str | bytes | None, ...]],
    name: str, walked: Walked,
) -> None:  # fmt: skip
    """Store rows and how far that is, in one transaction."""
    target.execute("BEGIN IMMEDIATE")
    try:
        target.executemany(insert, rows)
        target.execute(f"REPLACE INTO {_PROGRESS} VALUES (?, ?)", (name, walked.encode()))  # noqa: S608 - our own name
        target.execute("COMMIT")
    except StorageError:
        if target.in_transaction:
            target.execute("ROLLBACK")
        raise


def _complete(opener: Opener, target: Connection, gaps: Mapping[str, list[Gap]]) -> None:
    """Make what was saved hang together, and forget how it was saved."""
    target.execute("BEGIN IMMEDIATE")
    try:
        for name, number in _sequences(opener):
            target.execute("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
            target.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, number))
        mend(target, gaps)
        target.execute(f"DROP TABLE {_PROGRESS}")
        target.execute("COMMIT")
    except StorageError:
        if target.in_transaction:
            target.execute("ROLLBACK")
        raise


def _sequences(opener: Opener) -> Iterator[tuple[str, int]]:
    """Numbers that must not be given again, even if the rows that had them are gone."""
    reader = opener.reader()
    try:
        rows = reader.rows(tuple, "SELECT name, seq FROM sqlite_sequence")
    except (CorruptDatabaseError, DiskError):
        return
    finally:
        reader.close()
    for name, number in rows:
        if isinstance(name, str) and isinstance(number, int):
            yield name, number


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
