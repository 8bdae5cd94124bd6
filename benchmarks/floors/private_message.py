"""The cost of one MLS PrivateMessage with nothing around it: no group, no rows, no window, no
checks beyond the wire.

Suite 1 (AES-128-GCM, SHA-256, Ed25519), one sender, in order. Every byte on the wire is as RFC 9420
wants it:
RFC 9420 §6.3 (Encoding and Decoding a Private Message), RFC 9420 §9.1 (Encryption Keys).
"""

from __future__ import annotations

import os
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl import bindings

from benchmarks.floors.primitives import HASH_BYTES, KEY_BYTES, NONCE_BYTES, expander, sign, vector

SAMPLE_BYTES: Final = 32
PAD_TO: Final = 64
HEAD: Final = b"\x00\x01\x00\x02"
"""Protocol version mls10, wire format PrivateMessage."""

TBS_LABEL: Final = b"MLS 1.0 FramedContentTBS"


def _read(data: bytes, at: int) -> tuple[bytes, int]:
    first = data[at]
    if first < 1 << 6:
        size, at = first, at + 1
    elif first < 1 << 7:
        size, at = (first & 0x3F) << 8 | data[at + 1], at + 2
    else:
        size, at = int.from_bytes(data[at : at + 4], "big") & 0x3FFFFFFF, at + 4
    return data[at : at + size], at + size


_key = expander(b"key", KEY_BYTES)
_nonce = expander(b"nonce", NONCE_BYTES)
_following = expander(b"secret", HASH_BYTES)


class Ratchet:
    """The application ratchet of one sender."""

    __slots__ = ("generation", "secret")

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self.generation = 0

    def step(self) -> tuple[bytes, bytes]:
        """Derive key and nonce, and move on."""
        context = self.generation.to_bytes(4, "big")
        key, nonce = _key(self.secret, context), _nonce(self.secret, context)
        self.secret = _following(self.secret, context)
        self.generation += 1
        return key, nonce

    def skip(self) -> None:
        """Move on without deriving a key."""
        self.secret = _following(self.secret, self.generation.to_bytes(4, "big"))
        self.generation += 1


class PrivateMessageFloor:
    """Sender and receiver of one epoch, sharing its secrets."""

    def __init__(self) -> None:
        public, self._signing_key = bindings.crypto_sign_keypair()
        self._public = public
        self._sender_data_secret = os.urandom(HASH_BYTES)
        root = os.urandom(HASH_BYTES)
        self._sending, self._receiving = Ratchet(root), Ratchet(root)
        self._leaf = b"\0\0\0\x03"
        self._header = vector(os.urandom(16)) + (5).to_bytes(8, "big")
        self._context = os.urandom(150)
        """As long as a GroupContext with one extension."""

    def protect(self, plaintext: bytes, authenticated_data: bytes) -> bytes:
        """Sign, frame, pad, encrypt."""
        content, aad = vector(plaintext), vector(authenticated_data)
        signed = vector(TBS_LABEL) + vector(self._to_be_signed(content, aad))
        signature = sign(self._signing_key, signed)
        body = content + vector(signature)
        body += bytes(-len(body) % PAD_TO)
        generation = self._sending.generation.to_bytes(4, "big")
        key, nonce = self._sending.step()
        guard = os.urandom(4)
        sealed = AESGCM(key).encrypt(_guarded(nonce, guard), body, self._header + b"\x01" + aad)
        data_key, data_nonce = self._sender_data_keys(sealed)
        sender = AESGCM(data_key).encrypt(
            data_nonce, self._leaf + generation + guard, self._header + b"\x01"
        )
        return HEAD + self._header + b"\x01" + aad + vector(sender) + vector(sealed)

    def unprotect(self, message: bytes) -> bytes:
        """Decrypt, unframe, verify."""
        at = len(HEAD) + len(self._header) + 1
        authenticated_data, at = _read(message, at)
        sender, at = _read(message, at)
        sealed, at = _read(message, at)
        aad = vector(authenticated_data)
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
        signed = vector(TBS_LABEL) + vector(self._to_be_signed(body[:end], aad))
        bindings.crypto_sign_open(signature + signed, self._public)
        return plaintext

    def _to_be_signed(self, content: bytes, aad: bytes) -> bytes:
        return HEAD + self._header + b"\x01" + self._leaf + aad + b"\x01" + content + self._context

    def _sender_data_keys(self, sealed: bytes) -> tuple[bytes, bytes]:
        sample = sealed[:SAMPLE_BYTES]
        return _key(self._sender_data_secret, sample), _nonce(self._sender_data_secret, sample)


def _guarded(nonce: bytes, guard: bytes) -> bytes:
    mixed = int.from_bytes(nonce[:4], "big") ^ int.from_bytes(guard, "big")
    return mixed.to_bytes(4, "big") + nonce[4:]
