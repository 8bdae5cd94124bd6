"""X-Wing: ML-KEM-768 and X25519 in one mechanism; safe while either of the two is.

Spec: draft-connolly-cfrg-xwing-kem for the combiner, draft-ietf-hpke-pq (MLKEM768-X25519, KEM
0x647a) for DeriveKeyPair, which is SHAKE256.LabeledDerive and not plain SHAKE256.

A private key is a seed of 32 bytes. SHAKE256 stretches it to 96: the ML-KEM seed (64) and the
X25519 key (32). That costs as much as generating a key, so the expanded form is kept with the
``HpkePrivateKey`` object.
"""

import hashlib
from functools import partial
from typing import Final, final

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import (
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
)
from nacl.bindings import crypto_scalarmult_base

from e2ecore.crypto import kem_x25519
from e2ecore.crypto.errors import InvalidKeyError, KeyMaterialError
from e2ecore.crypto.kem import HpkeKeyPair, HpkePrivateKey, OneCallKem

SEED_BYTES: Final = 32
_MLKEM_PUBLIC_BYTES: Final = 1184
_MLKEM_CIPHERTEXT_BYTES: Final = 1088
_PUBLIC_BYTES: Final = _MLKEM_PUBLIC_BYTES + 32
_ENC_BYTES: Final = _MLKEM_CIPHERTEXT_BYTES + 32
_DERIVE: Final = (
    b"HPKE-v1KEM\x64\x7a" + (13).to_bytes(2, "big") + b"DeriveKeyPair" + (32).to_bytes(2, "big")
)
_LABEL: Final = b"\\.//^\\"


def _parts(seed: bytes) -> tuple[MLKEM768PrivateKey, bytes]:
    """Return the ML-KEM key, and the X25519 key as bytes: an object takes 35 us, half of all."""
    if len(seed) != SEED_BYTES:
        raise KeyMaterialError("an X-Wing private key has 32 bytes")
    expanded = hashlib.shake_256(seed).digest(96)
    return MLKEM768PrivateKey.from_seed_bytes(expanded[:64]), expanded[64:]


def _public_bytes(mlkem: MLKEM768PrivateKey, x25519: bytes) -> bytes:
    return mlkem.public_key().public_bytes_raw() + crypto_scalarmult_base(x25519)


def _join(mlkem: MLKEM768PrivateKey, x25519: bytes) -> MLKEM768X25519PrivateKey:
    return MLKEM768X25519PrivateKey(mlkem, X25519PrivateKey.from_private_bytes(x25519))


def _load_mlkem_public(public: bytes) -> MLKEM768PublicKey:
    if len(public) != _PUBLIC_BYTES:
        raise InvalidKeyError("an X-Wing public key has 1216 bytes")
    try:
        return MLKEM768PublicKey.from_public_bytes(public[:_MLKEM_PUBLIC_BYTES])
    except ValueError:
        raise InvalidKeyError("an ML-KEM-768 public key that is not reduced") from None


def _combine(mlkem_secret: bytes, x_secret: bytes, x_enc: bytes, x_public: bytes) -> bytes:
    return hashlib.sha3_256(mlkem_secret + x_secret + x_enc + x_public + _LABEL).digest()


@final
class _XWing(OneCallKem):
    __slots__ = ()

    def derive_key_pair(self, ikm: bytes) -> HpkeKeyPair:
        seed = hashlib.shake_256(ikm + _DERIVE).digest(SEED_BYTES)
        mlkem, x25519 = _parts(seed)
        private = HpkePrivateKey(seed)
        private.expands_by(partial(_join, mlkem, x25519))
        return HpkeKeyPair(private, _public_bytes(mlkem, x25519))

    def load_private(self, raw: bytes) -> MLKEM768X25519PrivateKey:
        return _join(*_parts(raw))

    def load_public(self, public: bytes) -> MLKEM768X25519PublicKey:
        mlkem = _load_mlkem_public(public)
        return MLKEM768X25519PublicKey(mlkem, kem_x25519.load_public(public[_MLKEM_PUBLIC_BYTES:]))

    def public_of(self, private: HpkePrivateKey) -> bytes:
        return _public_bytes(*_parts(private.raw))

    def encapsulate(self, public: bytes) -> tuple[bytes, bytes]:
        mlkem_secret, mlkem_enc = _load_mlkem_public(public).encapsulate()
        x_public = public[_MLKEM_PUBLIC_BYTES:]
        x_secret, x_enc = kem_x25519.agree(x_public)
        return _combine(mlkem_secret, x_secret, x_enc, x_public), mlkem_enc + x_enc

    def decapsulate(self, enc: bytes, private: HpkePrivateKey) -> bytes:
        if len(enc) != _ENC_BYTES:
            raise InvalidKeyError("an X-Wing encapsulation has 1120 bytes")
        mlkem, x25519 = _parts(private.raw)
        x_enc = enc[_MLKEM_CIPHERTEXT_BYTES:]
        mlkem_secret = mlkem.decapsulate(enc[:_MLKEM_CIPHERTEXT_BYTES])
        x_secret = kem_x25519.exchange(X25519PrivateKey.from_private_bytes(x25519), x_enc)
        return _combine(mlkem_secret, x_secret, x_enc, crypto_scalarmult_base(x25519))


X_WING: Final[OneCallKem] = _XWing(
    0x647A, KEM.MLKEM768_X25519, SEED_BYTES, _PUBLIC_BYTES, _ENC_BYTES
)
