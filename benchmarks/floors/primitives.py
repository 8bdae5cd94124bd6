"""The primitives that MLS stands on, called as directly as Python can.

Nothing of our library is in here: a floor must not share the code that is measured beside it.
"""

from __future__ import annotations

import hashlib
import os
import struct
from typing import TYPE_CHECKING, Final, Protocol

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)
from nacl import bindings

if TYPE_CHECKING:
    from collections.abc import Callable

KEY_BYTES: Final = 16
NONCE_BYTES: Final = 12
HASH_BYTES: Final = 32
BLOCK_BYTES: Final = 64
SIGNATURE_BYTES: Final = 64

_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))
_pack_u16: Final = struct.Struct(">H").pack
_pack_u32: Final = struct.Struct(">I").pack


def length(size: int) -> bytes:
    """Return a vector's length."""
    if size < 1 << 6:
        return bytes((size,))
    if size < 1 << 14:
        return _pack_u16(size | 0x4000)
    return _pack_u32(size | 0x80000000)


def vector(value: bytes) -> bytes:
    """Return a vector."""
    return length(len(value)) + value


def hmac(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA-256 with a key of at most one block."""
    key = key.ljust(BLOCK_BYTES, b"\0")
    inner = hashlib.sha256(key.translate(_INNER) + message).digest()
    return hashlib.sha256(key.translate(_OUTER) + inner).digest()


def expander(label: bytes, size: int) -> Callable[[bytes, bytes], bytes]:
    """Return ExpandWithLabel for one label and at most one block of output: one HMAC."""
    prefix = _pack_u16(size) + vector(b"MLS 1.0 " + label)

    def expand(secret: bytes, context: bytes) -> bytes:
        return hmac(secret, prefix + vector(context) + b"\x01")[:size]

    return expand


def sign(key: bytes, message: bytes) -> bytes:
    """Ed25519 with an expanded key of 64 bytes."""
    return bindings.crypto_sign(message, key)[:SIGNATURE_BYTES]


class FloorKem(Protocol):
    """A KEM within HPKE."""

    def derive(self, secret: bytes) -> tuple[Callable[[bytes, bytes], bytes], bytes]:
        """Return a function that opens (info, sealed), and the encoded public key."""
        ...

    def seal(self, public: bytes, info: bytes, plaintext: bytes) -> bytes:
        """Encrypt to an encoded public key."""
        ...


class X25519Floor:
    """DHKEM(X25519, HKDF-SHA256) with AES-128-GCM."""

    _suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)

    def derive(self, secret: bytes) -> tuple[Callable[[bytes, bytes], bytes], bytes]:
        """DeriveKeyPair: two HMACs and one scalar multiplication."""
        prk = hmac(b"", b"HPKE-v1KEM\x00\x20dkp_prk" + secret)
        raw = hmac(prk, b"\x00\x20HPKE-v1KEM\x00\x20sk\x01")

        def opening(info: bytes, sealed: bytes) -> bytes:
            return self._suite.decrypt(sealed, X25519PrivateKey.from_private_bytes(raw), info)

        return opening, bindings.crypto_scalarmult_base(raw)

    def seal(self, public: bytes, info: bytes, plaintext: bytes) -> bytes:
        """Encrypt to an encoded public key."""
        return self._suite.encrypt(plaintext, X25519PublicKey.from_public_bytes(public), info)


class XWingFloor:
    """MLKEM768-X25519 with AES-128-GCM."""

    _suite = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)
    _label = b"HPKE-v1KEM\x64\x7a\x00\x0dDeriveKeyPair\x00\x20"

    def derive(self, secret: bytes) -> tuple[Callable[[bytes, bytes], bytes], bytes]:
        """DeriveKeyPair: SHAKE256 twice, one ML-KEM key generation, one scalar multiplication."""
        seed = hashlib.shake_256(secret + self._label).digest(32)
        expanded = hashlib.shake_256(seed).digest(96)
        kem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        curve = X25519PrivateKey.from_private_bytes(expanded[64:])
        public = kem.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()

        def opening(info: bytes, sealed: bytes) -> bytes:
            return self._suite.decrypt(sealed, MLKEM768X25519PrivateKey(kem, curve), info)

        return opening, public

    def seal(self, public: bytes, info: bytes, plaintext: bytes) -> bytes:
        """Encrypt to an encoded public key."""
        key = MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(public[:1184]),
            X25519PublicKey.from_public_bytes(public[1184:]),
        )
        return self._suite.encrypt(plaintext, key, info)


KEMS: Final[dict[int, FloorKem]] = {0x0001: X25519Floor(), 0xF001: XWingFloor()}
"""By cipher suite."""


class SecretChain:
    """The sender's own part of a secret tree: from the root to a leaf, then its ratchet."""

    def __init__(self, depth: int) -> None:
        expand = expander(b"tree", HASH_BYTES)
        secret = os.urandom(HASH_BYTES)
        for _ in range(depth):
            expand(secret, b"right")
            secret = expand(secret, b"left")
        expander(b"application", HASH_BYTES)(secret, b"")
        self.secret = expander(b"handshake", HASH_BYTES)(secret, b"")
