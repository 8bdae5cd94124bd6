"""Signatures: Ed25519 (RFC 8032 §5.1 (Ed25519ph, Ed25519ctx, and Ed25519)) and ECDSA on P-256.

Ed25519 comes from libsodium, which also refuses public keys of low order and signatures with a
second valid form. ECDSA signatures are DER, public keys uncompressed points, as
RFC 9420 §5.1.2 (Signing) wants them.
"""

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import Final, NoReturn, final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import CryptoError

from e2ecore.crypto.errors import InvalidKeyError, KeyMaterialError, SignatureError
from e2ecore.crypto.rng import Rng

_SEED_BYTES: Final = 32
_ED25519_SIGNATURE_BYTES: Final = 64
_POINT_BYTES: Final = 65
_UNCOMPRESSED: Final = 4
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class SigningKey(ABC):
    """A private signature key with its public half, ready for use. Never printed, never pickled."""

    __slots__ = ("private", "public")

    private: bytes
    """32 bytes: the Ed25519 seed, or the P-256 scalar."""
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
    __slots__ = ("_expanded",)

    def __init__(self, seed: bytes) -> None:
        if len(seed) != _SEED_BYTES:
            raise KeyMaterialError("an Ed25519 private key has 32 bytes")
        self.private = seed
        self.public, self._expanded = crypto_sign_seed_keypair(seed)

    @property
    def scheme(self) -> SignatureScheme:
        return ED25519

    def sign(self, message: bytes) -> bytes:
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
class _P256Key(SigningKey):
    __slots__ = ("_key",)

    def __init__(self, scalar: bytes) -> None:
        number = int.from_bytes(scalar, "big")
        if len(scalar) != _SEED_BYTES or not 0 < number < _P256_ORDER:
            raise KeyMaterialError("not a P-256 private key")
        self.private = scalar
        self._key = ec.derive_private_key(number, ec.SECP256R1())
        self.public = self._key.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )

    @property
    def scheme(self) -> SignatureScheme:
        return ECDSA_P256

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message, _ECDSA)


_ECDSA: Final = ec.ECDSA(SHA256(), deterministic_signing=True)


@lru_cache(maxsize=256)
def _load_point(public: bytes) -> ec.EllipticCurvePublicKey:
    if len(public) != _POINT_BYTES or public[0] != _UNCOMPRESSED:
        raise InvalidKeyError("a P-256 public key is an uncompressed point of 65 bytes")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
    except ValueError:
        raise InvalidKeyError("not a point of P-256") from None


@final
class _EcdsaP256(SignatureScheme):
    __slots__ = ()

    def generate(self, rng: Rng) -> SigningKey:
        while True:
            candidate = rng(_SEED_BYTES)
            if 0 < int.from_bytes(candidate, "big") < _P256_ORDER:
                return _P256Key(candidate)

    def load(self, private: bytes) -> SigningKey:
        return _P256Key(private)

    def check_public(self, public: bytes) -> None:
        _load_point(public)

    def verify(self, public: bytes, message: bytes, signature: bytes) -> None:
        try:
            _load_point(public).verify(signature, message, _ECDSA)
        except (InvalidSignature, InvalidKeyError):
            raise SignatureError("the signature is not valid") from None


ED25519: Final[SignatureScheme] = _Ed25519("ed25519", 0x0807)
ECDSA_P256: Final[SignatureScheme] = _EcdsaP256("ecdsa_secp256r1_sha256", 0x0403)
