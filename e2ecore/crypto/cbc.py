"""AES-256 in CBC mode without padding: how the database library encrypts its pages. No other use.

It authenticates nothing by itself: check the page's HMAC first.
"""

from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK_BYTES: Final = 16
KEY_BYTES: Final = 32


def open_blocks(key: bytes, iv: bytes, sealed: bytes) -> bytes:
    """Return the plaintext of whole blocks.

    Args:
        key: 32 bytes.
        iv: 16 bytes.
        sealed: A multiple of 16 bytes that was authenticated.

    Raises:
        ValueError: One of these has another length.
    """
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    return decryptor.update(sealed) + decryptor.finalize()
