"""One data directory: its lock, its key, its database and the migrations."""

import fcntl
import os
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Final

from e2ecore_relay.backends.sqlite.connection import (
    APPLICATION_ID,
    KEY_BYTES,
    Connection,
    ForeignDatabaseError,
    StoreError,
    WrongKeyError,
    open_connection,
)

DATABASE_NAME: Final = "relay.db"
KEY_NAME: Final = "relay.key"
LOCK_NAME: Final = "relay.lock"

_WALKER_KIB: Final = 512
"""Pages that a connection keeps which goes through all rows: nothing is read twice."""


class DirectoryInUseError(StoreError):
    """Another relay works on this data directory. Stop it first, or give this one its own."""


class KeyMissingError(StoreError):
    """There is a database but no key file. Put the key file back; without it all is lost."""


class Database:
    """An open data directory. One process at a time."""

    def __init__(self, directory: Path, key: bytes, lock: int, *, created: bool) -> None:
        """Use ``open_database``."""
        self.directory = directory
        self.path = directory / DATABASE_NAME
        self.created = created
        self._key = key
        self._lock = lock

    def writer(self) -> Connection:
        """Open the writing connection and bring the schema up to date."""
        connection = open_connection(self.path, self._key, readonly=False)
        try:
            migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def reader(self) -> Connection:
        """Open a reading connection."""
        return open_connection(self.path, self._key, readonly=True)

    def walker(self) -> Connection:
        """Open a connection that goes through much, once: it keeps little in memory."""
        return open_connection(self.path, self._key, readonly=True, cache_kib=_WALKER_KIB)

    def close(self) -> None:
        """Let the next process in."""
        os.close(self._lock)


def open_database(directory: Path, rng: Callable[[int], bytes]) -> Database:
    """Open a data directory; make it, with a fresh key, if it does not exist.

    Args:
        directory: Where everything is kept. Made with mode 0700.
        rng: Returns random bytes.

    Raises:
        DirectoryInUseError: Another relay has it.
        KeyMissingError: The key file is gone.
        WrongKeyError: The key file is of another database, or damaged.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise DirectoryInUseError(f"another relay works on {directory}") from None
    try:
        path = directory / DATABASE_NAME
        existed = path.exists() and path.stat().st_size > 0
        key = _load_key(directory / KEY_NAME, rng, database_exists=existed)
        return Database(directory, key, lock, created=not existed)
    except BaseException:
        os.close(lock)
        raise


def _load_key(path: Path, rng: Callable[[int], bytes], *, database_exists: bool) -> bytes:
    if not path.exists():
        if database_exists:
            raise KeyMissingError(f"{path} is missing; without it the database cannot be opened")
        _write_durably(path, rng(KEY_BYTES).hex().encode() + b"\n")
    try:
        key = bytes.fromhex(path.read_text("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise WrongKeyError(f"{path} does not hold a key of {KEY_BYTES} bytes in hexadecimal")
    return key


def _write_durably(path: Path, data: bytes) -> None:
    temporary = path.with_suffix(".new")
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, data)
        os.fsync(file)
    finally:
        os.close(file)
    temporary.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def migrate(connection: Connection) -> None:
    """Apply the migrations that a database lacks, each in its own transaction.

    Raises:
        ForeignDatabaseError: Of another program, or written by a newer relay.
    """
    marked = connection.execute("PRAGMA application_id").fetchone()
    version = connection.execute("PRAGMA user_version").fetchone()
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if marked != (APPLICATION_ID,) and tables != (0,):
        raise ForeignDatabaseError("the database belongs to another program")
    done = version[0] if version and isinstance(version[0], int) else 0
    scripts = migrations()
    if done > len(scripts):
        raise ForeignDatabaseError("the database was written by a newer relay; update this one")
    for number, script in enumerate(scripts[done:], start=done + 1):
        connection.script(
            f"BEGIN IMMEDIATE; {script}; PRAGMA application_id = {APPLICATION_ID};"
            f" PRAGMA user_version = {number}; COMMIT"
        )


def migrations() -> list[str]:
    """Return the SQL of all migrations, in order."""
    folder = resources.files("e2ecore_relay.backends.sqlite.migrations")
    files = sorted(
        (file for file in folder.iterdir() if file.name.endswith(".sql")),
        key=lambda file: file.name,
    )
    return [file.read_text("utf-8") for file in files]
