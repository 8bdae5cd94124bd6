"""Youth mode: turned on by one call, left by a passcode alone."""

from dataclasses import dataclass
from hmac import compare_digest
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from e2ecore.consent.youth import CLOSED, YouthLock, is_usable
from e2ecore.crypto.password import SALT_BYTES, derive_password_key
from e2ecore.engine.account import agreeing
from e2ecore.engine.errors import (
    PasscodePauseError,
    UnusablePasscodeError,
    WrongPasscodeError,
    YouthModeError,
)
from e2ecore.engine.running.job import Job
from e2ecore.storage import slot_changes
from e2ecore.storage import youth as stored
from e2ecore.storage.errors import WrongKeyError
from e2ecore.storage.tx import Tx

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core


@dataclass(frozen=True, slots=True)
class YouthStatus:
    """Whether youth mode is on, and when the way out can be tried."""

    since_ms: int
    """When it was turned on, in milliseconds since the Unix epoch."""
    failures: int
    """Wrong passcodes since then: show them to whoever knows the right one."""
    pause_ms: int
    """Milliseconds until a passcode may be tried; 0: now."""


class YouthMode:
    """A mode for young people: some purposes are closed, and what is stored counts as sensitive.

    Closed are being found by an address book or a place, letting others see that one is online,
    profiles, and passing data to others: nothing of it can be agreed to, and consents that were
    given before are withdrawn. It is this device's own mode: nobody else is told.
    """

    def __init__(self, core: "Core") -> None:
        self._core = core
        self._trying = anyio.Lock()

    async def status(self) -> YouthStatus | None:
        """Return how it stands; None: youth mode is off."""
        core = self._core
        lock = core.read(_lock)
        if lock is None:
            return None
        return YouthStatus(lock.since_ms, lock.failures, lock.pause_ms(core.clock_ms()))

    async def turn_on(self, passcode: str) -> None:
        """Turn it on, and withdraw what is closed in it.

        Args:
            passcode: 6 to 64 characters, for the parents. Without it youth mode can't be left, but
                by erasing the account: tell them.

        Raises:
            UnusablePasscodeError: It is too short, easy to guess, or opens this database as well.
            YouthModeError: It is on already.
            NotRegisteredError: There is no account yet.
        """
        core = self._core
        if not is_usable(passcode):
            raise UnusablePasscodeError
        core.check_open()
        if await anyio.to_thread.run_sync(self._opens_database, passcode):
            raise UnusablePasscodeError
        salt = core.rng(SALT_BYTES)
        code_hash = await anyio.to_thread.run_sync(_hashed, passcode, salt)

        def work(job: Job) -> None:
            if _lock(job.tx) is not None:
                raise YouthModeError
            for purpose in sorted(CLOSED):
                for one in agreeing.in_force(job, purpose):
                    agreeing.withdraw(job, one)
            stored.put(job.tx, YouthLock(salt, code_hash, job.now_ms, 0, 0).encode())

        await core.jobs.run(work)
        core.upkeep.to_settle.set()

    async def turn_off(self, passcode: str) -> None:
        """Leave it. What was withdrawn stays withdrawn.

        A try counts before it is looked at: after five wrong ones each costs a pause, from a minute
        up to a day.

        Raises:
            WrongPasscodeError: It stays on.
            PasscodePauseError: Too many were wrong; ``pause_ms`` says for how long to wait.
        """
        core = self._core

        def count(job: Job) -> YouthLock | None:
            lock = _lock(job.tx)
            if lock is None:
                return None
            pause_ms = lock.pause_ms(job.now_ms)
            if pause_ms:
                raise PasscodePauseError(pause_ms)
            stored.put(job.tx, lock.tried(job.now_ms).encode())
            return lock

        def leave(job: Job) -> None:
            stored.remove(job.tx)

        async with self._trying:
            lock = await core.jobs.run(count)
            if lock is None:
                return
            found = await anyio.to_thread.run_sync(_hashed, passcode, lock.salt)
            if not compare_digest(found, lock.code_hash):
                raise WrongPasscodeError
            await core.jobs.run(leave)

    def _opens_database(self, passcode: str) -> bool:
        """Whoever opens the app every day must not have the way out in their hands."""
        try:
            slot_changes.verify(self._core.database.path, passcode)
        except WrongKeyError:
            return False
        return True


def _lock(tx: Tx) -> YouthLock | None:
    found = stored.get(tx)
    return None if found is None else YouthLock.decode(found)


def _hashed(passcode: str, salt: bytes) -> bytes:
    return derive_password_key(passcode, salt).raw
