"""The ways in which a database can be unlocked, as an app sees and changes them."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import anyio
import anyio.to_thread

from e2ecore.engine.running.core import Core
from e2ecore.storage import slot_changes
from e2ecore.storage.recovery_codes import new_recovery_code
from e2ecore.storage.slots import KeySlot
from e2ecore.storage.strength import check_passphrase
from e2ecore.storage.unlocking import HostKey, OsKeyring, RecoveryCode, Unlock

T = TypeVar("T")


class Keys:
    """The key slots of an open database. Every change asks for a key that opens it now.

    A change replaces the key file and leaves the database as it is, so it takes a moment whatever
    the size of the history. Somebody who has an older copy of the key file still opens that copy
    with what opened it then; ``e2ecore.rekey`` puts an end to that, too.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._changing = anyio.Lock()

    async def list(self) -> tuple[KeySlot, ...]:
        """Return the slots, in the order in which they were made."""
        path = self._path
        return await anyio.to_thread.run_sync(slot_changes.listed, path)

    async def verify(self, key: str | Unlock) -> None:
        """Make sure that a key opens this database, as before something sensitive is shown.

        Raises:
            WrongKeyError: It does not; ``WrongPassphraseError`` for a passphrase.
        """
        path = self._path
        await anyio.to_thread.run_sync(slot_changes.verify, path, key)

    async def change_passphrase(self, key: str | Unlock, new: str) -> None:
        """Have a new passphrase open the database instead of the old one.

        Args:
            key: The passphrase until now; or any other key, where it was forgotten.
            new: The passphrase from now on.

        Raises:
            WrongKeyError: ``key`` does not open it. Nothing changed.
            WeakPassphraseError: The new one is easy to guess.
        """
        await self._change(lambda: check_passphrase(new))
        await self._add(key, new)

    async def add_recovery_code(self, key: str | Unlock) -> str:
        """Have a new code open the database as well, and return it: to be shown once, on paper.

        It is kept nowhere else. Codes made before go on to open it until they are removed.

        Raises:
            WrongKeyError: ``key`` does not open it. Nothing changed.
        """
        code = new_recovery_code(self._core.rng)
        await self._add(key, RecoveryCode(code))
        return code

    async def add_keyring(self, key: str | Unlock, keyring: OsKeyring | None = None) -> KeySlot:
        """Have the keyring of the user's session open the database as well.

        Args:
            key: What opens it now.
            keyring: None: the one of the system.

        Raises:
            WrongKeyError: ``key`` does not open it. Nothing changed.
            KeyringUnavailableError: There is no keyring that protects what it keeps.
        """
        return await self._add(key, keyring or OsKeyring())

    async def add_host_key(self, key: str | Unlock, new: HostKey) -> KeySlot:
        """Have a key that the app keeps open the database as well.

        Raises:
            WrongKeyError: ``key`` does not open it. Nothing changed.
            BadHostKeyError: The new one has not 32 bytes.
        """
        return await self._add(key, new)

    async def remove(self, key: str | Unlock, slot_id: str) -> None:
        """Have a slot open the database no more.

        Args:
            key: What opens it now; may be the one that is removed.
            slot_id: ``KeySlot.slot_id``.

        Raises:
            WrongKeyError: ``key`` does not open it. Nothing changed.
            UnknownSlotError: There is no such slot.
            LastSlotError: Nothing, or nothing but the system's keyring, would be left.
        """
        path = self._path
        await self._change(lambda: slot_changes.remove(path, key, slot_id))

    async def _add(self, key: str | Unlock, new: str | Unlock) -> KeySlot:
        path, rng = self._path, self._core.rng
        return await self._change(lambda: slot_changes.add(path, key, new, rng=rng))

    async def _change(self, work: Callable[[], T]) -> T:
        """Do something in a thread, one after the other; to its end, cancelled or not."""
        async with self._changing:
            return await anyio.to_thread.run_sync(work)

    @property
    def _path(self) -> Path:
        self._core.check_open()
        return self._core.database.path
