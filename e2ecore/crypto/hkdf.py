"""Key derivation. Spec: RFC 5869 §2 (HMAC-based Key Derivation Function (HKDF))."""

from e2ecore.crypto.errors import KeyMaterialError
from e2ecore.crypto.hashes import SHA256, Hash

_MAX_BLOCKS = 255


def extract(salt: bytes, ikm: bytes, hash_: Hash = SHA256) -> bytes:
    """Return a pseudorandom key of ``hash_.size`` bytes. An empty salt means zeros."""
    return hash_.hmac(salt, ikm)


def expand(prk: bytes, info: bytes, size: int, hash_: Hash = SHA256) -> bytes:
    """Return ``size`` bytes of output key material.

    Raises:
        KeyMaterialError: More than 255 hash lengths were asked for, or less than nothing.
    """
    if 0 <= size <= hash_.size:
        return hash_.hmac(prk, info + b"\1")[:size]
    if not 0 <= size <= _MAX_BLOCKS * hash_.size:
        raise KeyMaterialError("HKDF cannot give that many bytes")
    block = output = b""
    for counter in range(1, -(-size // hash_.size) + 1):
        block = hash_.hmac(prk, block + info + bytes((counter,)))
        output += block
    return output[:size]


def hmac(key: bytes, data: bytes, hash_: Hash = SHA256) -> bytes:
    """Return the authentication tag of ``data``. Compare tags in constant time only."""
    return hash_.hmac(key, data)
