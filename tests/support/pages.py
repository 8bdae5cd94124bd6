"""What somebody with the key could still read in a database: every page of file and log."""

from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from e2ecore.storage.connecting import PAGE_BYTES
from e2ecore.storage.keys import KeyFile, database_key
from tests.support.databases import PASSPHRASE

RESERVED_BYTES = 80
"""At the end of each SQLCipher 4 page: 16 bytes of IV, 64 of HMAC."""
LOG_HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24


def plain_pages(path: Path, passphrase: str = PASSPHRASE) -> bytes:
    """Everything that somebody with the key could still read, free pages included."""
    key = database_key(KeyFile.load(path.with_name(path.name + ".keys")).unlock(passphrase)).raw
    return opened_pages(path, key)


def opened_pages(path: Path, key: bytes) -> bytes:
    """The same for a database whose key is known."""
    wal = path.with_name(path.name + "-wal")
    data, log = path.read_bytes(), wal.read_bytes() if wal.exists() else b""
    pages = [data[at : at + PAGE_BYTES] for at in range(0, len(data), PAGE_BYTES)]
    step = FRAME_HEADER_BYTES + PAGE_BYTES
    pages += [
        log[at + FRAME_HEADER_BYTES : at + step]
        for at in range(LOG_HEADER_BYTES, len(log) - step + 1, step)
    ]
    return b"".join(_opened(page, key) for page in pages)


def _opened(page: bytes, key: bytes) -> bytes:
    """Decrypt a page. Of the first one the salt at its start comes out as noise, the rest whole."""
    decryptor = Cipher(algorithms.AES(key), modes.CBC(page[-RESERVED_BYTES:][:16])).decryptor()
    return decryptor.update(page[:-RESERVED_BYTES]) + decryptor.finalize()
