"""DHKEM(X25519, HKDF-SHA256). Spec: RFC 9180 §4.1 (DH-Based KEM (DHKEM))."""

from typing import Final, final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import KEM
from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base
from nacl.exceptions import CryptoError

from e2ecore.crypto.errors import InvalidKeyError, KeyMaterialError
from e2ecore.crypto.hashes import SHA256
from e2ecore.crypto.kem import HpkeKeyPair, HpkePrivateKey, LabeledKdf, OneCallKem
from e2ecore.crypto.rng import system_rng

KEY_BYTES: Final = 32
_KDF: Final = LabeledKdf(SHA256, b"KEM\x00\x20")
_hmac: Final = SHA256.hmac
_PAIR_IKM: Final = _KDF.labeled_ikm(b"dkp_prk", b"")
_PAIR_INFO: Final = _KDF.labeled_info(b"sk", b"", KEY_BYTES) + b"\1"
_SHARED_IKM: Final = _KDF.labeled_ikm(b"eae_prk", b"")
_SHARED_INFO: Final = _KDF.labeled_info(b"shared_secret", b"", SHA256.size)

_LOW_ORDER: Final = frozenset(
    (number | unused).to_bytes(KEY_BYTES, "little")
    for unused in (0, 1 << 255)
    for number in (
        0,
        1,
        0xB8495F16056286FDB1329CEB8D09DA6AC49FF1FAE35616AEB8413B7C7AEBE0,
        0x57119FD0DD4E22D8868E1C58C45C44045BEF839C55B1D0B1248C50A3BC959C5F,
        2**255 - 20,
        2**255 - 19,
        2**255 - 18,
    )
)
"""The points, in every encoding, with which each private key makes the all-zero secret. A group
that let one in could not be encrypted to any more."""


def load_private(raw: bytes) -> X25519PrivateKey:
    """Return the key object of 32 stored bytes.

    Raises:
        KeyMaterialError: They are not 32.
    """
    if len(raw) != KEY_BYTES:
        raise KeyMaterialError("an X25519 private key has 32 bytes")
    return X25519PrivateKey.from_private_bytes(raw)


def load_public(public: bytes) -> X25519PublicKey:
    """Return the key object of 32 received bytes.

    Raises:
        InvalidKeyError: They are not 32, or the point has low order.
    """
    check_public(public)
    return X25519PublicKey.from_public_bytes(public)


def check_public(public: bytes) -> None:
    """Refuse what ``load_public`` would refuse, without making a key object.

    Raises:
        InvalidKeyError: Not 32 bytes, or the point has low order.
    """
    if len(public) != KEY_BYTES:
        raise InvalidKeyError("an X25519 public key has 32 bytes")
    if public in _LOW_ORDER:
        raise InvalidKeyError("an X25519 public key of low order")


def agree(public: bytes) -> tuple[bytes, bytes]:
    """Return a Diffie-Hellman secret with a fresh key, and the public half of that key.

    Libsodium needs 60 us for both, OpenSSL 90; a commit does this for each node of a copath.

    Raises:
        InvalidKeyError: Not 32 bytes, or the point has low order.
    """
    if len(public) != KEY_BYTES or public in _LOW_ORDER:
        check_public(public)
    private = system_rng(KEY_BYTES)
    try:
        return crypto_scalarmult(private, public), crypto_scalarmult_base(private)
    except CryptoError:
        raise InvalidKeyError("an X25519 public key of low order") from None


def exchange(private: X25519PrivateKey, public: bytes) -> bytes:
    """Return the Diffie-Hellman secret.

    Raises:
        InvalidKeyError: The secret is all zeros: the public key has low order
            (RFC 7748 §6.1 (Curve25519)).
    """
    try:
        return private.exchange(load_public(public))
    except ValueError:
        raise InvalidKeyError("an X25519 public key of low order") from None


@final
class _DhKemX25519(OneCallKem):
    __slots__ = ()

    def derive_key_pair(self, ikm: bytes) -> HpkeKeyPair:
        raw = _hmac(_hmac(b"", _PAIR_IKM + ikm), _PAIR_INFO)
        return HpkeKeyPair(HpkePrivateKey(raw), crypto_scalarmult_base(raw))

    def load_private(self, raw: bytes) -> X25519PrivateKey:
        return load_private(raw)

    def load_public(self, public: bytes) -> X25519PublicKey:
        return load_public(public)

    def check_public(self, public: bytes) -> None:
        check_public(public)

    def public_of(self, private: HpkePrivateKey) -> bytes:
        return load_private(private.raw).public_key().public_bytes_raw()

    def encapsulate(self, public: bytes) -> tuple[bytes, bytes]:
        secret, enc = agree(public)
        prk = _hmac(b"", _SHARED_IKM + secret)
        return _hmac(prk, b"".join((_SHARED_INFO, enc, public, b"\1"))), enc

    def decapsulate(self, enc: bytes, private: HpkePrivateKey) -> bytes:
        key = load_private(private.raw)
        context = enc + key.public_key().public_bytes_raw()
        return _KDF.extract_and_expand(exchange(key, enc), context)


DHKEM_X25519: Final[OneCallKem] = _DhKemX25519(0x0020, KEM.X25519, KEY_BYTES, KEY_BYTES, KEY_BYTES)
