"""From what somebody knows or has to the key of the database, and the file that lies between.

The root is the master key M: 32 random bytes, made once, never derived from anything. Every other
key is HKDF-SHA256(M, label). M itself exists on disk only inside *slots* (see ``slots``), each
sealed under a key that one way of unlocking gives; slots of kinds this version does not know are
kept as they are. So a change of passphrase rewrites one slot of 100 bytes and not one page of the
database.

The key file is JSON, replaced as a whole; what the old one was made of is overwritten. Its checksum
tells a damaged file from a wrong passphrase, its check value tells a wrong master key from a
damaged database. ``database`` is the first 16 bytes of the database file (the salt that SQLCipher
writes there), which tells a foreign database from a damaged one.

While the database gets a new master key the file holds two sets of slots: those of the old one, and
``pending`` for the new one. Which of them counts, the database itself says (see ``rekeying``).
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, NamedTuple, cast

from e2ecore.crypto import hkdf
from e2ecore.crypto.password import DEFAULT_PARAMETERS, Argon2idParameters
from e2ecore.crypto.rng import Rng, system_rng
from e2ecore.crypto.secret import Secret
from e2ecore.storage import files, slots
from e2ecore.storage.errors import (
    KeyFileDamagedError,
    KeyFileMissingError,
    KeyringEntryMissingError,
    LastSlotError,
    NewerSchemaError,
    TooManySlotsError,
    UnknownSlotError,
    WrongKeyError,
    WrongPassphraseError,
)
from e2ecore.storage.slots import JsonObject, KeySlot, MasterKey
from e2ecore.storage.unlocking import Key, OsKeyring, Passphrase, Unlock, as_unlock

__all__ = ["DatabaseKey", "KeyFile", "MasterKey", "Pending", "database_key", "derive"]

VERSION: Final = 1
"""Of a file with one set of slots."""
PENDING_VERSION: Final = 2
"""Of a file with two: a program that knows only one must not drop the other."""
DATABASE_ID_BYTES: Final = 16
MAX_KEY_FILE_BYTES: Final = 64 * 1024
"""A hundred slots and more; a larger file is not ours."""
MAX_SLOTS: Final = 32
"""Ways to open one database. Each passphrase tried is tried at one of them only."""
_SALT: Final = b"e2ecore storage v1"
_CHECK_BYTES: Final = 16
_STANDS_ALONE: Final = frozenset({slots.PASSPHRASE, slots.RECOVERY, slots.HOST})
"""Kinds of slots that no reinstalled system and no changed login takes away."""


class DatabaseKey(Secret):
    """What SQLCipher encrypts pages with; 32 bytes."""


def derive(master: MasterKey, label: str, size: int = 32) -> bytes:
    """Return the key that ``label`` names, ``size`` bytes."""
    return hkdf.expand(hkdf.extract(_SALT, master.raw), label.encode(), size)


def database_key(master: MasterKey) -> DatabaseKey:
    """Return the key of the database file."""
    return DatabaseKey(derive(master, "database"))


class Pending(NamedTuple):
    """The slots of the master key that the database is getting."""

    check: bytes
    slots: tuple[JsonObject, ...]


@dataclass(frozen=True, slots=True, repr=False)
class KeyFile:
    """The content of a key file. Immutable; ``save`` replaces the file."""

    database: bytes
    """16 bytes: the database that these keys belong to."""
    created: bool
    """Was the database beside it completed? False only while it is being made."""
    check: bytes
    """16 bytes derived from the right master key, and from no other."""
    slots: tuple[JsonObject, ...] = field(default=())
    """Sealed copies of the master key."""
    pending: Pending | None = None
    """The next master key, while the database is changing to it."""

    @classmethod
    def new(
        cls, key: Key, *, parameters: Argon2idParameters, rng: Rng
    ) -> tuple["KeyFile", MasterKey]:
        """Make a master key and seal it in a slot. Slow on purpose.

        Raises:
            LastSlotError: The keyring alone is not enough.
        """
        master = MasterKey(rng(32))
        empty = cls(rng(DATABASE_ID_BYTES), created=False, check=_check_value(master))
        made = empty.add(master, key, parameters=parameters, rng=rng)
        _refuse_keyring_only(made.slots)
        return made, master

    def complete(self) -> "KeyFile":
        """Return the file that says: the database exists."""
        return replace(self, created=True)

    def unlock(self, key: Key) -> MasterKey:
        """Return the master key. With a passphrase slow on purpose: about 0.1 s and 64 MiB.

        Raises:
            WrongPassphraseError: No slot opens with this passphrase.
            WrongKeyError: No slot opens with this key of another kind.
            BadRecoveryCodeError: No code looks like that.
            BadHostKeyError: The key has not 32 bytes.
            KeyringUnavailableError: The keyring does not answer.
            KeyringEntryMissingError: It has lost our entry, or is another keyring.
            KeyFileDamagedError: A slot has impossible values.
        """
        unlock = as_unlock(key)
        found = _open_one(self.slots, self.check, unlock, self.database)
        if found is None:
            raise wrong_key(unlock)
        return found

    def add(
        self,
        master: MasterKey,
        key: Key,
        *,
        parameters: Argon2idParameters = DEFAULT_PARAMETERS,
        rng: Rng = system_rng,
    ) -> "KeyFile":
        """Return the file that one more key opens; a passphrase takes the place of the old one."""
        unlock = as_unlock(key)
        others = self.slots
        if isinstance(unlock, Passphrase):
            others = tuple(slot for slot in others if slot.get("kind") != slots.PASSPHRASE)
        if len(others) >= MAX_SLOTS:
            raise TooManySlotsError
        slot = slots.seal(master, unlock, database=self.database, parameters=parameters, rng=rng)
        return replace(self, slots=(*others, slot))

    def change_passphrase(
        self, old: Key, new: str, *, parameters: Argon2idParameters, rng: Rng
    ) -> "KeyFile":
        """Return the file in which ``new`` is the passphrase. The database stays as it is.

        Raises:
            WrongKeyError: ``old`` opens no slot.
        """
        return self.add(self.unlock(old), new, parameters=parameters, rng=rng)

    def remove(self, slot_id: str) -> "KeyFile":
        """Return the file without a slot.

        Raises:
            UnknownSlotError: There is none with this id.
            LastSlotError: Nothing, or nothing but the keyring, would open the database.
        """
        left = tuple(one for one in self.slots if slots.describe(one).slot_id != slot_id)
        if len(left) == len(self.slots):
            raise UnknownSlotError
        _refuse_keyring_only(left)
        return replace(self, slots=left)

    def with_pending(
        self,
        master: MasterKey,
        keep: Sequence[Key],
        *,
        parameters: Argon2idParameters,
        rng: Rng,
    ) -> "KeyFile":
        """Return the file that holds the next master key, too.

        Args:
            master: The next one.
            keep: What shall open it.
            parameters: The price of one guess.
            rng: Source of salts and nonces.

        Raises:
            LastSlotError: That is nothing, or nothing but the keyring.
        """
        fresh = KeyFile(self.database, created=True, check=_check_value(master))
        for key in keep:
            fresh = fresh.add(master, key, parameters=parameters, rng=rng)
        _refuse_keyring_only(fresh.slots)
        return replace(self, pending=Pending(fresh.check, fresh.slots))

    def settled(self, *, changed: bool) -> "KeyFile":
        """Return the file with one set of slots: the pending ones if the database has changed."""
        if changed and self.pending is not None:
            return replace(self, check=self.pending.check, slots=self.pending.slots, pending=None)
        return replace(self, pending=None)

    def described(self) -> tuple[KeySlot, ...]:
        """Return what may be shown of the slots."""
        return tuple(slots.describe(slot) for slot in self.slots)

    def encode(self) -> bytes:
        """Return the bytes of the file."""
        body: JsonObject = {
            "format": slots.FORMAT,
            "version": VERSION if self.pending is None else PENDING_VERSION,
            "database": self.database.hex(),
            "created": self.created,
            "check": self.check.hex(),
            "slots": list(self.slots),
        }
        if self.pending is not None:
            body["pending"] = {
                "check": self.pending.check.hex(),
                "slots": list(self.pending.slots),
            }
        body["checksum"] = hashlib.sha256(slots.canonical(body)).hexdigest()
        return json.dumps(body, indent=1, sort_keys=True).encode() + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> "KeyFile":
        """Read the bytes of a file.

        Raises:
            KeyFileDamagedError: Not a key file, or not every byte of one.
            NewerSchemaError: Whole, and of a newer version.
        """
        try:
            body = cast("JsonObject", json.loads(data))
            checksum = body.pop("checksum")
            if checksum != hashlib.sha256(slots.canonical(body)).hexdigest():
                raise KeyFileDamagedError
            if body["format"] != slots.FORMAT:
                raise KeyFileDamagedError
            if slots.as_integer(body["version"]) > PENDING_VERSION:
                raise NewerSchemaError
            pending = body.get("pending")
            return cls(
                slots.as_bytes(body["database"]),
                body["created"] is True,
                slots.as_bytes(body["check"]),
                _slots(body),
                _pending(pending) if isinstance(pending, dict) else None,
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise KeyFileDamagedError from None

    def save(self, path: Path) -> None:
        """Replace the file, durably and as a whole; overwrite what the old one was made of."""
        files.replace(path, self.encode(), wipe=True)

    @classmethod
    def load(cls, path: Path) -> "KeyFile":
        """Read a key file.

        Raises:
            KeyFileMissingError: There is none.
            KeyFileDamagedError: It is not whole.
            NewerSchemaError: A newer version wrote it.
        """
        try:
            with path.open("rb") as file:
                data = file.read(MAX_KEY_FILE_BYTES + 1)
        except FileNotFoundError:
            raise KeyFileMissingError from None
        except OSError as error:
            raise files.mapped(error) from None
        if len(data) > MAX_KEY_FILE_BYTES:
            raise KeyFileDamagedError
        return cls.decode(data)


def wrong_key(unlock: Unlock) -> WrongKeyError:
    """Return the error for what opens no slot."""
    return WrongPassphraseError() if isinstance(unlock, Passphrase) else WrongKeyError()


def forget_entries(gone: Sequence[JsonObject], keys: Sequence[Key]) -> None:
    """Remove from the keyring what slots that are not in use any more had there.

    Args:
        gone: The slots.
        keys: Where a keyring is among them, that one is asked; else the one that is found.
    """
    keyring = next((key for key in keys if isinstance(key, OsKeyring)), OsKeyring())
    for slot in gone:
        slots.forget(slot, keyring)


def _open_one(
    candidates: Sequence[JsonObject], check: bytes, unlock: Unlock, database: bytes
) -> MasterKey | None:
    kind = slots.kind_of(unlock)
    error: KeyringEntryMissingError | None = None
    for slot in candidates:
        if slot.get("kind") != kind:
            continue
        try:
            master = slots.open_slot(slot, unlock, database)
        except KeyringEntryMissingError as missing:
            error = missing
            continue
        if master is not None and _check_value(master) == check:
            return master
    if error is not None:
        raise error
    return None


def _refuse_keyring_only(left: Sequence[JsonObject]) -> None:
    if not any(slot.get("kind") in _STANDS_ALONE for slot in left):
        raise LastSlotError


def _slots(body: JsonObject) -> tuple[JsonObject, ...]:
    found = body["slots"]
    if not isinstance(found, list) or not all(isinstance(slot, dict) for slot in found):
        raise TypeError
    return tuple(found)


def _pending(body: JsonObject) -> Pending:
    return Pending(slots.as_bytes(body["check"]), _slots(body))


def _check_value(master: MasterKey) -> bytes:
    return derive(master, "check", _CHECK_BYTES)
