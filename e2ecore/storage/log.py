"""Care for SQLite's write-ahead log: short, free of deleted rows, and ready to be written.

A checkpoint copies the log into the database. There are two occasions. When nothing waits, the log
is also truncated, so that deleted rows and used keys do not live on in it. When it has reached its
size limit while jobs wait, it is only begun again from its start.

The log is always laid out with zeros some way ahead: a commit that overwrites allocated blocks
needs one flush of the disk, one that makes the file longer needs two (measured: 163 against
302 us). SQLite takes a log of zeros for an empty one.
"""

import os
from pathlib import Path
from typing import Final, NamedTuple

from e2ecore.storage.sql import Connection

MAX_LOG_FRAMES: Final = 4096
"""16 MiB of pages: where the log is begun again even while jobs wait. Bounds disk use and the time
that recovery takes after a crash."""

LAID_OUT_BYTES: Final = 256 << 10
"""How far ahead zeros are written: about ten messages sent one by one. Four times as much makes
one commit in fifty wait for two milliseconds."""

_FRAME_BYTES: Final = 24 + 4096
_MARGIN_FRAMES: Final = 16
"""Room that the next commit is likely to need."""

_MOST_UNSEEN: Final = 8
"""Commits between two looks at the log: bounds how far it grows behind our back."""


class Checkpoint(NamedTuple):
    """What ``PRAGMA wal_checkpoint`` answers."""

    blocked: int
    """1 if readers or writers were in the way."""
    frames: int
    """Pages in the log."""
    copied: int
    """... of which are in the database as well."""


class Log:
    """The log of one database, in the hands of its writer."""

    __slots__ = ("_commits", "_frames", "_laid_out", "_path", "_unseen", "dirty")

    def __init__(self, database: Path) -> None:
        self._path = f"{database}-wal"
        self._laid_out = 0
        self._frames = 0
        self._commits = 0
        self._unseen = 0
        """Commits that may pass before the log is looked at again."""
        self.dirty = True
        """Is there anything in it that ``tidy`` would remove?"""

    def committed(self) -> None:
        """Note a commit."""
        self.dirty = True
        self._commits += 1

    def look_after(self, connection: Connection) -> None:
        """Begin again at the limit, or lay out some more.

        Looking costs as much as a statement, so it is done again only when commits of twice the
        size seen last may have used up the room. A guess that is too high costs one slower flush.
        """
        if self._commits <= self._unseen:
            return
        frames = checkpoint(connection, "NOOP").frames
        if frames >= MAX_LOG_FRAMES:
            checkpoint(connection, "RESTART")
            frames = 0
        elif (frames + _MARGIN_FRAMES) * _FRAME_BYTES > self._laid_out:
            self._lay_out(frames * _FRAME_BYTES + LAID_OUT_BYTES)
        each = max(1, (frames - self._frames) // self._commits)
        room = self._laid_out // _FRAME_BYTES - frames - _MARGIN_FRAMES
        self._unseen = min(max(0, room // (2 * each)), _MOST_UNSEEN)
        self._frames, self._commits = frames, 0

    def tidy(self, connection: Connection) -> bool:
        """Empty the log for good and lay it out again. For when nothing waits.

        Returns:
            Whether it is empty; not if a reader still looks at an older state.
        """
        if checkpoint(connection, "TRUNCATE").blocked:
            return False
        self.dirty = False
        self._frames = self._commits = self._unseen = 0
        self._lay_out(LAID_OUT_BYTES, flush=True)
        return True

    def _lay_out(self, end: int, *, flush: bool = False) -> None:
        """Write zeros from the end of the file up to ``end``; never over anything.

        Without room the log simply grows as it is used.
        """
        self._laid_out = end
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_NOFOLLOW)
        except OSError:
            return
        size = os.fstat(handle).st_size
        try:
            if size < end:
                os.pwrite(handle, bytes(end - size), size)
            if flush:
                os.fsync(handle)
        except OSError:
            os.ftruncate(handle, size)
        finally:
            os.close(handle)


def checkpoint(connection: Connection, mode: str) -> Checkpoint:
    """Run a checkpoint in one of SQLite's modes; NOOP only counts."""
    found = connection.row(Checkpoint._make, f"PRAGMA wal_checkpoint({mode})")
    return found or Checkpoint(1, 0, 0)
