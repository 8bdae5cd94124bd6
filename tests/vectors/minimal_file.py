"""A second decryptor of sealed files, as small as it can be, from the specification alone.

Shares nothing with e2ecore: a hash, HMAC and AES-GCM. Spec: protocol/spec/45-sealed-files.md
"""

import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def expand(key: bytes, info: bytes, size: int, name: str) -> bytes:
    """HKDF-Expand (RFC 5869)."""
    found = block = b""
    for counter in range(1, 4):
        block = hmac.digest(key, block + info + bytes([counter]), name)
        found += block
    return found[:size]


def padded(size: int) -> int:
    """[FIL-4]."""
    size = max(size, 1024)
    e = size.bit_length() - 1
    unit = 1 << (e - (e.bit_length() - 1) - 1)
    return (size + unit - 1) // unit * unit


def open_file(
    blob: bytes, *, blob_id: bytes, share: bytes, file_key: bytes, size: int, digest: bytes
) -> bytes:
    """[FIL-5]: return the file, or raise a ValueError that says why not."""
    length = padded(size)
    if len(blob) != 56 + length + 16 * (length // 16384 + 1):
        raise ValueError("size")
    content_key = expand(
        hmac.digest(share, file_key, "sha256"), b"e2ecore blob v1" + blob_id, 32, "sha256"
    )
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + blob[:24]
    derived = expand(content_key, info, 76, "sha512")
    if not hmac.compare_digest(derived[44:], blob[24:56]):
        raise ValueError("key")
    base, plain = int.from_bytes(derived[32:44]), b""
    for number, at in enumerate(range(56, len(blob), 16400)):
        nonce = (base ^ number).to_bytes(12)
        try:
            plain += AESGCM(derived[:32]).decrypt(nonce, blob[at : at + 16400], None)
        except InvalidTag:
            raise ValueError("chunk") from None
    if any(plain[size:]):
        raise ValueError("padding")
    if hashlib.sha256(plain[:size]).digest() != digest:
        raise ValueError("digest")
    return plain[:size]
