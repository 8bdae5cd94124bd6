"""Signatures: Ed25519, Ed448 and ECDSA on P-256, P-384 and P-521.

Ed25519 (RFC 8032 §5.1 (Ed25519ph, Ed25519ctx, and Ed25519)) comes from libsodium, which also
refuses public keys of low order and signatures with a second valid form. Ed448 (RFC 8032 §5.2
(Ed448ph and Ed448)) comes from OpenSSL, which takes keys of low order; they are refused here.
ECDSA signatures are DER in its one canonical form, public keys uncompressed points, as
RFC 9420 §5.1.2 (Signing) wants them.
"""

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import ClassVar, Final, NoReturn, final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey, Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import CryptoError

from e2ecore.crypto.curves import P256, P384, P521, Curve, public_bytes
from e2ecore.crypto.errors import InvalidKeyError, KeyMaterialError, SignatureError
from e2ecore.crypto.rng import Rng

_SEED_BYTES: Final = 32
_ED25519_SIGNATURE_BYTES: Final = 64
_ED448_BYTES: Final = 57
_ED448_P: Final = 2**448 - 2**224 - 1
_ED448_LOW_ORDER: Final = frozenset(
    number.to_bytes(_ED448_BYTES, "little")
    for number in (0, 1, _ED448_P - 1, _ED448_P, _ED448_P + 1)
)
"""The y of the points whose order divides the cofactor 4, in every encoding. A signature that fits
such a key fits many messages."""


class SigningKey(ABC):
    """A private signature key with its public half, ready for use. Never printed, never pickled."""

    __slots__ = ("private", "public")

    private: bytes
    """The seed of an Ed25519 (32 bytes) or Ed448 (57 bytes) key, or the scalar of an ECDSA key."""
    public: bytes
    """What verifiers need, in the form that MLS puts on the wire."""

    @property
    @abstractmethod
    def scheme(self) -> "SignatureScheme":
        """The algorithm this key belongs to."""

    @abstractmethod
    def sign(self, message: bytes) -> bytes:
        """Return a signature over ``message``. The same message gives the same signature."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, public {self.public.hex()}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets are not pickled")


class SignatureScheme(ABC):
    """One signature algorithm."""

    __slots__ = ("code", "name")

    def __init__(self, name: str, code: int) -> None:
        self.name: Final = name
        self.code: Final = code
        """The SignatureScheme number of RFC 8446 §4.2.3 (Signature Algorithms)."""

    @abstractmethod
    def generate(self, rng: Rng) -> SigningKey:
        """Return a fresh key."""

    @abstractmethod
    def load(self, private: bytes) -> SigningKey:
        """Return the key that ``SigningKey.private`` was taken from.

        Raises:
            KeyMaterialError: These bytes are no private key.
        """

    @abstractmethod
    def check_public(self, public: bytes) -> None:
        """Refuse what cannot be a public key.

        Raises:
            InvalidKeyError: Wrong size, or not a point of the curve.
        """

    @abstractmethod
    def verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        """Return only if the signature is right.

        Raises:
            SignatureError: It is not, or the public key is none.
        """


@final
class _Ed25519Key(SigningKey):
    __slots__ = ("_expanded", "_long")

    LONG: ClassVar[int] = 1 << 14
    """From so many bytes on OpenSSL signs, with the same result: libsodium's binding copies the
    message four times. For the 250 kB of a large group's state: 0.8 instead of 1.1 ms."""

    def __init__(self, seed: bytes) -> None:
        if len(seed) != _SEED_BYTES:
            raise KeyMaterialError("an Ed25519 private key has 32 bytes")
        self.private = seed
        self.public, self._expanded = crypto_sign_seed_keypair(seed)
        self._long: Ed25519PrivateKey | None = None

    @property
    def scheme(self) -> SignatureScheme:
        return ED25519

    def sign(self, message: bytes) -> bytes:
        if len(message) >= self.LONG:
            if self._long is None:
                self._long = Ed25519PrivateKey.from_private_bytes(self.private)
            return self._long.sign(message)
        return crypto_sign(message, self._expanded)[:_ED25519_SIGNATURE_BYTES]


@final
class _Ed25519(SignatureScheme):
    __slots__ = ()

    def generate(self, rng: Rng) -> SigningKey:
        return _Ed25519Key(rng(_SEED_BYTES))

    def load(self, private: bytes) -> SigningKey:
        return _Ed25519Key(private)

    def check_public(self, public: bytes) -> None:
        if len(public) != _SEED_BYTES:
            raise InvalidKeyError("an Ed25519 public key has 32 bytes")

    def verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        if len(signature) != _ED25519_SIGNATURE_BYTES or len(public) != _SEED_BYTES:
            raise SignatureError("signature or public key has a wrong size")
        try:
            crypto_sign_open(signature + message, public)
        except CryptoError:
            raise SignatureError("the signature is not valid") from None


@final
class _Ed448Key(SigningKey):
    __slots__ = ("_key",)

    def __init__(self, seed: bytes) -> None:
        if len(seed) != _ED448_BYTES:
            raise KeyMaterialError("an Ed448 private key has 57 bytes")
        self.private = seed
        self._key = Ed448PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw()

    @property
    def scheme(self) -> SignatureScheme:
        return ED448

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


@final
class _Ed448(SignatureScheme):
    __slots__ = ()

    def generate(self, rng: Rng) -> SigningKey:
        return _Ed448Key(rng(_ED448_BYTES))

    def load(self, private: bytes) -> SigningKey:
        return _Ed448Key(private)

    def check_public(self, public: bytes) -> None:
        if len(public) != _ED448_BYTES:
            raise InvalidKeyError("an Ed448 public key has 57 bytes")
        if public[:-1] + bytes((public[-1] & 0x7F,)) in _ED448_LOW_ORDER:
            raise InvalidKeyError("an Ed448 public key of low order")

    def verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        try:
            self.check_public(public)
            Ed448PublicKey.from_public_bytes(public).verify(signature, message)
        except (InvalidSignature, InvalidKeyError):
            raise SignatureError("the signature is not valid") from None


@final
class _EcdsaKey(SigningKey):
    __slots__ = ("_key", "_scheme")

    def __init__(self, scheme: "_Ecdsa", scalar: bytes) -> None:
        self._scheme = scheme
        self._key = scheme.curve.load_private(scalar)
        self.private = scalar
        self.public = public_bytes(self._key)

    @property
    def scheme(self) -> SignatureScheme:
        return self._scheme

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message, self._scheme.algorithm)


@lru_cache(maxsize=256)
def _load_point(curve: Curve, public: bytes) -> ec.EllipticCurvePublicKey:
    return curve.load_public(public)


@final
class _Ecdsa(SignatureScheme):
    __slots__ = ("algorithm", "curve")

    def __init__(self, name: str, code: int, curve: Curve, hash_: HashAlgorithm) -> None:
        super().__init__(name, code)
        self.curve: Final = curve
        self.algorithm: Final = ec.ECDSA(hash_, deterministic_signing=True)

    def generate(self, rng: Rng) -> SigningKey:
        while True:
            candidate = self.curve.masked(rng(self.curve.scalar_size))
            if self.curve.is_scalar(candidate):
                return _EcdsaKey(self, candidate)

    def load(self, private: bytes) -> SigningKey:
        return _EcdsaKey(self, private)

    def check_public(self, public: bytes) -> None:
        _load_point(self.curve, public)

    def verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        try:
            _load_point(self.curve, public).verify(signature, message, self.algorithm)
        except (InvalidSignature, InvalidKeyError):
            raise SignatureError("the signature is not valid") from None


ED25519: Final[SignatureScheme] = _Ed25519("ed25519", 0x0807)
ED448: Final[SignatureScheme] = _Ed448("ed448", 0x0808)
ECDSA_P256: Final[SignatureScheme] = _Ecdsa("ecdsa_secp256r1_sha256", 0x0403, P256, SHA256())
ECDSA_P384: Final[SignatureScheme] = _Ecdsa("ecdsa_secp384r1_sha384", 0x0503, P384, SHA384())
ECDSA_P521: Final[SignatureScheme] = _Ecdsa("ecdsa_secp521r1_sha512", 0x0603, P521, SHA512())
