"""The cipher suites this library can speak.

Spec: RFC 9420 §5.1 (Cipher Suites) and RFC 9420 §17.1 (MLS Cipher Suites).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from e2ecore.crypto.aead import AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305, Aead
from e2ecore.crypto.hashes import SHA256, SHA384, SHA512, Hash
from e2ecore.crypto.hpke import Hpke
from e2ecore.crypto.kem import Kem
from e2ecore.crypto.kem_nist import DHKEM_P256, DHKEM_P384, DHKEM_P521
from e2ecore.crypto.kem_x448 import DHKEM_X448
from e2ecore.crypto.kem_x25519 import DHKEM_X25519
from e2ecore.crypto.kem_xwing import X_WING
from e2ecore.crypto.signing import (
    ECDSA_P256,
    ECDSA_P384,
    ECDSA_P521,
    ED448,
    ED25519,
    SignatureScheme,
)


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


def _suite(
    code: int,
    name: str,
    kem: Kem,
    aead: Aead,
    signature: SignatureScheme,
    *,
    hash_: Hash = SHA256,
) -> CipherSuite:
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
X448_AES256: Final = _suite(
    0x0004,
    "MLS_256_DHKEMX448_AES256GCM_SHA512_Ed448",
    DHKEM_X448,
    AES_256_GCM,
    ED448,
    hash_=SHA512,
)
P521_AES256: Final = _suite(
    0x0005,
    "MLS_256_DHKEMP521_AES256GCM_SHA512_P521",
    DHKEM_P521,
    AES_256_GCM,
    ECDSA_P521,
    hash_=SHA512,
)
X448_CHACHA20: Final = _suite(
    0x0006,
    "MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_Ed448",
    DHKEM_X448,
    CHACHA20_POLY1305,
    ED448,
    hash_=SHA512,
)
P384_AES256: Final = _suite(
    0x0007,
    "MLS_256_DHKEMP384_AES256GCM_SHA384_P384",
    DHKEM_P384,
    AES_256_GCM,
    ECDSA_P384,
    hash_=SHA384,
)
XWING_AES128: Final = _suite(
    0xF001, "MLS_128_MLKEM768X25519_AES128GCM_SHA256_Ed25519", X_WING, AES_128_GCM, ED25519
)
"""Hybrid post-quantum, under a number of the private range until a public one is assigned."""

DEFAULT_SUITE: Final = XWING_AES128

SUITES: Final[Mapping[int, CipherSuite]] = MappingProxyType(
    {
        suite.code: suite
        for suite in (
            X25519_AES128,
            P256_AES128,
            X25519_CHACHA20,
            X448_AES256,
            P521_AES256,
            X448_CHACHA20,
            P384_AES256,
            XWING_AES128,
        )
    }
)
"""Every suite this library speaks, by its number on the wire."""

ENGINE_SUITES: Final = (XWING_AES128, X25519_AES128, P256_AES128, X25519_CHACHA20)
"""What an engine may begin conversations with: the default, and three that every other
implementation knows. The rest is for the protocol's own tests: no app needs the choice."""
