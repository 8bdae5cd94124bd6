"""Keys from what people can remember. Spec: RFC 9106 §3 (Argon2 Algorithm)."""

import unicodedata
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from e2ecore.crypto.errors import KeyMaterialError
from e2ecore.crypto.secret import Secret

MIN_SALT_BYTES: Final = 8
"""Less is refused by Argon2 itself."""
SALT_BYTES: Final = 16
"""What RFC 9106 §3.1 (Argon2 Inputs and Outputs) recommends for password hashing."""


class PasswordKey(Secret):
    """A key that exists only while somebody who knows the passphrase is present."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Argon2idParameters:
    """How much work one guess costs. Stored beside the salt, so that it can grow later.

    The default is the second choice of RFC 9106 §4 (Parameter Choice), for little memory.
    """

    memory_kib: int = 64 * 1024
    """Kibibytes that every guess must fill."""
    iterations: int = 3
    """Passes over that memory."""
    lanes: int = 4
    """Parts that can be filled in parallel."""


DEFAULT_PARAMETERS: Final = Argon2idParameters()
MAX_MEMORY_KIB: Final = 4 * 1024 * 1024
"""4 GiB. A file that asks for more is an attack on the reader's memory."""
MAX_ITERATIONS: Final = 1_000
"""More would keep a reader busy for minutes."""
MAX_LANES: Final = 64
"""More than any machine of ours has cores."""


def derive_password_key(
    passphrase: str,
    salt: bytes,
    *,
    parameters: Argon2idParameters = DEFAULT_PARAMETERS,
    size: int = 32,
) -> PasswordKey:
    """Return a key of ``size`` bytes. Slow on purpose: call it off the event loop.

    Raises:
        KeyMaterialError: Salt, size or parameters are outside what Argon2id and this library allow.
    """
    if not (
        0 < parameters.memory_kib <= MAX_MEMORY_KIB
        and 0 < parameters.iterations <= MAX_ITERATIONS
        and 0 < parameters.lanes <= MAX_LANES
    ):
        raise KeyMaterialError("these Argon2id parameters are out of range")
    try:
        kdf = Argon2id(
            salt=salt,
            length=size,
            iterations=parameters.iterations,
            lanes=parameters.lanes,
            memory_cost=parameters.memory_kib,
        )
        return PasswordKey(kdf.derive(unicodedata.normalize("NFC", passphrase).encode()))
    except (ValueError, MemoryError, OverflowError, UnsupportedAlgorithm):
        raise KeyMaterialError("Argon2id refuses this salt, size or memory") from None
