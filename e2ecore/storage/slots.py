"""Slots: the master key, sealed under a key that one way of unlocking gives.

A slot is a JSON object. All of it but the sealed key is authenticated together with the database it
is for, so that no part can be exchanged and no slot moved. Its id is the start of its hash: it has
none of its own, because the first slots had none.
"""

import hashlib
import json
import unicodedata
from dataclasses import dataclass
from typing import Final

from e2ecore.crypto import hkdf
from e2ecore.crypto.aead import AES_256_GCM
from e2ecore.crypto.errors import DecryptionError, KeyMaterialError
from e2ecore.crypto.password import SALT_BYTES, Argon2idParameters, derive_password_key
from e2ecore.crypto.rng import Rng
from e2ecore.crypto.secret import Secret
from e2ecore.errors import UsageError
from e2ecore.storage import keyrings, recovery_codes
from e2ecore.storage.errors import BadHostKeyError, KeyFileDamagedError
from e2ecore.storage.unlocking import (
    HOST_KEY_BYTES,
    HostKey,
    OsKeyring,
    Passphrase,
    RecoveryCode,
    Unlock,
)

FORMAT: Final = "e2ecore keys"
PASSPHRASE: Final = "passphrase"  # noqa: S105 - the name of a kind
RECOVERY: Final = "recovery"
KEYRING: Final = "keyring"
HOST: Final = "host"
_ID_CHARS: Final = 8
_ENTRY_BYTES: Final = 8

JsonObject = dict[str, "str | int | bool | list[JsonObject] | JsonObject"]


class MasterKey(Secret):
    """The root of all keys of one database; 32 random bytes."""


@dataclass(frozen=True, slots=True)
class KeySlot:
    """One way in which a database can be opened."""

    slot_id: str
    """Eight hexadecimal digits; another one after each change."""
    kind: str
    """``passphrase``, ``recovery``, ``keyring``, ``host``, or a kind of a newer version."""


def describe(slot: JsonObject) -> KeySlot:
    """Return what may be shown of a slot."""
    kind = slot.get("kind")
    return KeySlot(
        hashlib.sha256(canonical(slot)).hexdigest()[:_ID_CHARS],
        kind if isinstance(kind, str) else "",
    )


def kind_of(unlock: Unlock) -> str:
    """Return the kind of slot that this opens."""
    match unlock:
        case Passphrase():
            return PASSPHRASE
        case RecoveryCode():
            return RECOVERY
        case HostKey():
            return HOST
        case OsKeyring():
            return KEYRING


def seal(
    master: MasterKey,
    unlock: Unlock,
    *,
    database: bytes,
    parameters: Argon2idParameters,
    rng: Rng,
) -> JsonObject:
    """Return a new slot. Slow on purpose for a passphrase; asks the keyring for a keyring.

    Args:
        master: What it holds.
        unlock: What opens it.
        database: 16 bytes: the database it is for.
        parameters: The price of one guess at a passphrase.
        rng: Source of salts and nonces.

    Raises:
        KeyringUnavailableError: The keyring does not answer.
        BadRecoveryCodeError: No code looks like that.
        BadHostKeyError: The key has not 32 bytes.
        UsageError: The passphrase is empty.
    """
    salt, nonce = rng(SALT_BYTES), rng(AES_256_GCM.nonce_size)
    slot: JsonObject = {"kind": kind_of(unlock), "salt": salt.hex(), "nonce": nonce.hex()}
    match unlock:
        case Passphrase():
            slot["kdf"] = "argon2id"
            slot["memory_kib"] = parameters.memory_kib
            slot["iterations"] = parameters.iterations
            slot["lanes"] = parameters.lanes
        case OsKeyring():
            entry = f"{database.hex()}/{rng(_ENTRY_BYTES).hex()}"
            slot["backend"] = keyrings.save(unlock, entry, rng(32))
            slot["entry"] = entry
        case _:
            pass
    key = _slot_key(slot, unlock)
    sealed = AES_256_GCM.seal(key, nonce, master.raw, _aad(slot, database))
    return {**slot, "sealed": sealed.hex()}


def open_slot(slot: JsonObject, unlock: Unlock, database: bytes) -> MasterKey | None:
    """Return the master key, or None if this does not open this slot.

    Raises:
        KeyFileDamagedError: The slot has impossible values.
        KeyringUnavailableError: The keyring does not answer.
        KeyringEntryMissingError: It has no entry for this slot.
        BadRecoveryCodeError: No code looks like that.
        BadHostKeyError: The key has not 32 bytes.
    """
    try:
        key = _slot_key(slot, unlock)
        nonce, sealed = as_bytes(slot["nonce"]), as_bytes(slot["sealed"])
        return MasterKey(AES_256_GCM.open(key, nonce, sealed, _aad(slot, database)))
    except DecryptionError:
        return None
    except (KeyError, ValueError, TypeError, KeyMaterialError):
        raise KeyFileDamagedError from None


def forget(slot: JsonObject, unlock: OsKeyring) -> None:
    """Remove what the keyring keeps for a slot that is not in use any more."""
    entry = slot.get("entry")
    if slot.get("kind") == KEYRING and isinstance(entry, str):
        keyrings.forget(unlock, entry)


def _slot_key(slot: JsonObject, unlock: Unlock) -> bytes:
    salt = as_bytes(slot["salt"])
    match unlock:
        case Passphrase(text):
            parameters = Argon2idParameters(
                memory_kib=as_integer(slot["memory_kib"]),
                iterations=as_integer(slot["iterations"]),
                lanes=as_integer(slot["lanes"]),
            )
            return derive_password_key(_normal(text), salt, parameters=parameters).raw
        case RecoveryCode(text):
            return _stretched(salt, recovery_codes.decode(text), RECOVERY)
        case HostKey(raw):
            if len(raw) != HOST_KEY_BYTES:
                raise BadHostKeyError
            return _stretched(salt, raw, HOST)
        case OsKeyring():
            entry = slot["entry"]
            if not isinstance(entry, str):
                raise TypeError
            return _stretched(salt, keyrings.load(unlock, entry), KEYRING)


def _stretched(salt: bytes, raw: bytes, kind: str) -> bytes:
    return hkdf.expand(hkdf.extract(salt, raw), f"e2ecore {kind} slot".encode(), 32)


def _aad(slot: JsonObject, database: bytes) -> bytes:
    """Everything about a slot but the sealed key, so that no part can be exchanged."""
    named = {name: value for name, value in slot.items() if name != "sealed"}
    return canonical({"format": FORMAT, "database": database.hex(), "slot": named})


def _normal(passphrase: str) -> str:
    """The same passphrase typed on another keyboard gives the same bytes.

    Spec: RFC 8265 §4.2.1 (Preparation), without its refusal of control characters.
    """
    if not passphrase:
        raise UsageError("the passphrase is empty: choose one")
    return unicodedata.normalize("NFC", passphrase)


def canonical(value: JsonObject) -> bytes:
    """Return the one encoding of a JSON object that is hashed and authenticated."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def as_integer(value: object) -> int:
    """Return an integer of a key file.

    Raises:
        TypeError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError
    return value


def as_bytes(value: object) -> bytes:
    """Return bytes of a key file.

    Raises:
        TypeError: It is no text.
        ValueError: ... or not hexadecimal.
    """
    if not isinstance(value, str):
        raise TypeError
    return bytes.fromhex(value)
