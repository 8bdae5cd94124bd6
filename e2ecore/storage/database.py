"""One encrypted database: made, opened, unlocked, closed.

Files of the database ``alice.db``: the database itself, ``alice.db-wal`` and ``alice.db-shm``
(SQLite's log and its index), ``alice.db.keys`` (key slots), ``alice.db.lock`` (one process at a
time).

Making one: key file marked "not created yet", then the whole schema in ``alice.db.new``, then its
rename to ``alice.db``, then the mark is removed. A crash in between is recognised by the mark and
either finished (the rename happened) or begun anew (it did not). Without the mark nothing is ever
created over existing keys or an existing database.
"""

import os
from pathlib import Path
from typing import Final, Self

from e2ecore.crypto.password import DEFAULT_PARAMETERS, Argon2idParameters
from e2ecore.crypto.rng import Rng, system_rng
from e2ecore.storage import destroying, files
from e2ecore.storage.connecting import APPLICATION_ID, PAGE_BYTES, Connect, Opener
from e2ecore.storage.errors import (
    CorruptDatabaseError,
    DatabaseErasedError,
    DatabaseExistsError,
    DatabaseMissingError,
    KeyFileMissingError,
    NotADatabaseError,
)
from e2ecore.storage.keys import DATABASE_ID_BYTES, KeyFile, MasterKey, database_key
from e2ecore.storage.migrations.steps import migrate
from e2ecore.storage.readers import Readers
from e2ecore.storage.sql import Connection
from e2ecore.storage.tx import Tx
from e2ecore.storage.writer import Writer

_PLAIN_SQLITE: Final = b"SQLite format 3\0"


class Database:
    """An unlocked database with its writer thread and its readers."""

    def __init__(
        self, path: Path, lock: files.DatabaseLock, master: MasterKey, opener: Opener
    ) -> None:
        """For ``create`` and ``open``: takes over the lock, migrates, starts the writer."""
        self.path = path
        self._lock = lock
        self._master = master
        connection = opener.checked()
        try:
            migrate(connection)
        finally:
            connection.close()
        self.writer = Writer(opener.writer, path)
        """Where every change goes."""
        self.readers = Readers(opener.reader)
        """Where every question goes that needs no change."""

    @classmethod
    def create(
        cls,
        path: Path,
        passphrase: str,
        *,
        parameters: Argon2idParameters = DEFAULT_PARAMETERS,
        rng: Rng = system_rng,
        connect: Connect = Connection,
    ) -> Self:
        """Make a new database and open it. Slow on purpose: call it off the event loop.

        Args:
            path: A file name in an existing directory.
            passphrase: What will open it.
            parameters: The price of one guess; tests may pay less.
            rng: Source of the master key.
            connect: How a connection is made; tests put a failing one in its place.

        Raises:
            DatabaseExistsError: There is one, or its key file.
            DatabaseInUseError: Another process is making or using it.
            ReadOnlyError: The directory may not be written.
            DiskFullError: No space.
        """
        lock = files.DatabaseLock(path)
        try:
            _refuse_existing(path)
            keys, master = KeyFile.new(passphrase, parameters=parameters, rng=rng)
            keys.save(_key_path(path))
            opener = Opener(path, database_key(master), keys.database, connect)
            _make_file(opener)
            keys.complete().save(_key_path(path))
            return cls(path, lock, master, opener)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(
        cls,
        path: Path,
        passphrase: str,
        *,
        connect: Connect = Connection,
    ) -> Self:
        """Open an existing database. Slow on purpose: call it off the event loop.

        Raises:
            DatabaseMissingError: There is none; none is created.
            DatabaseErasedError: It was erased, and a crash had left some of its files.
            WrongPassphraseError: Nothing is damaged.
            KeyFileMissingError: The database is here, its keys are not.
            KeyFileDamagedError: The key file is not whole.
            NotADatabaseError: The file is something else, or belongs to other keys.
            CorruptDatabaseError: The right key does not read it.
            NewerSchemaError: A newer version wrote it.
            DatabaseInUseError: Another process has it open.
        """
        if not is_present(path):
            raise DatabaseMissingError
        lock = files.DatabaseLock(path)
        try:
            _refuse_erased(path)
            return cls._open_locked(path, passphrase, lock, connect)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def _open_locked(
        cls, path: Path, passphrase: str, lock: files.DatabaseLock, connect: Connect
    ) -> Self:
        keys = KeyFile.load(_key_path(path))
        if not files.exists(path):
            raise DatabaseMissingError
        is_ours = _starts_like_ours(path, keys)
        master = keys.unlock(passphrase)
        opener = Opener(path, database_key(master), keys.database, connect)
        try:
            database = cls(path, lock, master, opener)
        except CorruptDatabaseError:
            if is_ours:
                raise
            raise NotADatabaseError from None
        if not keys.created:
            keys.complete().save(_key_path(path))
        return database

    def change_passphrase(
        self,
        old: str,
        new: str,
        *,
        parameters: Argon2idParameters = DEFAULT_PARAMETERS,
        rng: Rng = system_rng,
    ) -> None:
        """Have ``new`` open the database instead of ``old``, durably, whatever its size.

        Someone who copied the key file before still opens that copy with ``old``.

        Raises:
            WrongPassphraseError: ``old`` is not the passphrase; nothing changed.
        """
        path = _key_path(self.path)
        keys = KeyFile.load(path)
        keys.change_passphrase(old, new, parameters=parameters, rng=rng).save(path)

    def check(self) -> None:
        """Read every page and every index. Takes about 3 s per GiB; call it off the event loop.

        Raises:
            CorruptDatabaseError: A page fails its authentication, or an index its table.
        """
        self.readers.read(_check)

    def erase(self) -> None:
        """Close it and destroy it: its keys, then its files. It cannot be brought back.

        A crash leaves it as it is, or erased: opening it then says ``DatabaseErasedError``. The
        lock file stays; it is empty.

        Raises:
            ReadOnlyError: Not permitted.
            DiskError: Anything else the operating system reports.
        """
        self.readers.close()
        self.writer.close()
        try:
            destroying.destroy(self.path)
        finally:
            self._lock.release()

    def close(self) -> None:
        """Finish what was accepted, truncate the log, close the files, let others have them."""
        self.readers.close()
        self.writer.close()
        self._lock.release()


def _check(tx: Tx) -> None:
    if tx.value(str, "PRAGMA cipher_integrity_check") is not None:
        raise CorruptDatabaseError
    if tx.value(str, "PRAGMA quick_check(1)") != "ok":
        raise CorruptDatabaseError


def is_present(path: Path) -> bool:
    """Was a database made at this path? True also if only one of its two files is left."""
    if files.exists(path) or destroying.is_marked(path):
        return True
    try:
        return KeyFile.load(_key_path(path)).created
    except KeyFileMissingError:
        return False


def _key_path(path: Path) -> Path:
    return path.with_name(path.name + ".keys")


def _refuse_existing(path: Path) -> None:
    if is_present(path):
        raise DatabaseExistsError


def _refuse_erased(path: Path) -> None:
    if destroying.is_marked(path):
        destroying.finish(path)
        raise DatabaseErasedError


def _make_file(opener: Opener) -> None:
    """Make the whole database under another name, then give it its own, durably."""
    fresh = opener.path.with_name(opener.path.name + ".new")
    try:
        for suffix in ("", "-wal", "-shm", "-journal"):
            fresh.with_name(fresh.name + suffix).unlink(missing_ok=True)
        fresh.touch(files.PRIVATE)
    except OSError as error:
        raise files.mapped(error) from None
    connection = Opener(fresh, opener.key, opener.salt, opener.connect).keyed()
    try:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        migrate(connection)
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()
    try:
        fresh.replace(opener.path)
        files.sync_directory(opener.path.parent)
    except OSError as error:
        raise files.mapped(error) from None


def _starts_like_ours(path: Path, keys: KeyFile) -> bool:
    """Answer whether the file has the start that the key file knows.

    If not, it may still be ours with a damaged start: the page after it then opens all the same.

    Raises:
        NotADatabaseError: It is unencrypted, or too short to be anything.
        CorruptDatabaseError: It is ours and shorter than its first page.
    """
    try:
        with path.open("rb") as file:
            start = file.read(DATABASE_ID_BYTES)
            size = file.seek(0, os.SEEK_END)
    except OSError as error:
        raise files.mapped(error) from None
    if size < PAGE_BYTES and keys.database.startswith(start):
        raise CorruptDatabaseError
    if size < PAGE_BYTES or start == _PLAIN_SQLITE:
        raise NotADatabaseError
    return start == keys.database
