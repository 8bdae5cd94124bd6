"""DHKEM(X448, HKDF-SHA512). Spec: RFC 9180 §4.1 (DH-Based KEM (DHKEM))."""

from typing import Final, final

from cryptography.hazmat.primitives.asymmetric.x448 import X448PrivateKey, X448PublicKey

from e2ecore.crypto.errors import InvalidKeyError, KeyMaterialError
from e2ecore.crypto.hashes import SHA512
from e2ecore.crypto.kem import HpkeKeyPair, HpkePrivateKey, Kem, LabeledKdf

KEY_BYTES: Final = 56
_KDF: Final = LabeledKdf(SHA512, b"KEM\x00\x21")
_P: Final = 2**448 - 2**224 - 1

_LOW_ORDER: Final = frozenset(
    number.to_bytes(KEY_BYTES, "little") for number in (0, 1, _P - 1, _P, _P + 1)
)
"""The points, in every encoding, with which each private key makes the all-zero secret."""


def load_private(raw: bytes) -> X448PrivateKey:
    """Return the key object of 56 stored bytes.

    Raises:
        KeyMaterialError: They are not 56.
    """
    if len(raw) != KEY_BYTES:
        raise KeyMaterialError("an X448 private key has 56 bytes")
    return X448PrivateKey.from_private_bytes(raw)


def load_public(public: bytes) -> X448PublicKey:
    """Return the key object of 56 received bytes.

    Raises:
        InvalidKeyError: They are not 56, or the point has low order.
    """
    if len(public) != KEY_BYTES:
        raise InvalidKeyError("an X448 public key has 56 bytes")
    if public in _LOW_ORDER:
        raise InvalidKeyError("an X448 public key of low order")
    return X448PublicKey.from_public_bytes(public)


def exchange(private: X448PrivateKey, public: bytes) -> bytes:
    """Return the Diffie-Hellman secret.

    Raises:
        InvalidKeyError: The secret is all zeros: the public key has low order
            (RFC 7748 §6.2 (Curve448)).
    """
    try:
        return private.exchange(load_public(public))
    except ValueError:
        raise InvalidKeyError("an X448 public key of low order") from None


@final
class _DhKemX448(Kem):
    __slots__ = ()

    def derive_key_pair(self, ikm: bytes) -> HpkeKeyPair:
        prk = _KDF.extract(b"", b"dkp_prk", ikm)
        private = HpkePrivateKey(_KDF.expand(prk, b"sk", b"", KEY_BYTES))
        return HpkeKeyPair(private, self.public_of(private))

    def check_public(self, public: bytes) -> None:
        load_public(public)

    def public_of(self, private: HpkePrivateKey) -> bytes:
        return load_private(private.raw).public_key().public_bytes_raw()

    def encapsulate(self, public: bytes) -> tuple[bytes, bytes]:
        ephemeral = X448PrivateKey.generate()
        enc = ephemeral.public_key().public_bytes_raw()
        secret = exchange(ephemeral, public)
        return _KDF.extract_and_expand(secret, enc + public), enc

    def decapsulate(self, enc: bytes, private: HpkePrivateKey) -> bytes:
        key = load_private(private.raw)
        context = enc + key.public_key().public_bytes_raw()
        return _KDF.extract_and_expand(exchange(key, enc), context)


DHKEM_X448: Final[Kem] = _DhKemX448(0x0021, KEY_BYTES, KEY_BYTES, KEY_BYTES)
