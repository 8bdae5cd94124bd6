"""What is done to a database while it is closed, or the engine locked: a new key, a repair."""

import os
from collections.abc import Sequence
from pathlib import Path

import anyio.to_thread

from e2ecore.crypto.rng import system_rng
from e2ecore.engine.errors import OneKeyError
from e2ecore.storage import recovery_codes
from e2ecore.storage.database import Database
from e2ecore.storage.salvage import SalvageReport
from e2ecore.storage.strength import check_passphrase
from e2ecore.storage.unlocking import Key, Passphrase, Unlock, as_unlock


def one_key(passphrase: str | None, unlock: Unlock | None) -> Unlock:
    """Return the key that a caller gave in one of two ways.

    Raises:
        OneKeyError: It gave none or two.
    """
    if (passphrase is None) == (unlock is None):
        raise OneKeyError
    return unlock if unlock is not None else Passphrase(passphrase or "")


def check_new_key(key: Key) -> None:
    """Refuse a new passphrase that is easy to guess.

    Raises:
        WeakPassphraseError: It is.
    """
    unlock = as_unlock(key)
    if isinstance(unlock, Passphrase) and unlock.text:
        check_passphrase(unlock.text)


def new_recovery_code() -> str:
    """Return a fresh recovery code, for ``rekey``: show it before the database depends on it."""
    return recovery_codes.new_recovery_code(system_rng)


async def rekey(
    path: str | os.PathLike[str],
    *,
    passphrase: str | None = None,
    unlock: Unlock | None = None,
    keep: Sequence[str | Unlock],
) -> None:
    """Encrypt a closed database anew: what opened it, and copies of its key file, open it no more.

    For when a key may have been seen by others. Takes as much free space again as the database and
    some 10 s for a GiB. May be killed at any moment: the database opens with the old keys, or with
    those of ``keep``.

    Args:
        path: The database file.
        passphrase: What opens it now; or
        unlock: ... another key that does.
        keep: What shall open it from now on: passphrases as text, or ``RecoveryCode``, ``HostKey``,
            ``OsKeyring``. At least one that is not the keyring.

    Raises:
        WrongKeyError: Nothing changed; as for everything below.
        LastSlotError: ``keep`` is empty, or the system's keyring alone.
        WeakPassphraseError: A passphrase of ``keep`` that does not open it now is easy to guess.
        DatabaseInUseError: It is open. Close it, or lock the engine.
        DiskFullError: There is not enough space.
        DiskError: The operating system could not write it.
    """
    key, file = one_key(passphrase, unlock), Path(path)

    def work() -> None:
        for one in keep:
            if as_unlock(one) != key:
                check_new_key(one)
        Database.open(file, key).rekey(keep)

    await anyio.to_thread.run_sync(work)


async def repair(
    path: str | os.PathLike[str],
    *,
    passphrase: str | None = None,
    unlock: Unlock | None = None,
) -> SalvageReport | None:
    """Look for damage in a closed database; if there is any, save what can be read.

    The damaged file is set aside, never changed or deleted. May be killed at any moment and called
    again: it goes on where it was. Takes up to as much free space again as the database.

    Args:
        path: The database file.
        passphrase: What opens it; or
        unlock: ... another key that does.

    Returns:
        What was saved; None if nothing is damaged.

    Raises:
        WrongKeyError: Nothing changed.
        UnreadableDatabaseError: Nothing can be saved: no page can be read. Restore a copy.
        DatabaseInUseError: It is open. Close it, or lock the engine.
        DiskFullError: There is not enough space. Nothing is lost; call it again.
    """
    key, file = one_key(passphrase, unlock), Path(path)
    return await anyio.to_thread.run_sync(Database.repair, file, key)
