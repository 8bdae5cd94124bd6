"""Codes that open a database and are written on paper: ``8K4TQ-0YB2M-...``.

128 random bits and 22 bits of checksum, as thirty characters of Crockford's base 32, in groups of
five. The alphabet has no I, L, O and U; small letters, and the digits' doubles I, L and O, are
read as what was meant. The checksum tells a slip of the pen from a code for something else. A code
needs no slow hash: nobody tries 2^128 of them.
"""

import hashlib
from typing import Final

from e2ecore.crypto.rng import Rng
from e2ecore.storage.errors import BadRecoveryCodeError

ENTROPY_BYTES: Final = 16
"""More than can ever be tried."""
CHECK_BITS: Final = 22
"""One slip in four million goes unnoticed here; it then opens nothing."""
_CHARACTERS: Final = 30
_GROUP: Final = 5
_MAX_TYPED: Final = 200
"""Characters of what somebody types, separators included; more is no code."""
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MEANT: Final = str.maketrans("ILO", "110")
_VALUES: Final = {sign: value for value, sign in enumerate(_ALPHABET)}


def new_recovery_code(rng: Rng) -> str:
    """Return a fresh code, as it is to be shown and written down."""
    return encode(rng(ENTROPY_BYTES))


def encode(entropy: bytes) -> str:
    """Return the code of 16 bytes."""
    number = int.from_bytes(entropy, "big") << CHECK_BITS | _check(entropy)
    signs = [_ALPHABET[number >> 5 * place & 31] for place in reversed(range(_CHARACTERS))]
    groups = ["".join(signs[at : at + _GROUP]) for at in range(0, _CHARACTERS, _GROUP)]
    return "-".join(groups)


def decode(typed: str) -> bytes:
    """Return the 16 bytes of a code, however it was typed.

    Raises:
        BadRecoveryCodeError: A character is missing, too many or wrong.
    """
    if len(typed) > _MAX_TYPED:
        raise BadRecoveryCodeError
    signs = "".join(typed.split()).replace("-", "").upper().translate(_MEANT)
    values = [_VALUES.get(sign, -1) for sign in signs]
    if len(values) != _CHARACTERS or -1 in values:
        raise BadRecoveryCodeError
    number = 0
    for value in values:
        number = number << 5 | value
    entropy = (number >> CHECK_BITS).to_bytes(ENTROPY_BYTES, "big")
    if number & (1 << CHECK_BITS) - 1 != _check(entropy):
        raise BadRecoveryCodeError
    return entropy


def _check(entropy: bytes) -> int:
    digest = hashlib.sha256(b"e2ecore recovery code v1" + entropy).digest()
    return int.from_bytes(digest[:3], "big") >> 24 - CHECK_BITS
