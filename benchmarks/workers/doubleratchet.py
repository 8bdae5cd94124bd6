"""Two parties with the Double Ratchet of python-doubleratchet, driven over JSON lines. Runs in the
peer's own virtual environment.

Its recommended parts, on Curve25519 and SHA-256. One party speaks: the symmetric ratchet moves, the
other stands still, which is its cheapest case. Its messages carry no signature.
"""

from __future__ import annotations

import asyncio
import os
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from doubleratchet import DoubleRatchet as AbstractRatchet
from doubleratchet import EncryptedMessage, Header
from doubleratchet.recommended import (
    HashFunction,
    aead_aes_hmac,
    diffie_hellman_ratchet_curve25519,
    kdf_hkdf,
    kdf_separate_hmacs,
)

from benchmarks.workers import service
from benchmarks.workers.messages import Messages

ASSOCIATED_DATA: Final = b"\x92\x01\xcd\x04\xd2"
"""As long as ours."""

KEPT_KEYS: Final = 1000
"""Skipped keys kept, and the longest jump."""

FIRST: Final = b"first"


class _RootChain(kdf_hkdf.KDF):
    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256

    @staticmethod
    def _get_info() -> bytes:
        return b"benchmark root"


class _MessageChain(kdf_separate_hmacs.KDF):
    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256


class _Aead(aead_aes_hmac.AEAD):
    @staticmethod
    def _get_hash_function() -> HashFunction:
        return HashFunction.SHA_256

    @staticmethod
    def _get_info() -> bytes:
        return b"benchmark message"


class _Curve25519(diffie_hellman_ratchet_curve25519.DiffieHellmanRatchet):
    pass


class _Ratchet(AbstractRatchet):
    @staticmethod
    def _build_associated_data(associated_data: bytes, header: Header) -> bytes:
        numbers = (header.previous_sending_chain_length, header.sending_chain_length)
        encoded = b"".join(number.to_bytes(8, "big") for number in numbers)
        return bytes(associated_data + header.ratchet_pub + encoded)


class DoubleRatchet(Messages[EncryptedMessage]):
    """A sender and a receiver who share a secret."""

    distribution = "doubleratchet"

    def __init__(self) -> None:
        self._sender: _Ratchet | None = None
        self._receiver: _Ratchet | None = None

    async def _start(self) -> tuple[_Ratchet, _Ratchet]:
        secret, private = os.urandom(32), X25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        chains = (_Curve25519, _RootChain, _MessageChain, b"\x01\x02", KEPT_KEYS, KEPT_KEYS, _Aead)
        sender, first = await _Ratchet.encrypt_initial_message(
            *chains, secret, public, FIRST, ASSOCIATED_DATA
        )
        receiver, _ = await _Ratchet.decrypt_initial_message(
            *chains, secret, private.private_bytes_raw(), first, ASSOCIATED_DATA
        )
        return sender, receiver

    async def protect(self, data: bytes) -> EncryptedMessage:
        """Encrypt; the first call agrees on the ratchets."""
        if self._sender is None:
            self._sender, self._receiver = await self._start()
        return await self._sender.encrypt_message(data, ASSOCIATED_DATA)

    async def receive(self, message: EncryptedMessage) -> bytes:
        """Decrypt."""
        if self._receiver is None:
            raise ValueError("nothing was sent")
        return bytes(await self._receiver.decrypt_message(message, ASSOCIATED_DATA))

    def size(self, message: EncryptedMessage) -> int:
        """Return the length of ciphertext and header."""
        return len(message.ciphertext) + len(message.header.ratchet_pub) + 16


if __name__ == "__main__":
    asyncio.run(service.serve(DoubleRatchet()))
