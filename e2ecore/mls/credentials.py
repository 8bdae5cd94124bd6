"""Who a client claims to be. Spec: RFC 9420 §5.3 (Credentials).

Credentials are parsed and carried here. Whether a claim is true is for the authentication service
to say; this library's engine asks the account chain.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from e2ecore.mls.codec import Reader, opaque, u16, vector
from e2ecore.mls.errors import MalformedMessageError


class CredentialType(IntEnum):
    """Spec: RFC 9420 §17.5 (MLS Credential Types)."""

    BASIC = 1
    X509 = 2


_BASIC: Final = int(CredentialType.BASIC)
_X509: Final = int(CredentialType.X509)


@dataclass(frozen=True, slots=True)
class BasicCredential:
    """A bare identity, in a form that the application defines."""

    identity: bytes

    @property
    def type(self) -> CredentialType:
        """Return the number on the wire."""
        return CredentialType.BASIC

    def encode(self) -> bytes:
        """Return the Credential."""
        return u16(CredentialType.BASIC) + opaque(self.identity)


@dataclass(frozen=True, slots=True)
class X509Credential:
    """A chain of DER certificates, the client's own first."""

    certificates: tuple[bytes, ...]

    @property
    def type(self) -> CredentialType:
        """Return the number on the wire."""
        return CredentialType.X509

    def encode(self) -> bytes:
        """Return the Credential."""
        return u16(CredentialType.X509) + vector(map(opaque, self.certificates))


Credential = BasicCredential | X509Credential


def as_credential(identity: bytes | Credential) -> Credential:
    """Return a credential as it is, or the basic one for a bare identity."""
    return BasicCredential(identity) if isinstance(identity, bytes) else identity


def read_credential(reader: Reader) -> Credential:
    """Read a Credential.

    Raises:
        MalformedMessageError: Also for unknown types: their end cannot be found.
    """
    kind = reader.u16()
    if kind == _BASIC:
        return BasicCredential(reader.opaque())
    if kind == _X509:
        return X509Credential(tuple(reader.vector(Reader.opaque)))
    raise MalformedMessageError("an unknown type of credential")
