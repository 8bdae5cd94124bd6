"""Signals opened by a second implementation: XChaCha20-Poly1305 from its draft, and the spec.

HChaCha20 is written out here; ChaCha20-Poly1305 is that of another library than the one in use.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from tests.vectors.minimal_reader import Value, read

ROUNDS = (
    *((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)),
    *((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)),
)


def words(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]


def rotated(value: int, by: int) -> int:
    return (value << by | value >> (32 - by)) & 0xFFFFFFFF


def hchacha20(key: bytes, nonce: bytes) -> bytes:
    """Section 2.2 of draft-irtf-cfrg-xchacha-03."""
    state = words(b"expand 32-byte k" + key + nonce)
    for _ in range(10):
        for a, b, c, d in ROUNDS:
            for one, two, three, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                state[one] = (state[one] + state[two]) & 0xFFFFFFFF
                state[three] = rotated(state[three] ^ state[one], by)
    return b"".join(word.to_bytes(4, "little") for word in state[:4] + state[12:])


def open_signal(key: bytes, payload: bytes) -> bytes | None:
    """The content of a signal, [CNT-80] and [CNT-81]; None if it does not open."""
    if len(payload) != 256:
        return None
    subkey = hchacha20(key, payload[:16])
    try:
        plain = ChaCha20Poly1305(subkey).decrypt(bytes(4) + payload[16:24], payload[24:], None)
    except InvalidTag:
        return None
    return plain


def content(plain: bytes) -> bytes | None:
    """What was padded; None if that is not how it is done."""
    end = 2 + int.from_bytes(plain[:2])
    return plain[2:end] if end <= 216 and not any(plain[end:]) else None


def fields(encoded: bytes) -> list[Value]:
    found = read(encoded)
    assert isinstance(found, list)
    return found
