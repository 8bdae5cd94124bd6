"""What both sides derive once they share a key: proofs, seals, the check string.

Spec: protocol/spec/70-linking.md, [LNK-13] to [LNK-15], [LNK-30]
"""

import hmac
from dataclasses import dataclass, field
from typing import Final

from e2ecore.crypto import hkdf
from e2ecore.crypto.aead import CHACHA20_POLY1305
from e2ecore.crypto.hashes import SHA256
from e2ecore.errors import PeerError
from e2ecore_protocol.codec import pack
from e2ecore_protocol.content.linking import ExistingDevice, NewDevice

_TRANSCRIPT: Final = b"e2ecore link transcript v1"
_COMMITMENT: Final = b"e2ecore link commitment v1"
_CHECK: Final = b"e2ecore link check v1"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_CHECK_BYTES: Final = 8
_CHECKS: Final = 1_000_000


class LinkBrokenError(PeerError):
    """The other side did not say what it should. Nothing was linked; begin anew with a new code.

    If it happens again, somebody may be in between: do it over another network.
    """


class WrongLinkCodeError(LinkBrokenError):
    """The two devices do not have the same code. It is void now; make a new one."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """What both sides, and anybody in between, have seen of each other."""

    server_name: str
    number: int
    pake_a: bytes
    commitment_a: bytes
    pake_b: bytes
    commitment_b: bytes

    def transcript(self) -> bytes:
        """Return the hash that everything else is bound to."""
        seen = pack(
            (
                *(self.server_name, self.number),
                *(self.pake_a, self.commitment_a, self.pake_b, self.commitment_b),
            )
        )
        return SHA256.digest(_TRANSCRIPT + seen)


def commitment_a(new: NewDevice) -> bytes:
    """Return what binds the new device to its key before it shows it."""
    return SHA256.digest(_COMMITMENT + pack((new.nonce, new.device_key)))


def commitment_b(existing: ExistingDevice) -> bytes:
    """Return what binds the existing device to its account before it shows it."""
    shown = pack((existing.nonce, existing.account_id, existing.device_key))
    return SHA256.digest(_COMMITMENT + shown)


class LinkKeys:
    """Everything that is derived from the key of the exchange."""

    __slots__ = ("_prk", "transcript")

    def __init__(self, key: bytes, meeting: Meeting) -> None:
        self.transcript: Final = meeting.transcript()
        self._prk = hkdf.extract(self.transcript, key)

    def key(self, name: str) -> bytes:
        """Return the key with a name."""
        return hkdf.expand(self._prk, f"e2ecore link {name} v1".encode(), _KEY_BYTES)

    def confirmation(self, side: str) -> bytes:
        """Return what shows that a side (``new`` or ``existing``) has the key."""
        return hkdf.hmac(self.key(f"confirm {side}"), self.transcript)

    def check_confirmation(self, side: str, shown: bytes) -> None:
        """Check that the other side has the key.

        Raises:
            WrongLinkCodeError: It has another one.
        """
        if not hmac.compare_digest(self.confirmation(side), shown):
            raise WrongLinkCodeError

    def check_string(self, new: NewDevice, existing: ExistingDevice) -> str:
        """Return the six digits that both screens show."""
        shown = pack(
            (
                *(new.nonce, new.device_key),
                *(existing.nonce, existing.account_id, existing.device_key),
            )
        )
        value = hkdf.expand(self._prk, _CHECK + shown, _CHECK_BYTES)
        return f"{int.from_bytes(value) % _CHECKS:06}"

    def __repr__(self) -> str:
        return "<LinkKeys, hidden>"


@dataclass(slots=True)
class Seal:
    """One direction of what is said in secret."""

    key: bytes = field(repr=False)
    transcript: bytes
    count: int = 0

    def seal(self, content: bytes) -> bytes:
        """Return the ciphertext of the next message of this side."""
        sealed = CHACHA20_POLY1305.seal(self.key, self._nonce(), content, self.transcript)
        self.count += 1
        return sealed

    def open(self, sealed: bytes) -> bytes:
        """Return what the other side sealed next.

        Raises:
            DecryptionError: It is not authentic.
        """
        content = CHACHA20_POLY1305.open(self.key, self._nonce(), sealed, self.transcript)
        self.count += 1
        return content

    def _nonce(self) -> bytes:
        return self.count.to_bytes(_NONCE_BYTES)
