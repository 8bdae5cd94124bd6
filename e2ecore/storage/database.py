"""One encrypted database: made, opened, unlocked, closed.

Files of the database ``alice.db``: the database itself, ``alice.db-wal`` and ``alice.db-shm``
(SQLite's log and its index), ``alice.db.keys`` (key slots), ``alice.db.lock`` (one process at a
time), ``alice.db.repair`` (what a repair has saved so far), ``alice.db.damaged-1`` (what it saved
from).

Making one: key file marked "not created yet", then the whole schema in ``alice.db.new``, then its
rename to ``alice.db``, then the mark is removed. A crash in between is recognised by the mark and
either finished (the rename happened) or begun anew (it did not). Without the mark nothing is ever
created over existing keys or an existing database.
"""

import os
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from typing import Final, Self

from e2ecore.crypto.password import DEFAULT_PARAMETERS, Argon2idParameters
from e2ecore.crypto.rng import Rng, system_rng
from e2ecore.storage import (
    destroying,
    files,
    integrity,
    landmarks,
    rekeying,
    salvage,
    sealed_pages,
)
from e2ecore.storage.connecting import PAGE_BYTES, Connect, Opener
from e2ecore.storage.errors import (
    CorruptDatabaseError,
    DatabaseErasedError,
    DatabaseExistsError,
    DatabaseMissingError,
    DiskError,
    KeyFileMissingError,
    NotADatabaseError,
    UnreadableDatabaseError,
)
from e2ecore.storage.keys import DATABASE_ID_BYTES, KeyFile, MasterKey, database_key
from e2ecore.storage.making import make_file
from e2ecore.storage.migrations.steps import migrate
from e2ecore.storage.readers import Readers
from e2ecore.storage.sql import Connection
from e2ecore.storage.tx import Tx
from e2ecore.storage.unlocking import Key
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
        self._connect = opener.connect
        connection = opener.checked()
        try:
            migrate(connection)
            landmarks.keep(connection)
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
        key: Key,
        *,
        parameters: Argon2idParameters = DEFAULT_PARAMETERS,
        rng: Rng = system_rng,
        connect: Connect = Connection,
    ) -> Self:
        """Make a new database and open it. Slow on purpose: call it off the event loop.

        Args:
            path: A file name in an existing directory.
            key: What will open it: a passphrase, or anything else but the system's keyring alone.
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
            keys, master = KeyFile.new(key, parameters=parameters, rng=rng)
            keys.save(files.keys_of(path))
            opener = Opener(path, database_key(master), keys.database, connect)
            make_file(opener)
            keys.complete().save(files.keys_of(path))
            return cls(path, lock, master, opener)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(
        cls,
        path: Path,
        key: Key,
        *,
        connect: Connect = Connection,
    ) -> Self:
        """Open an existing database. Slow on purpose: call it off the event loop.

        Finishes what a crash has interrupted: a change of the master key, a repair.

        Raises:
            DatabaseMissingError: There is none; none is created.
            DatabaseErasedError: It was erased, and a crash had left some of its files.
            WrongKeyError: Nothing is damaged; ``WrongPassphraseError`` for a passphrase.
            KeyringUnavailableError: The system's keyring does not answer.
            KeyringEntryMissingError: It answers, and has lost our entry.
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
            return cls._open_locked(path, key, lock, connect)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def _open_locked(cls, path: Path, key: Key, lock: files.DatabaseLock, connect: Connect) -> Self:
        keys, master, is_ours = _unlock(path, key, connect)
        opener = Opener(path, database_key(master), keys.database, connect)
        try:
            database = cls(path, lock, master, opener)
        except CorruptDatabaseError:
            if is_ours:
                raise
            raise NotADatabaseError from None
        salvage.discard(path)  # it was made from what is about to change
        if not keys.created:
            keys.complete().save(files.keys_of(path))
        return database

    @classmethod
    def repair(
        cls, path: Path, key: Key, *, connect: Connect = Connection
    ) -> salvage.SalvageReport | None:
        """Save what can be read of a damaged database; see ``salvage``. Two minutes for a GiB.

        Returns:
            What was saved; None if nothing is damaged, and nothing was done.

        Raises:
            UnreadableDatabaseError: Nothing can be saved: not one page can be read.
            StorageError: As ``open``.
        """
        if not is_present(path):
            raise DatabaseMissingError
        lock = files.DatabaseLock(path)
        try:
            _refuse_erased(path)
            keys, master, is_ours = _unlock_damaged(path, key, connect)
            opener = Opener(path, database_key(master), keys.database, connect)
            try:
                return None if _is_whole(opener) else salvage.salvage(opener)
            except UnreadableDatabaseError:
                if is_ours:
                    raise
                raise NotADatabaseError from None
        finally:
            lock.release()

    def reopen(self, key: Key) -> Self:
        """Open it again after ``close``. As ``open``."""
        return type(self).open(self.path, key, connect=self._connect)

    def change_passphrase(
        self,
        old: Key,
        new: str,
        *,
        parameters: Argon2idParameters = DEFAULT_PARAMETERS,
        rng: Rng = system_rng,
    ) -> None:
        """Have ``new`` be the passphrase of the database, durably, whatever its size.

        Someone who copied the key file before still opens that copy with the old one.

        Args:
            old: The passphrase until now, or any other key that opens the database.
            new: The passphrase from now on.
            parameters: The price of one guess.
            rng: Source of salts.

        Raises:
            WrongKeyError: ``old`` does not open it; nothing changed.
        """
        path = files.keys_of(self.path)
        keys = KeyFile.load(path)
        keys.change_passphrase(old, new, parameters=parameters, rng=rng).save(path)

    def check(self) -> None:
        """Read every page and every index. Takes about 3 s per GiB; call it off the event loop.

        Raises:
            CorruptDatabaseError: A page fails its authentication, or an index its table.
        """
        if not self.readers.read(integrity.examine).is_whole:
            raise CorruptDatabaseError

    def rekey(
        self,
        keep: Sequence[Key],
        *,
        parameters: Argon2idParameters = DEFAULT_PARAMETERS,
        rng: Rng = system_rng,
    ) -> None:
        """Close it and encrypt it anew: a copy of the old keys opens nothing of it any more.

        A crash leaves it with the old key or with the new one; it opens in both cases.

        Args:
            keep: What shall open it from now on; whatever else did will not.
            parameters: The price of one guess at a passphrase.
            rng: Source of the new master key.

        Raises:
            LastSlotError: ``keep`` is nothing, or the system's keyring alone.
            DiskFullError: It takes as much space again as the database. Nothing changed.
            DiskError: Anything else the operating system reports. Nothing changed.
        """
        self.readers.close()
        self.writer.close()
        try:
            rekeying.rekey(
                self.path, self._master, keep, parameters=parameters, rng=rng, connect=self._connect
            )
        finally:
            self._lock.release()

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


def is_present(path: Path) -> bool:
    """Was a database made at this path? True also if only one of its two files is left."""
    if files.exists(path) or destroying.is_marked(path):
        return True
    try:
        return KeyFile.load(files.keys_of(path)).created
    except KeyFileMissingError:
        return False


def _unlock(path: Path, key: Key, connect: Connect) -> tuple[KeyFile, MasterKey, bool]:
    """Return key file, master key, and whether the file's start is the one that they know."""
    salvage.finish(path)
    keys = KeyFile.load(files.keys_of(path))
    if not files.exists(path):
        raise DatabaseMissingError
    is_ours = _starts_like_ours(path, keys)
    if keys.pending is None:
        return keys, keys.unlock(key), is_ours
    master = rekeying.recover(path, keys, key, connect)
    return KeyFile.load(files.keys_of(path)), master, is_ours


def _unlock_damaged(path: Path, key: Key, connect: Connect) -> tuple[KeyFile, MasterKey, bool]:
    """As ``_unlock``, of a file that may have lost the page that says which master key counts."""
    try:
        return _unlock(path, key, connect)
    except CorruptDatabaseError:
        keys = KeyFile.load(files.keys_of(path))
        masters = rekeying.candidates(keys, key)
        if not masters:
            raise
    counted = [
        (sealed_pages.readable(path, database_key(one), keys.database).pages, one)
        for one in masters
    ]
    return keys, max(counted, key=itemgetter(0))[1], _starts_like_ours(path, keys)


def _is_whole(opener: Opener) -> bool:
    """Can every page of a database be read, and every table?

    The pages are looked at first, without SQLite: closing a file it would write the log into it.
    """
    pages, of = sealed_pages.readable(opener.path, opener.key, opener.salt)
    if pages < of:
        return False
    try:
        reader = opener.reader()
    except (CorruptDatabaseError, DiskError):
        return False
    try:
        return integrity.examine(Tx(reader)).is_whole
    finally:
        reader.close()


def _refuse_existing(path: Path) -> None:
    if is_present(path):
        raise DatabaseExistsError


def _refuse_erased(path: Path) -> None:
    if destroying.is_marked(path):
        destroying.finish(path)
        raise DatabaseErasedError


def _starts_like_ours(path: Path, keys: KeyFile) -> bool:
    """Answer whether the file has the start that the key file knows.

    If not, it may still be ours with a damaged start: the page after it then opens all the same.

    Raises:
        NotADatabaseError: It is unencrypted, or too short to be anything.
        UnreadableDatabaseError: It is ours and shorter than its first page.
    """
    try:
        with path.open("rb") as file:
            start = file.read(DATABASE_ID_BYTES)
            size = file.seek(0, os.SEEK_END)
    except OSError as error:
        raise files.mapped(error) from None
    if size < PAGE_BYTES and keys.database.startswith(start):
        raise UnreadableDatabaseError
    if size < PAGE_BYTES or start == _PLAIN_SQLITE:
        raise NotADatabaseError
    return start == keys.database
