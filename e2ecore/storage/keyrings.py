"""The only door to the ``keyring`` library: the keyring of the user's session.

It holds, for each slot, 32 random bytes that seal the master key; never the master key, so that an
entry of the keyring alone opens nothing. Whatever the keyring raises becomes
``KeyringUnavailableError``: it is locked, its service does not run, or the library is missing.
"""

import contextlib
import importlib
from typing import Final, cast

from e2ecore.storage.errors import KeyringEntryMissingError, KeyringUnavailableError
from e2ecore.storage.unlocking import KeyringBackend, OsKeyring

SERVICE: Final = "e2ecore"
"""The name under which a keyring shows our entries."""
_LEAST_PRIORITY: Final = 1
"""The library ranks backends; below 1 are those that keep nothing, or keep it unencrypted."""
_KEY_BYTES: Final = 32


def backend_of(asked: OsKeyring) -> KeyringBackend:
    """Return the keyring to use.

    Raises:
        KeyringUnavailableError: There is none that protects what it keeps.
    """
    if asked.backend is not None:
        return asked.backend
    try:
        found: object = importlib.import_module("keyring").get_keyring()
        priority = float(getattr(found, "priority", 0))
    except Exception:  # noqa: BLE001 - backends raise anything
        raise KeyringUnavailableError from None
    if priority < _LEAST_PRIORITY:
        raise KeyringUnavailableError(name_of(found))
    return cast("KeyringBackend", found)


def name_of(backend: object) -> str:
    """Return what tells one kind of keyring from another."""
    kind = type(backend)
    return f"{kind.__module__}.{kind.__qualname__}"


def load(asked: OsKeyring, entry: str) -> bytes:
    """Return what is kept under a name.

    Raises:
        KeyringUnavailableError: The keyring does not answer.
        KeyringEntryMissingError: It answers, and has nothing under this name, or not ours.
    """
    backend = backend_of(asked)
    try:
        text = backend.get_password(SERVICE, entry)
    except Exception:  # noqa: BLE001 - backends raise anything
        raise KeyringUnavailableError(name_of(backend)) from None
    try:
        raw = bytes.fromhex(text or "")
    except ValueError:
        raw = b""
    if len(raw) != _KEY_BYTES:
        raise KeyringEntryMissingError(name_of(backend))
    return raw


def save(asked: OsKeyring, entry: str, raw: bytes) -> str:
    """Keep something under a name, and look whether it is there; return the keyring's kind.

    Raises:
        KeyringUnavailableError: The keyring does not answer, or does not keep it.
    """
    backend = backend_of(asked)
    try:
        backend.set_password(SERVICE, entry, raw.hex())
        kept = backend.get_password(SERVICE, entry)
    except Exception:  # noqa: BLE001 - backends raise anything
        raise KeyringUnavailableError(name_of(backend)) from None
    if kept != raw.hex():
        raise KeyringUnavailableError(name_of(backend))
    return name_of(backend)


def forget(asked: OsKeyring, entry: str) -> None:
    """Remove what is kept under a name, if that is possible: without its slot it opens nothing."""
    with contextlib.suppress(Exception):  # backends raise anything, also when it is gone already
        backend_of(asked).delete_password(SERVICE, entry)
