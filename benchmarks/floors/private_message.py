"""The cost of one MLS PrivateMessage with nothing around it: no group, no rows, no window, no
checks beyond the wire.

Suite 1 (AES-128-GCM, SHA-256, Ed25519), one sender, in order. Every byte on the wire is as RFC 9420
wants it:
RFC 9420 §6.3 (Encoding and Decoding a Private Message), RFC 9420 §9.1 (Encryption Keys).
"""

from __future__ import annotations

import hashlib
import os
import struct
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl import bindings

KEY_BYTES: Final = 16
NONCE_BYTES: Final = 12
HASH_BYTES: Final = 32
BLOCK_BYTES: Final = 64
SIGNATURE_BYTES: Final = 64
SAMPLE_BYTES: Final = 32
PAD_TO: Final = 64
HEAD: Final = b"\x00\x01\x00\x02"
"""Protocol version mls10, wire format PrivateMessage."""

INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))
TBS_LABEL: Final = b"MLS 1.0 FramedContentTBS"


def _length(size: int) -> bytes:
    if size < 1 << 6:
        return bytes((size,))
    if size < 1 << 14:
        return struct.pack(">H", size | 0x4000)
    return struct.pack(">I", size | 0x80000000)


def _vector(value: bytes) -> bytes:
    return _length(len(value)) + value


def _read(data: bytes, at: int) -> tuple[bytes, int]:
    first = data[at]
    if first < 1 << 6:
        size, at = first, at + 1
    elif first < 1 << 7:
        size, at = (first & 0x3F) << 8 | data[at + 1], at + 2
    else:
        size, at = int.from_bytes(data[at : at + 4], "big") & 0x3FFFFFFF, at + 4
    return data[at : at + size], at + size


def _expand(secret: bytes, label: bytes, context: bytes, size: int) -> bytes:
    """ExpandWithLabel for at most one block of output: one HMAC."""
    message = struct.pack(">H", size) + _vector(b"MLS 1.0 " + label) + _vector(context) + b"\x01"
    key = secret.ljust(BLOCK_BYTES, b"\0")
    inner = hashlib.sha256(key.translate(INNER) + message).digest()
    return hashlib.sha256(key.translate(OUTER) + inner).digest()[:size]


class _Ratchet:
    """The application ratchet of one sender."""

    __slots__ = ("generation", "secret")

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self.generation = 0

    def step(self) -> tuple[bytes, bytes]:
        context = self.generation.to_bytes(4, "big")
        key = _expand(self.secret, b"key", context, KEY_BYTES)
        nonce = _expand(self.secret, b"nonce", context, NONCE_BYTES)
        self.secret = _expand(self.secret, b"secret", context, HASH_BYTES)
        self.generation += 1
        return key, nonce


class PrivateMessageFloor:
    """Sender and receiver of one epoch, sharing its secrets."""

    def __init__(self) -> None:
        public, self._signing_key = bindings.crypto_sign_keypair()
        self._public = public
        self._sender_data_secret = os.urandom(HASH_BYTES)
        root = os.urandom(HASH_BYTES)
        self._sending, self._receiving = _Ratchet(root), _Ratchet(root)
        self._leaf = b"\0\0\0\x03"
        self._header = _vector(os.urandom(16)) + (5).to_bytes(8, "big")
        self._context = os.urandom(150)
        """As long as a GroupContext with one extension."""

    def protect(self, plaintext: bytes, authenticated_data: bytes) -> bytes:
        """Sign, frame, pad, encrypt."""
        content, aad = _vector(plaintext), _vector(authenticated_data)
        signed = _vector(TBS_LABEL) + _vector(self._to_be_signed(content, aad))
        signature = bindings.crypto_sign(signed, self._signing_key)[:SIGNATURE_BYTES]
        body = content + _vector(signature)
        body += bytes(-len(body) % PAD_TO)
        generation = self._sending.generation.to_bytes(4, "big")
        key, nonce = self._sending.step()
        guard = os.urandom(4)
        sealed = AESGCM(key).encrypt(_guarded(nonce, guard), body, self._header + b"\x01" + aad)
        data_key, data_nonce = self._sender_data_keys(sealed)
        sender = AESGCM(data_key).encrypt(
            data_nonce, self._leaf + generation + guard, self._header + b"\x01"
        )
        return HEAD + self._header + b"\x01" + aad + _vector(sender) + _vector(sealed)

    def unprotect(self, message: bytes) -> bytes:
        """Decrypt, unframe, verify."""
        at = len(HEAD) + len(self._header) + 1
        authenticated_data, at = _read(message, at)
        sender, at = _read(message, at)
        sealed, at = _read(message, at)
        aad = _vector(authenticated_data)
        data_key, data_nonce = self._sender_data_keys(sealed)
        data = AESGCM(data_key).decrypt(data_nonce, sender, self._header + b"\x01")
        if int.from_bytes(data[4:8], "big") != self._receiving.generation:
            raise ValueError("out of order")
        key, nonce = self._receiving.step()
        body = AESGCM(key).decrypt(
            _guarded(nonce, data[8:12]), sealed, self._header + b"\x01" + aad
        )
        plaintext, end = _read(body, 0)
        signature, rest = _read(body, end)
        if any(body[rest:]):
            raise ValueError("padding is not zero")
        signed = _vector(TBS_LABEL) + _vector(self._to_be_signed(body[:end], aad))
        bindings.crypto_sign_open(signature + signed, self._public)
        return plaintext

    def _to_be_signed(self, content: bytes, aad: bytes) -> bytes:
        return HEAD + self._header + b"\x01" + self._leaf + aad + b"\x01" + content + self._context

    def _sender_data_keys(self, sealed: bytes) -> tuple[bytes, bytes]:
        sample = sealed[:SAMPLE_BYTES]
        key = _expand(self._sender_data_secret, b"key", sample, KEY_BYTES)
        return key, _expand(self._sender_data_secret, b"nonce", sample, NONCE_BYTES)


def _guarded(nonce: bytes, guard: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(nonce[:4], guard, strict=True)) + nonce[4:]
