"""What the smallest member of suite 0xF001 needs: encoding, primitives, the key schedule.

Written from the specifications, without anything of the packages of this repository: hashes and
HMAC of the standard library, and AES-GCM, Ed25519, X25519 and ML-KEM of ``cryptography``.
"""

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NH, NK, NN = 32, 16, 12


# --- encoding ------------------------------------------------------------------------------------


class Reader:
    """Walks over one structure."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        self.at += size
        assert self.at <= len(self.data)
        return self.data[self.at - size : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def size(self) -> int:
        first = self.number(1)
        more = (1 << (first >> 6)) - 1
        return (first & 0x3F) << (8 * more) | self.number(more)

    def opaque(self) -> bytes:
        return self.take(self.size())

    def items(self) -> "Reader":
        return Reader(self.opaque())

    @property
    def more(self) -> bool:
        return self.at < len(self.data)


def opaque(data: bytes) -> bytes:
    size = len(data)
    if size < 1 << 6:
        return bytes((size,)) + data
    if size < 1 << 14:
        return (size | 0x4000).to_bytes(2) + data
    return (size | 0x80000000).to_bytes(4) + data


# --- primitives ----------------------------------------------------------------------------------


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def mac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


def expand(prk: bytes, info: bytes, size: int) -> bytes:
    output = block = b""
    while len(output) < size:
        block = mac(prk, block + info + bytes((len(output) // NH + 1,)))
        output += block
    return output[:size]


def expand_with_label(secret: bytes, label: str, context: bytes, size: int) -> bytes:
    info = size.to_bytes(2) + opaque(b"MLS 1.0 " + label.encode()) + opaque(context)
    return expand(secret, info, size)


def derive_secret(secret: bytes, label: str) -> bytes:
    return expand_with_label(secret, label, b"", NH)


def ref_hash(label: str, value: bytes) -> bytes:
    return sha256(opaque(label.encode()) + opaque(value))


def verify_with_label(public: bytes, label: str, content: bytes, signature: bytes) -> None:
    message = opaque(b"MLS 1.0 " + label.encode()) + opaque(content)
    Ed25519PublicKey.from_public_bytes(public).verify(signature, message)


def x_wing_parts(seed: bytes) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
    expanded = hashlib.shake_256(seed).digest(96)
    mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    return mlkem, X25519PrivateKey.from_private_bytes(expanded[64:])


def x_wing_public(seed: bytes) -> bytes:
    mlkem, x25519 = x_wing_parts(seed)
    return mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()


def x_wing_derive(ikm: bytes) -> bytes:
    """DeriveKeyPair of draft-ietf-hpke-pq: the seed that is the private key."""
    labeled = b"HPKE-v1" + b"KEM\x64\x7a" + b"\0\x0dDeriveKeyPair" + b"\0\x20"
    return hashlib.shake_256(ikm + labeled).digest(32)


def x_wing_decapsulate(enc: bytes, seed: bytes) -> bytes:
    mlkem, x25519 = x_wing_parts(seed)
    x_secret = x25519.exchange(X25519PublicKey.from_public_bytes(enc[1088:]))
    x_public = x25519.public_key().public_bytes_raw()
    combined = mlkem.decapsulate(enc[:1088]) + x_secret + enc[1088:] + x_public
    return hashlib.sha3_256(combined + b"\\.//^\\").digest()


def labeled_extract(salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return mac(salt, b"HPKE-v1" + HPKE_SUITE + label + ikm)


HPKE_SUITE = b"HPKE" + b"\x64\x7a" + b"\0\1" + b"\0\1"


def decrypt_with_label(
    seed: bytes, label: str, context: bytes, enc: bytes, ciphertext: bytes
) -> bytes:
    info = opaque(b"MLS 1.0 " + label.encode()) + opaque(context)
    hashes = labeled_extract(b"", b"psk_id_hash", b"") + labeled_extract(b"", b"info_hash", info)
    secret = labeled_extract(x_wing_decapsulate(enc, seed), b"secret", b"")

    def labeled_expand(name: bytes, size: int) -> bytes:
        return expand(
            secret, size.to_bytes(2) + b"HPKE-v1" + HPKE_SUITE + name + b"\0" + hashes, size
        )

    return AESGCM(labeled_expand(b"key", NK)).decrypt(
        labeled_expand(b"base_nonce", NN), ciphertext, b""
    )


# --- key schedule --------------------------------------------------------------------------------


def joiner_secret(init: bytes, commit: bytes, context: bytes) -> bytes:
    return expand_with_label(mac(init, commit), "joiner", context, NH)


def epoch_secrets(joiner: bytes, psk: bytes, context: bytes) -> dict[str, bytes]:
    """Everything of one epoch, by the labels of the RFC."""
    member = mac(joiner, psk)
    epoch = expand_with_label(member, "epoch", context, NH)
    labels = ("sender data", "encryption", "exporter", "external", "confirm", "membership")
    found = {label: derive_secret(epoch, label) for label in labels}
    found |= {
        label: derive_secret(epoch, label) for label in ("resumption", "authentication", "init")
    }
    return found | {"welcome": derive_secret(member, "welcome")}


def export(exporter: bytes, label: str, context: bytes, size: int) -> bytes:
    return expand_with_label(derive_secret(exporter, label), "exported", sha256(context), size)
