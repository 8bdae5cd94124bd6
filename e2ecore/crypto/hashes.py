"""Hash functions and HMAC, as fast as the standard library allows.

HMAC is two hashes over the key XORed with constants (RFC 2104 §2 (Definition of HMAC)). For the
short inputs of a key schedule the set-up of an HMAC object costs more than the hashing, so the two
XORs are byte translations and the two hashes are called directly.
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

_IPAD: Final = bytes(byte ^ 0x36 for byte in range(256))
_OPAD: Final = bytes(byte ^ 0x5C for byte in range(256))
_LONG: Final = 1 << 12
"""So many bytes are copied in less time than an HMAC object takes."""


@dataclass(frozen=True, slots=True, eq=False)
class Hash:
    """One hash function and the HMAC built from it."""

    name: str
    size: int
    """Length of a digest, in bytes."""
    block_size: int
    """Length of the internal block, in bytes; HMAC keys are padded to it."""
    kdf_id: int
    """The identifier of HKDF with this hash in HPKE (RFC 9180 §7.2)."""
    digest: Callable[[bytes], bytes]
    hmac: Callable[[bytes, bytes], bytes]
    """Key first, then data."""

    def hmac_of(self, key: bytes, pieces: Sequence[bytes]) -> bytes:
        """Return the HMAC of data in pieces. Long ones are not copied together."""
        if sum(map(len, pieces)) <= _LONG:
            return self.hmac(key, b"".join(pieces))
        mac = hmac.new(key, digestmod=self.name)
        for piece in pieces:
            mac.update(piece)
        return mac.digest()


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _sha384(data: bytes) -> bytes:
    return hashlib.sha384(data).digest()


def _sha512(data: bytes) -> bytes:
    return hashlib.sha512(data).digest()


def _hmac_sha256(
    key: bytes,
    data: bytes,
    _hash: Callable[[bytes], "hashlib._Hash"] = hashlib.sha256,
    _ipad: bytes = _IPAD,
    _opad: bytes = _OPAD,
) -> bytes:
    if len(key) > 64:  # noqa: PLR2004 - the block size
        key = _hash(key).digest()
    key = key.ljust(64, b"\0")
    return _hash(key.translate(_opad) + _hash(key.translate(_ipad) + data).digest()).digest()


def _wide_hmac(
    function: Callable[[bytes], bytes], block_size: int
) -> Callable[[bytes, bytes], bytes]:
    def compute(key: bytes, data: bytes) -> bytes:
        if len(key) > block_size:
            key = function(key)
        key = key.ljust(block_size, b"\0")
        return function(key.translate(_OPAD) + function(key.translate(_IPAD) + data))

    return compute


SHA256: Final = Hash("sha256", 32, 64, 0x0001, _sha256, _hmac_sha256)
SHA384: Final = Hash("sha384", 48, 128, 0x0002, _sha384, _wide_hmac(_sha384, 128))
SHA512: Final = Hash("sha512", 64, 128, 0x0003, _sha512, _wide_hmac(_sha512, 128))
