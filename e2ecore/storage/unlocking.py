"""What opens a database: a passphrase, a code on paper, a key of the app, the system's keyring."""

from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

HOST_KEY_BYTES: Final = 32
"""Length of a key that the app gives by itself."""


class KeyringBackend(Protocol):
    """What keeps small secrets for a user: any backend of the ``keyring`` library is one."""

    def get_password(self, service: str, username: str, /) -> str | None:
        """Return a secret, or None if there is none under this name."""
        ...

    def set_password(self, service: str, username: str, password: str, /) -> None:
        """Keep a secret."""
        ...

    def delete_password(self, service: str, username: str, /) -> None:
        """Forget a secret."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class Passphrase:
    """What somebody remembers."""

    text: str


@dataclass(frozen=True, slots=True, repr=False)
class RecoveryCode:
    """What somebody has written down, see ``Keys.add_recovery_code``; typed in any way."""

    text: str


@dataclass(frozen=True, slots=True, repr=False)
class HostKey:
    """A key that the app keeps by means of its own, such as a secure element."""

    raw: bytes
    """32 random bytes."""


@dataclass(frozen=True, slots=True, repr=False)
class OsKeyring:
    """The keyring of the user's session. Needs the extra ``e2ecore[keyring]``."""

    backend: KeyringBackend | None = None
    """None: the one that the ``keyring`` library finds. What would keep secrets unencrypted is
    refused then."""


Unlock: TypeAlias = Passphrase | RecoveryCode | HostKey | OsKeyring
"""One way to open a database."""
Key: TypeAlias = str | Unlock
"""The same; a mere text is a passphrase."""


def as_unlock(key: Key) -> Unlock:
    """Return what a key is."""
    return Passphrase(key) if isinstance(key, str) else key
