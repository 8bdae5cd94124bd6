"""The cipher suites this library can speak.

Spec: RFC 9420 §5.1 (Cipher Suites) and RFC 9420 §17.1 (MLS Cipher Suites).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from e2ecore.crypto.aead import AES_128_GCM, CHACHA20_POLY1305, Aead
from e2ecore.crypto.hashes import SHA256, Hash
from e2ecore.crypto.hpke import Hpke
from e2ecore.crypto.kem import Kem
from e2ecore.crypto.kem_p256 import DHKEM_P256
from e2ecore.crypto.kem_x25519 import DHKEM_X25519
from e2ecore.crypto.kem_xwing import X_WING
from e2ecore.crypto.signing import ECDSA_P256, ED25519, SignatureScheme


@dataclass(frozen=True, slots=True, eq=False)
class CipherSuite:
    """One fixed choice of algorithms. Compare by identity or by ``code``."""

    code: int
    """The number on the wire."""
    name: str
    hpke: Hpke
    hash: Hash
    aead: Aead
    signature: SignatureScheme
    nh: int
    """Bytes of a hash, and of every secret derived in the key schedule."""
    nk: int
    """Bytes of an AEAD key."""
    nn: int
    """Bytes of an AEAD nonce."""


def _suite(code: int, name: str, kem: Kem, aead: Aead, signature: SignatureScheme) -> CipherSuite:
    hash_ = SHA256
    hpke = Hpke(kem, hash_, aead)
    return CipherSuite(
        code, name, hpke, hash_, aead, signature, hash_.size, aead.key_size, aead.nonce_size
    )


X25519_AES128: Final = _suite(
    0x0001,
    "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519",
    DHKEM_X25519,
    AES_128_GCM,
    ED25519,
)
P256_AES128: Final = _suite(
    0x0002, "MLS_128_DHKEMP256_AES128GCM_SHA256_P256", DHKEM_P256, AES_128_GCM, ECDSA_P256
)
X25519_CHACHA20: Final = _suite(
    0x0003,
    "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519",
    DHKEM_X25519,
    CHACHA20_POLY1305,
    ED25519,
)
XWING_AES128: Final = _suite(
    0xF001, "MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519", X_WING, AES_128_GCM, ED25519
)
"""Hybrid post-quantum, under a number of the private range until a public one is assigned."""

DEFAULT_SUITE: Final = XWING_AES128

SUITES: Final[Mapping[int, CipherSuite]] = MappingProxyType(
    {suite.code: suite for suite in (X25519_AES128, P256_AES128, X25519_CHACHA20, XWING_AES128)}
)
"""Every suite this library speaks, by its number on the wire."""
