"""A new master key for a whole database, so that what opened the old one opens nothing any more.

Two phases, because two files change and no disk writes both at once:

1. The key file gets a second set of slots, ``pending``, for the new master key.
2. SQLCipher encrypts every page anew, in one transaction of SQLite's log. Its commit is the moment.
3. The log is emptied into the database, and flushed.
4. The key file is replaced by one with the new slots alone; the old one is overwritten.

A crash before the moment leaves a database that the old key opens, after it one that the new key
opens; which one, whoever opens it next finds out by trying both, and then does the rest of step 4.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from e2ecore.crypto.password import Argon2idParameters
from e2ecore.crypto.rng import Rng
from e2ecore.storage import files
from e2ecore.storage.connecting import PAGE_BYTES, Connect, Opener
from e2ecore.storage.errors import (
    CorruptDatabaseError,
    DiskError,
    KeyringEntryMissingError,
    StorageError,
    WrongKeyError,
)
from e2ecore.storage.keys import KeyFile, MasterKey, database_key, forget_entries, wrong_key
from e2ecore.storage.log import checkpoint
from e2ecore.storage.unlocking import Key, as_unlock

_LOG_HEADER_BYTES: Final = 32
_FRAME_BYTES: Final = 24 + PAGE_BYTES
_SPARE_FRAMES: Final = 64
"""Pages that the log may need beyond those of the database."""
_CHUNK_BYTES: Final = 1 << 20


def rekey(
    path: Path,
    old: MasterKey,
    keep: Sequence[Key],
    *,
    parameters: Argon2idParameters,
    rng: Rng,
    connect: Connect,
) -> None:
    """Give a closed database a new master key; the caller holds its lock.

    Needs as much free space again as the database takes, and 6 s for a GiB.

    Args:
        path: The database.
        old: What opens it now.
        keep: What shall open it afterwards: nothing else will.
        parameters: The price of one guess at a passphrase.
        rng: Source of the new key.
        connect: How a connection is made.

    Raises:
        LastSlotError: ``keep`` is nothing, or the keyring alone.
        DiskFullError: No space for the log. The database is as it was.
        DiskError: It could not be written. The database is as it was.
    """
    fresh = MasterKey(rng(32))
    loaded = KeyFile.load(files.keys_of(path))
    keys = loaded.with_pending(fresh, keep, parameters=parameters, rng=rng)
    keys.save(files.keys_of(path))
    masters = [(old, False), (fresh, True)]
    try:
        _encrypt_anew(
            Opener(path, database_key(old), keys.database, connect),
            Opener(path, database_key(fresh), keys.database, connect),
        )
    except StorageError:
        _settle(path, keys, masters, keep, connect)
        raise
    if _settle(path, keys, masters, keep, connect) is not fresh:
        raise DiskError("the driver gave up on a new key")


def recover(path: Path, keys: KeyFile, key: Key, connect: Connect) -> MasterKey:
    """Find out which master key a database has whose change was interrupted; finish the change.

    Raises:
        WrongKeyError: It has the one that ``key`` does not open.
        CorruptDatabaseError: Neither of the two opens it.
    """
    masters, failure = _unlocked(keys, key)
    try:
        if masters:
            return _settle(path, keys, masters, [key], connect)
    except CorruptDatabaseError:
        if len(masters) > 1:
            raise
    raise failure


def candidates(keys: KeyFile, key: Key) -> list[MasterKey]:
    """Return the master keys that a database may have whose change was interrupted."""
    return [master for master, _changed in _unlocked(keys, key)[0]] if keys.pending else []


def _unlocked(keys: KeyFile, key: Key) -> tuple[list[tuple[MasterKey, bool]], StorageError]:
    """Return what a key opens, and whether it is the new one; and why it opens not more."""
    failure: StorageError = wrong_key(as_unlock(key))
    masters: list[tuple[MasterKey, bool]] = []
    for changed in (False, True):
        try:
            masters.append((keys.settled(changed=changed).unlock(key), changed))
        except (WrongKeyError, KeyringEntryMissingError) as error:
            failure = error
    return masters, failure


def _settle(
    path: Path,
    keys: KeyFile,
    masters: Sequence[tuple[MasterKey, bool]],
    known: Sequence[Key],
    connect: Connect,
) -> MasterKey:
    """Have the key file say what the database says; return the master key that counts."""
    for master, changed in masters:
        opener = Opener(path, database_key(master), keys.database, connect)
        try:
            connection = opener.writer()
        except CorruptDatabaseError:
            continue
        try:
            checkpoint(connection, "TRUNCATE")
        finally:
            connection.close()
        settled = keys.settled(changed=changed)
        settled.save(files.keys_of(path))
        pending = keys.pending.slots if keys.pending else ()
        forget_entries(keys.slots if changed else pending, known)
        return master
    raise CorruptDatabaseError


def _encrypt_anew(old: Opener, new: Opener) -> None:
    connection = old.writer()
    try:
        checkpoint(connection, "TRUNCATE")
        pages = connection.value(int, "PRAGMA page_count") or 0
        _reserve(old.path, _LOG_HEADER_BYTES + (pages + _SPARE_FRAMES) * _FRAME_BYTES)
        connection.rekey(new.key.raw, new.salt)
    finally:
        connection.close()


def _reserve(path: Path, size: int) -> None:
    """Lay the log out with zeros: the driver would not say that the disk is full."""
    log = path.with_name(path.name + "-wal")
    try:
        handle = os.open(log, os.O_WRONLY | os.O_NOFOLLOW)
        try:
            for at in range(os.fstat(handle).st_size, size, _CHUNK_BYTES):
                os.pwrite(handle, bytes(min(_CHUNK_BYTES, size - at)), at)
            os.fsync(handle)
        except OSError:
            os.ftruncate(handle, 0)
            raise
        finally:
            os.close(handle)
    except OSError as error:
        raise files.mapped(error) from None
