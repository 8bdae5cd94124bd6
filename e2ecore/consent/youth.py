"""Youth mode: what is closed in it, and how often a passcode may be tried.

GB/T 42012-2022 14.1 asks that it is left by a passcode only. A wrong one costs time: the pause
grows with each, is stored before a passcode is looked at, and so survives every crash.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar, Final, Self

from e2ecore.consent.purposes import Purpose
from e2ecore.crypto.password import SALT_BYTES
from e2ecore_protocol.codec import pack, unpack
from e2ecore_protocol.declared import Declared
from e2ecore_protocol.limits import MAX_INTEGER
from e2ecore_protocol.shape import Check, exactly, integer, time_ms

CLOSED: Final = frozenset(
    {
        Purpose.CONTACT_DISCOVERY,
        Purpose.LOCATION_MATCHING,
        Purpose.PRESENCE,
        Purpose.PROFILING,
        Purpose.THIRD_PARTY_SHARING,
    }
)
"""What cannot be agreed to in youth mode: being found, followed, evaluated, passed on."""
MIN_PASSCODE_CHARS: Final = 6
MAX_PASSCODE_CHARS: Final = 64
FREE_TRIES: Final = 5
"""Wrong passcodes before the first pause."""
FIRST_PAUSE_MS: Final = 60_000
LAST_PAUSE_MS: Final = 24 * 60 * 60_000
"""Pauses double up to this: with six digits, a thousand years for half of the codes."""
_HASH_BYTES: Final = 32
_MAX_ENCODED: Final = 256


@dataclass(frozen=True, slots=True)
class YouthLock(Declared):
    """What is stored while youth mode is on."""

    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        exactly(SALT_BYTES),
        exactly(_HASH_BYTES),
        time_ms,
        integer(MAX_INTEGER),
        time_ms,
    )
    salt: bytes
    code_hash: bytes
    """Argon2id of the passcode."""
    since_ms: int
    failures: int
    """Wrong passcodes since it was turned on."""
    tried_ms: int
    """When the last one was tried, by the device's clock."""

    def encode(self) -> bytes:
        """Return what is stored."""
        return pack(self.to_fields())

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Parse what was stored.

        Raises:
            MalformedError: It is something else.
        """
        return cls.from_fields(unpack(data, _MAX_ENCODED))

    def pause_ms(self, now_ms: int) -> int:
        """Return for how long no passcode may be tried; never more than the pause as a whole.

        So a clock that was set back does not lock anybody out for longer.
        """
        over = self.failures - FREE_TRIES
        if over < 0:
            return 0
        pause_ms = min(FIRST_PAUSE_MS << min(over, _MOST_DOUBLINGS), LAST_PAUSE_MS)
        return max(0, min(self.tried_ms + pause_ms - now_ms, pause_ms))

    def tried(self, now_ms: int) -> "YouthLock":
        """Return it with one more try, which counts as wrong until it proves right."""
        return replace(self, failures=self.failures + 1, tried_ms=now_ms)


_MOST_DOUBLINGS: Final = (LAST_PAUSE_MS // FIRST_PAUSE_MS).bit_length()


def is_usable(passcode: str) -> bool:
    """Is a passcode long enough, and not just one sign over and over, or a row of them?"""
    signs = [ord(sign) for sign in passcode]
    if not MIN_PASSCODE_CHARS <= len(signs) <= MAX_PASSCODE_CHARS:
        return False
    steps = {after - before for before, after in pairwise(signs)}
    return not (len(steps) == 1 and steps <= {-1, 0, 1})
