"""Encryption of long messages in chunks that can be sealed and opened in any order.

This is Cobblestone-256 of c2sp.org/chunked-encryption: chunks of 16 KiB, the last one always
shorter, so that a message cut at a chunk's end shows; the number of a chunk is in its nonce; a
commitment to the key stands in front. ``cryptography.cobblestone`` has the same, from the first
byte to the last; an upload that goes on after a crash, and a file that is read from its middle,
need single chunks under a salt of the caller's. The tests let each open what the other sealed.
"""

import hmac
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from e2ecore.crypto.errors import DecryptionError, KeyMaterialError
from e2ecore.crypto.hashes import SHA512
from e2ecore.crypto.hkdf import expand

CHUNK_BYTES: Final = 16_384
"""Plaintext of every chunk but the last, which has less."""
TAG_BYTES: Final = 16
"""Bytes that a sealed chunk is longer than its plaintext."""
SEALED_CHUNK_BYTES: Final = CHUNK_BYTES + TAG_BYTES
SALT_BYTES: Final = 24
COMMITMENT_BYTES: Final = 32
HEADER_BYTES: Final = SALT_BYTES + COMMITMENT_BYTES
"""What stands before the chunks: the salt, then the commitment to the key."""
KEY_BYTES: Final = 32
MAX_CHUNKS: Final = 1 << 38
"""Most chunks of one message."""
_NONCE_BYTES: Final = 12
_INFO: Final = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0"


def sealed_size(size: int) -> int:
    """Return how long a message of ``size`` bytes is with its header and its chunks sealed."""
    return HEADER_BYTES + size + TAG_BYTES * (size // CHUNK_BYTES + 1)


class ChunkCipher:
    """The chunks of one message. A number must never be sealed with two different plaintexts."""

    __slots__ = ("_aead", "_base", "header")

    def __init__(self, key: bytes, salt: bytes, context: bytes = b"") -> None:
        """Derive the keys of one message.

        Args:
            key: 32 uniformly random bytes.
            salt: 24 bytes that no other message under this key has.
            context: What the message is for.

        Raises:
            KeyMaterialError: Key or salt has another size.
        """
        if len(key) != KEY_BYTES or len(salt) != SALT_BYTES:
            raise KeyMaterialError("a chunked message takes another key or salt size")
        info = _INFO + salt + context
        derived = expand(key, info, KEY_BYTES + _NONCE_BYTES + COMMITMENT_BYTES, SHA512)
        nonce_end = KEY_BYTES + _NONCE_BYTES
        self._aead = AESGCM(derived[:KEY_BYTES])
        self._base = int.from_bytes(derived[KEY_BYTES:nonce_end])
        self.header: Final = salt + derived[nonce_end:]
        """56 bytes: salt and commitment."""

    @classmethod
    def of_header(cls, key: bytes, header: bytes, context: bytes = b"") -> Self:
        """Return the cipher of a message whose header is known.

        Raises:
            DecryptionError: The header commits to another key or context, or was changed.
            KeyMaterialError: The key has another size.
        """
        if len(header) != HEADER_BYTES:
            raise DecryptionError("not authentic")
        cipher = cls(key, header[:SALT_BYTES], context)
        if not hmac.compare_digest(cipher.header, header):
            raise DecryptionError("not authentic")
        return cipher

    def seal(self, first: int, plaintext: bytes | memoryview, *, is_end: bool) -> bytes:
        """Return sealed chunks, one behind the other. As ``seal_into``."""
        sealed = bytearray(len(plaintext) + _count(len(plaintext), is_end=is_end) * TAG_BYTES)
        self.seal_into(first, memoryview(plaintext), memoryview(sealed), is_end=is_end)
        return bytes(sealed)

    def seal_into(self, first: int, plain: memoryview, out: memoryview, *, is_end: bool) -> int:
        """Seal chunks, one behind the other, and return how many bytes they are.

        Args:
            first: Number of the first chunk, from 0 on.
            plain: Whole chunks; at the end of the message any number of bytes.
            out: Where they go.
            is_end: The message ends with it: the last chunk is short, perhaps empty.

        Raises:
            KeyMaterialError: Part of a chunk, and not the end; or more chunks than a message has.
        """
        count = _count(len(plain), is_end=is_end)
        size = len(plain) + count * TAG_BYTES
        _check(first, count, fits=(is_end or not len(plain) % CHUNK_BYTES) and len(out) >= size)
        encrypt, base = self._aead.encrypt_into, self._base
        for number in range(count):
            begin, to = number * CHUNK_BYTES, number * SEALED_CHUNK_BYTES
            nonce = (base ^ (first + number)).to_bytes(_NONCE_BYTES)
            chunk = plain[begin : begin + CHUNK_BYTES]
            encrypt(nonce, chunk, None, out[to : to + len(chunk) + TAG_BYTES])
        return size

    def open(self, first: int, sealed: bytes | memoryview, *, is_end: bool) -> bytes:
        """Return the plaintext of sealed chunks. As ``open_into``."""
        opened = bytearray(max(0, len(sealed)))
        size = self.open_into(first, memoryview(sealed), memoryview(opened), is_end=is_end)
        return bytes(memoryview(opened)[:size])

    def open_into(self, first: int, sealed: memoryview, out: memoryview, *, is_end: bool) -> int:
        """Open chunks and return how many bytes they hold. Use them only if nothing is raised.

        Args:
            first: Number of the first chunk, from 0 on.
            sealed: As ``seal_into`` left it.
            out: Where the plaintext goes; zeros if it is refused.
            is_end: The message ends with it.

        Raises:
            DecryptionError: A chunk was changed, is another one, or is not where it belongs.
        """
        whole, rest = divmod(len(sealed), SEALED_CHUNK_BYTES)
        if rest < TAG_BYTES if is_end else rest:
            raise DecryptionError("not authentic")
        count = whole + is_end
        size = len(sealed) - count * TAG_BYTES
        _check(first, count, fits=len(out) >= size)
        decrypt, base = self._aead.decrypt_into, self._base
        try:
            for number in range(count):
                begin, to = number * SEALED_CHUNK_BYTES, number * CHUNK_BYTES
                nonce = (base ^ (first + number)).to_bytes(_NONCE_BYTES)
                chunk = sealed[begin : begin + SEALED_CHUNK_BYTES]
                decrypt(nonce, chunk, None, out[to : to + len(chunk) - TAG_BYTES])
        except InvalidTag:
            out[:size] = bytes(size)
            raise DecryptionError("not authentic") from None
        return size


def _count(size: int, *, is_end: bool) -> int:
    return size // CHUNK_BYTES + is_end


def _check(first: int, count: int, *, fits: bool) -> None:
    if not fits or not 0 <= first <= MAX_CHUNKS - count:
        raise KeyMaterialError("chunks are whole, numbered from 0 on, and bounded in number")
