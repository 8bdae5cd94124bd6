"""The primitives that MLS stands on, called as directly as Python can.

Nothing of our library is in here: a floor must not share the code that is measured beside it.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    Suite,
)
from nacl import bindings

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


Seal = Callable[[bytes, bytes], bytes]
"""Encrypts to an encoded public key: the key, then the plaintext."""


class FloorKem(Protocol):
    """A KEM within HPKE."""

    def derive(self, secret: bytes) -> tuple[Callable[[bytes, bytes], bytes], bytes]:
        """Return a function that opens (info, sealed), and the encoded public key."""
        ...

    def sealing(self, info: bytes) -> Seal:
        """Return what seals to several receivers. What their seals share is hashed once."""
        ...


class _Schedule:
    """RFC 9180 §5.1 (Creating the Encryption Context) with HKDF-SHA256 and AES-128-GCM."""

    def __init__(self, kem: bytes) -> None:
        suite = b"HPKE-v1HPKE" + kem + b"\x00\x01\x00\x01"
        self._psk_id_hash = hmac(b"", suite + b"psk_id_hash")
        self._info_hash = suite + b"info_hash"
        self._secret = suite + b"secret"
        self._key = b"\x00\x10" + suite + b"key"
        self._nonce = b"\x00\x0c" + suite + b"base_nonce"

    def context(self, info: bytes) -> bytes:
        return b"\0" + self._psk_id_hash + hmac(b"", self._info_hash + info)

    def encrypt(self, shared: bytes, context: bytes, plaintext: bytes) -> bytes:
        secret = hmac(shared, self._secret)
        key = hmac(secret, self._key + context + b"\1")[:KEY_BYTES]
        nonce = hmac(secret, self._nonce + context + b"\1")[:NONCE_BYTES]
        return AESGCM(key).encrypt(nonce, plaintext, b"")


def _agree(public: bytes) -> tuple[bytes, bytes]:
    """Return an X25519 secret with a fresh key, and that key's public half."""
    private = os.urandom(32)
    return bindings.crypto_scalarmult(private, public), bindings.crypto_scalarmult_base(private)


class X25519Floor:
    """DHKEM(X25519, HKDF-SHA256) with AES-128-GCM."""

    _suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)
    _schedule = _Schedule(b"\x00\x20")
    _kem = b"HPKE-v1KEM\x00\x20"

    def derive(self, secret: bytes) -> tuple[Callable[[bytes, bytes], bytes], bytes]:
        """DeriveKeyPair: two HMACs and one scalar multiplication."""
        prk = hmac(b"", self._kem + b"dkp_prk" + secret)
        raw = hmac(prk, b"\x00\x20" + self._kem + b"sk\x01")

        def opening(info: bytes, sealed: bytes) -> bytes:
            return self._suite.decrypt(sealed, X25519PrivateKey.from_private_bytes(raw), info)

        return opening, bindings.crypto_scalarmult_base(raw)

    def sealing(self, info: bytes) -> Seal:
        """Two scalar multiplications, five HMACs and one AEAD for each receiver."""
        context = self._schedule.context(info)

        def seal(public: bytes, plaintext: bytes) -> bytes:
            secret, enc = _agree(public)
            prk = hmac(b"", self._kem + b"eae_prk" + secret)
            label = b"\x00\x20" + self._kem + b"shared_secret"
            shared = hmac(prk, label + enc + public + b"\1")
            return enc + self._schedule.encrypt(shared, context, plaintext)

        return seal


class XWingFloor:
    """MLKEM768-X25519 with AES-128-GCM."""

    _suite = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_128_GCM)
    _schedule = _Schedule(b"\x64\x7a")
    _label = b"HPKE-v1KEM\x64\x7a\x00\x0dDeriveKeyPair\x00\x20"

    def derive(self, secret: bytes) -> tuple[Callable[[bytes, bytes], bytes], bytes]:
        """DeriveKeyPair: SHAKE256 twice, one ML-KEM key generation, one scalar multiplication."""
        seed = hashlib.shake_256(secret + self._label).digest(32)
        expanded = hashlib.shake_256(seed).digest(96)
        kem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        raw = expanded[64:]
        public = kem.public_key().public_bytes_raw() + bindings.crypto_scalarmult_base(raw)

        def opening(info: bytes, sealed: bytes) -> bytes:
            curve = X25519PrivateKey.from_private_bytes(raw)
            return self._suite.decrypt(sealed, MLKEM768X25519PrivateKey(kem, curve), info)

        return opening, public

    def sealing(self, info: bytes) -> Seal:
        """One encapsulation, two scalar multiplications, SHA3, three HMACs, one AEAD for each."""
        context = self._schedule.context(info)

        def seal(public: bytes, plaintext: bytes) -> bytes:
            inner, sent = MLKEM768PublicKey.from_public_bytes(public[:1184]).encapsulate()
            secret, enc = _agree(public[1184:])
            shared = hashlib.sha3_256(inner + secret + enc + public[1184:] + _XWING).digest()
            return sent + enc + self._schedule.encrypt(shared, context, plaintext)

        return seal


_XWING: Final = b"\\.//^\\"
"""Label of the combiner."""


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
