"""Vectors of sealed files: sizes, keys, whole blobs, and blobs with one fault each."""

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from inputs import Json, filler

CHUNK = 16_384
LABEL = b"e2ecore blob v1"
INFO = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0"
SIZES = (0, 1, 1023, 1024, 1025, 16_384, 16_385, 65_536, 1_000_000, 5_000_000_000 // 2, 4 << 30)
FILES = {
    "empty": 0,
    "short": 5,
    "one chunk and an empty one": CHUNK,
    "three chunks": 2 * CHUNK + 100,
}
BLOB_ID, SHARE, FILE_KEY = filler("blob", 16), filler("share", 32), filler("file key", 32)
SALT = filler("salt", 24)


def padded(size: int) -> int:
    """Return the length to which a file is padded, [FIL-4]."""
    length = max(size, 1024)
    exponent = length.bit_length() - 1
    unit = 1 << (exponent - exponent.bit_length())
    return -(-length // unit) * unit


def expand(key: bytes, info: bytes, size: int, name: str) -> bytes:
    """HKDF-Expand."""
    found = block = b""
    while len(found) < size:
        counter = bytes((len(found) // hashlib.new(name).digest_size + 1,))
        block = hmac.digest(key, block + info + counter, name)
        found += block
    return found[:size]


def content_key(blob_id: bytes, share: bytes, file_key: bytes) -> bytes:
    """Return the content key, [FIL-2]."""
    return expand(hmac.digest(share, file_key, "sha256"), LABEL + blob_id, 32, "sha256")


def seal(plain: bytes, key: bytes) -> bytes:
    """Return a blob, [FIL-3]."""
    derived = expand(key, INFO + SALT, 76, "sha512")
    base = int.from_bytes(derived[32:44])
    chunks = [plain[at : at + CHUNK] for at in range(0, len(plain) + 1, CHUNK)]
    sealed = [
        AESGCM(derived[:32]).encrypt((base ^ number).to_bytes(12), chunk, None)
        for number, chunk in enumerate(chunks)
    ]
    return SALT + derived[44:] + b"".join(sealed)


def flipped(blob: bytes, at: int) -> bytes:
    """Return a blob with one bit changed."""
    return blob[:at] + bytes((blob[at] ^ 1,)) + blob[at + 1 :]


def parts(name: str, file: bytes, blob: bytes) -> dict[str, Json]:
    """Return what describes a blob; long ones by their digest, since anybody can make them."""
    return {
        "what": "blob",
        "name": name,
        "blob_id": BLOB_ID.hex(),
        "share": SHARE.hex(),
        "file_key": FILE_KEY.hex(),
        "salt": SALT.hex(),
        "size": len(file),
        "digest": hashlib.sha256(file).hexdigest(),
        "blob_size": len(blob),
        "blob_digest": hashlib.sha256(blob).hexdigest(),
    }


def sealed_files() -> list[Json]:
    """Return the vectors of sealed-files.json."""
    key = content_key(BLOB_ID, SHARE, FILE_KEY)
    found: list[Json] = [
        {
            "what": "size",
            "size": size,
            "padded": padded(size),
            "blob_size": 56 + padded(size) + 16 * (padded(size) // CHUNK + 1),
        }
        for size in SIZES
    ]
    found.append(
        {
            "what": "content key",
            "blob_id": BLOB_ID.hex(),
            "share": SHARE.hex(),
            "file_key": FILE_KEY.hex(),
            "content_key": key.hex(),
        }
    )
    for name, size in FILES.items():
        file = filler(f"file {name}", size)
        blob = seal(file.ljust(padded(size), b"\0"), key)
        found.append({**parts(name, file, blob), "expect": "ok", "blob_begins": blob[:88].hex()})
    return found + wrong(key)


def wrong(key: bytes) -> list[Json]:
    """Return blobs of the file "three chunks" with one fault each."""
    name = "three chunks"
    file = filler(f"file {name}", FILES[name])
    plain = file.ljust(padded(len(file)), b"\0")
    blob = seal(plain, key)
    one, two = 56 + 16_400, 56 + 2 * 16_400
    swapped = blob[:56] + blob[one:two] + blob[56:one] + blob[two:]
    other = seal(plain, content_key(BLOB_ID, filler("other share", 32), FILE_KEY))
    faults: dict[str, tuple[str, bytes]] = {
        "a bit of the salt": ("key", flipped(blob, 3)),
        "a bit of the commitment": ("key", flipped(blob, 40)),
        "sealed with another share": ("key", other),
        "a bit of the first chunk": ("chunk", flipped(blob, 56)),
        "a bit of a tag": ("chunk", flipped(blob, two - 1)),
        "a bit of the last chunk": ("chunk", flipped(blob, len(blob) - 1)),
        "two chunks swapped": ("chunk", swapped),
        "a chunk cut off": ("size", blob[:two]),
        "a chunk doubled": ("size", blob[:one] + blob[56:]),
        "a byte more": ("size", blob + b"\0"),
        "the header alone": ("size", blob[:56]),
        "something behind the end": ("padding", seal(plain[:-1] + b"\1", key)),
        "another file": ("digest", seal(b"\1" + plain[1:], key)),
    }
    return [
        {**parts(name, file, data), "expect": expect, "why": why}
        for why, (expect, data) in faults.items()
    ]
