"""Authenticated encryption: every ciphertext opens to what was sealed, or not at all."""

from abc import ABC, abstractmethod
from typing import Final, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError

from e2ecore.crypto.errors import DecryptionError, KeyMaterialError


class Aead(ABC):
    """One algorithm. A nonce must never be used twice with the same key."""

    __slots__ = ("hpke_id", "key_size", "name", "nonce_size", "tag_size")

    def __init__(self, name: str, key_size: int, nonce_size: int, hpke_id: int) -> None:
        self.name: Final = name
        self.key_size: Final = key_size
        """Bytes of a key."""
        self.nonce_size: Final = nonce_size
        """Bytes of a nonce."""
        self.tag_size: Final = 16
        """Bytes that a ciphertext is longer than its plaintext."""
        self.hpke_id: Final = hpke_id
        """The AEAD identifier of HPKE (RFC 9180 §7.3); 0 where it has none."""

    @abstractmethod
    def seal(self, key: bytes, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        """Return ciphertext and tag.

        Raises:
            KeyMaterialError: Key or nonce has another size than the algorithm's.
        """

    @abstractmethod
    def open(self, key: bytes, nonce: bytes, ciphertext: bytes, aad: bytes) -> bytes:
        """Return the plaintext of what ``seal`` made.

        Raises:
            DecryptionError: Ciphertext or ``aad`` were changed, or the key is another.
            KeyMaterialError: Key or nonce has another size than the algorithm's.
        """

    def _check(self, key: bytes, nonce: bytes) -> None:
        if len(key) != self.key_size or len(nonce) != self.nonce_size:
            raise KeyMaterialError(f"{self.name} takes another key or nonce size")


@final
class _OpenSslAead(Aead):
    """AES-GCM and ChaCha20-Poly1305 of ``cryptography``."""

    __slots__ = ("_algorithm",)

    def __init__(
        self,
        name: str,
        key_size: int,
        hpke_id: int,
        algorithm: type[AESGCM] | type[ChaCha20Poly1305],
    ) -> None:
        super().__init__(name, key_size, 12, hpke_id)
        self._algorithm = algorithm

    def seal(self, key: bytes, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        if len(key) != self.key_size or len(nonce) != self.nonce_size:
            self._check(key, nonce)
        try:
            return self._algorithm(key).encrypt(nonce, plaintext, aad)
        except OverflowError:
            raise KeyMaterialError("too long for one AEAD call") from None

    def open(self, key: bytes, nonce: bytes, ciphertext: bytes, aad: bytes) -> bytes:
        if len(key) != self.key_size or len(nonce) != self.nonce_size:
            self._check(key, nonce)
        try:
            return self._algorithm(key).decrypt(nonce, ciphertext, aad)
        except (InvalidTag, OverflowError):
            raise DecryptionError("not authentic") from None


@final
class _XChaCha20Poly1305(Aead):
    """XChaCha20-Poly1305 of libsodium: its nonce is long enough to be drawn at random."""

    __slots__ = ()

    def seal(self, key: bytes, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
        self._check(key, nonce)
        return crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, aad, nonce, key)

    def open(self, key: bytes, nonce: bytes, ciphertext: bytes, aad: bytes) -> bytes:
        self._check(key, nonce)
        if len(ciphertext) < self.tag_size:
            raise DecryptionError("not authentic")
        try:
            return crypto_aead_xchacha20poly1305_ietf_decrypt(ciphertext, aad, nonce, key)
        except CryptoError:
            raise DecryptionError("not authentic") from None


AES_128_GCM: Final[Aead] = _OpenSslAead("AES-128-GCM", 16, 0x0001, AESGCM)
AES_256_GCM: Final[Aead] = _OpenSslAead("AES-256-GCM", 32, 0x0002, AESGCM)
CHACHA20_POLY1305: Final[Aead] = _OpenSslAead("ChaCha20-Poly1305", 32, 0x0003, ChaCha20Poly1305)
XCHACHA20_POLY1305: Final[Aead] = _XChaCha20Poly1305("XChaCha20-Poly1305", 32, 24, 0)
