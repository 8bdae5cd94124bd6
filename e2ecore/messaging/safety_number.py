"""The safety number: sixty digits that two people compare to know that nobody stands between them.

Each side's half is an iterated hash over its account id, its identity key and the set of its live
devices, so that it changes when any of these does. The two halves are put in ascending order: both
people see the same digits. Iteration makes a search for a key whose digits look alike
``ITERATIONS`` times as dear.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from e2ecore.errors import UsageError

ITERATIONS: Final = 5_200
"""Hash rounds per half: about 3 ms here, and 2^12 more work per guess for a forger."""
DIGITS_PER_HALF: Final = 30
_LABEL: Final = b"e2ecore safety number v1"
_GROUP: Final = 5
_QR_PREFIX: Final = b"e2ecore-sn1"
_HALF_BYTES: Final = 32


class SafetyNumberMismatchError(UsageError):
    """The scanned code is not the one for this contact.

    Do not trust the connection; compare again in person.
    """


@dataclass(frozen=True, slots=True)
class Party:
    """What one side contributes."""

    account_id: bytes
    identity_key: bytes
    device_keys: tuple[bytes, ...]
    """Signature keys of all live devices, in any order."""


@dataclass(frozen=True, slots=True)
class SafetyNumber:
    """What to show, and what to put into a QR code."""

    digits: str
    """Sixty digits without spaces, the same on both sides."""
    qr_bytes: bytes
    """Content for a QR code, 75 bytes; scan the other side's and call ``check_scanned``."""

    @classmethod
    def between(cls, one: Party, other: Party) -> Self:
        """Compute the number of two people."""
        halves = sorted((fingerprint(one), fingerprint(other)))
        return cls("".join(_digits(half) for half in halves), _QR_PREFIX + b"".join(halves))

    def check_scanned(self, scanned: bytes) -> None:
        """Compare with what was scanned from the other person's screen.

        Raises:
            SafetyNumberMismatchError: It is another number, or no safety number at all.
        """
        if scanned != self.qr_bytes:
            raise SafetyNumberMismatchError("the scanned safety number is different")

    def grouped(self) -> list[str]:
        """Return twelve groups of five digits, for display and for reading aloud."""
        return [self.digits[at : at + _GROUP] for at in range(0, len(self.digits), _GROUP)]


def fingerprint(party: Party) -> bytes:
    """Return 32 bytes that stand for one side's identity key and set of devices."""
    digest = hashlib.sha512(
        _LABEL
        + len(party.account_id).to_bytes(1, "big")
        + party.account_id
        + party.identity_key
        + device_set_hash(party.device_keys)
    ).digest()
    for _ in range(ITERATIONS - 1):
        digest = hashlib.sha512(digest + party.identity_key).digest()
    return digest[:_HALF_BYTES]


def device_set_hash(device_keys: Iterable[bytes]) -> bytes:
    """Return SHA-256 over the sorted keys: one value for one set of live devices."""
    return hashlib.sha256(b"".join(sorted(device_keys))).digest()


def _digits(half: bytes) -> str:
    groups = DIGITS_PER_HALF // _GROUP
    chunks = (half[at * 5 : at * 5 + 5] for at in range(groups))
    return "".join(f"{int.from_bytes(chunk, 'big') % 100_000:05d}" for chunk in chunks)
