"""From a passphrase to the key of the database, and the file that holds what lies between.

The root is the master key M: 32 random bytes, made once, never derived from anything. Every other
key is HKDF-SHA256(M, label). M itself exists on disk only inside *slots*: each slot is M, sealed
with AES-256-GCM under a key that one way of unlocking gives. Today's only kind is ``passphrase``
(Argon2id); slots of kinds this version does not know are kept as they are.

So a change of passphrase rewrites one slot of 100 bytes and not one page of the database.

The key file is JSON, replaced as a whole. Its checksum tells a damaged file from a wrong
passphrase, its check value tells a wrong master key from a damaged database. ``database`` is the
first 16 bytes of the database file (the salt that SQLCipher writes there), which tells a foreign
database from a damaged one.
"""

import hashlib
import json
import unicodedata
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, cast

from e2ecore.crypto import hkdf
from e2ecore.crypto.aead import AES_256_GCM
from e2ecore.crypto.errors import DecryptionError, KeyMaterialError
from e2ecore.crypto.password import SALT_BYTES, Argon2idParameters, derive_password_key
from e2ecore.crypto.rng import Rng
from e2ecore.crypto.secret import Secret
from e2ecore.errors import UsageError
from e2ecore.storage import files
from e2ecore.storage.errors import (
    KeyFileDamagedError,
    KeyFileMissingError,
    WrongPassphraseError,
)

FORMAT: Final = "e2ecore keys"
VERSION: Final = 1
DATABASE_ID_BYTES: Final = 16
MAX_KEY_FILE_BYTES: Final = 64 * 1024
"""A hundred slots and more; a larger file is not ours."""
_SALT: Final = b"e2ecore storage v1"
_CHECK_BYTES: Final = 16

JsonObject = dict[str, "str | int | bool | list[JsonObject] | JsonObject"]


class MasterKey(Secret):
    """The root of all keys of one database; 32 random bytes."""


class DatabaseKey(Secret):
    """What SQLCipher encrypts pages with; 32 bytes."""


def derive(master: MasterKey, label: str, size: int = 32) -> bytes:
    """Return the key that ``label`` names, ``size`` bytes."""
    return hkdf.expand(hkdf.extract(_SALT, master.raw), label.encode(), size)


def database_key(master: MasterKey) -> DatabaseKey:
    """Return the key of the database file."""
    return DatabaseKey(derive(master, "database"))


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

    @classmethod
    def new(
        cls, passphrase: str, *, parameters: Argon2idParameters, rng: Rng
    ) -> tuple["KeyFile", MasterKey]:
        """Make a master key and seal it in a passphrase slot. Slow on purpose."""
        master = MasterKey(rng(32))
        empty = cls(rng(DATABASE_ID_BYTES), created=False, check=_check_value(master))
        return empty._with_passphrase(master, passphrase, parameters=parameters, rng=rng), master

    def complete(self) -> "KeyFile":
        """Return the file that says: the database exists."""
        return replace(self, created=True)

    def change_passphrase(
        self, old: str, new: str, *, parameters: Argon2idParameters, rng: Rng
    ) -> "KeyFile":
        """Return the file in which ``new`` opens what ``old`` opened. The database stays as it is.

        Raises:
            WrongPassphraseError: ``old`` opens no slot.
        """
        return self._with_passphrase(self.unlock(old), new, parameters=parameters, rng=rng)

    def unlock(self, passphrase: str) -> MasterKey:
        """Return the master key. Slow on purpose: about 0.1 s and 64 MiB.

        Raises:
            WrongPassphraseError: No slot opens with it.
            KeyFileDamagedError: A slot has impossible values.
        """
        for slot in self.slots:
            if slot.get("kind") == "passphrase":
                master = self._open_slot(slot, passphrase)
                if master is not None and _check_value(master) == self.check:
                    return master
        raise WrongPassphraseError

    def _open_slot(self, slot: JsonObject, passphrase: str) -> MasterKey | None:
        try:
            parameters = Argon2idParameters(
                memory_kib=_integer(slot["memory_kib"]),
                iterations=_integer(slot["iterations"]),
                lanes=_integer(slot["lanes"]),
            )
            key = derive_password_key(
                _normal(passphrase), _bytes(slot["salt"]), parameters=parameters
            )
            nonce, sealed = _bytes(slot["nonce"]), _bytes(slot["sealed"])
            return MasterKey(AES_256_GCM.open(key.raw, nonce, sealed, self._aad(slot)))
        except DecryptionError:
            return None
        except (KeyError, ValueError, TypeError, KeyMaterialError):
            raise KeyFileDamagedError from None

    def _with_passphrase(
        self, master: MasterKey, passphrase: str, *, parameters: Argon2idParameters, rng: Rng
    ) -> "KeyFile":
        salt, nonce = rng(SALT_BYTES), rng(AES_256_GCM.nonce_size)
        key = derive_password_key(_normal(passphrase), salt, parameters=parameters)
        others = tuple(slot for slot in self.slots if slot.get("kind") != "passphrase")
        slot: JsonObject = {
            "kind": "passphrase",
            "kdf": "argon2id",
            "memory_kib": parameters.memory_kib,
            "iterations": parameters.iterations,
            "lanes": parameters.lanes,
            "salt": salt.hex(),
            "nonce": nonce.hex(),
        }
        sealed = AES_256_GCM.seal(key.raw, nonce, master.raw, self._aad(slot))
        return replace(self, slots=(*others, {**slot, "sealed": sealed.hex()}))

    def _aad(self, slot: JsonObject) -> bytes:
        """Everything about a slot but the sealed key, so that no part can be exchanged."""
        named = {name: value for name, value in slot.items() if name != "sealed"}
        return _canonical({"format": FORMAT, "database": self.database.hex(), "slot": named})

    def encode(self) -> bytes:
        """Return the bytes of the file."""
        body: JsonObject = {
            "format": FORMAT,
            "version": VERSION,
            "database": self.database.hex(),
            "created": self.created,
            "check": self.check.hex(),
            "slots": list(self.slots),
        }
        body["checksum"] = hashlib.sha256(_canonical(body)).hexdigest()
        return json.dumps(body, indent=1, sort_keys=True).encode() + b"\n"

    @classmethod
    def decode(cls, data: bytes) -> "KeyFile":
        """Read the bytes of a file.

        Raises:
            KeyFileDamagedError: Not a key file, or not every byte of one.
        """
        try:
            body = cast("JsonObject", json.loads(data))
            checksum = body.pop("checksum")
            if checksum != hashlib.sha256(_canonical(body)).hexdigest():
                raise KeyFileDamagedError
            slots = body["slots"]
            if (
                body["format"] != FORMAT
                or body["version"] != VERSION
                or not isinstance(slots, list)
            ):
                raise KeyFileDamagedError
            return cls(
                _bytes(body["database"]),
                body["created"] is True,
                _bytes(body["check"]),
                tuple(slots),
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise KeyFileDamagedError from None

    def save(self, path: Path) -> None:
        """Replace the file, durably and as a whole."""
        files.replace(path, self.encode())

    @classmethod
    def load(cls, path: Path) -> "KeyFile":
        """Read a key file.

        Raises:
            KeyFileMissingError: There is none.
            KeyFileDamagedError: It is not whole.
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


def _check_value(master: MasterKey) -> bytes:
    return derive(master, "check", _CHECK_BYTES)


def _normal(passphrase: str) -> str:
    """The same passphrase typed on another keyboard gives the same bytes.

    Spec: RFC 8265 §4.2.1 (Preparation), without its refusal of control characters.
    """
    if not passphrase:
        raise UsageError("the passphrase is empty: choose one")
    return unicodedata.normalize("NFC", passphrase)


def _canonical(value: JsonObject) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value


def _bytes(value: object) -> bytes:
    if not isinstance(value, str):
        raise TypeError
    return bytes.fromhex(value)
