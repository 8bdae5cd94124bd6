"""What every key encapsulation mechanism of HPKE offers.

Spec: RFC 9180 §4 (Cryptographic Dependencies).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.hpke import (
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
)

from e2ecore.crypto import hkdf
from e2ecore.crypto.hashes import Hash
from e2ecore.crypto.rng import Rng
from e2ecore.crypto.secret import Secret

PrivateHandle: TypeAlias = (
    x25519.X25519PrivateKey | ec.EllipticCurvePrivateKey | MLKEM768X25519PrivateKey
)
PublicHandle: TypeAlias = (
    x25519.X25519PublicKey | ec.EllipticCurvePublicKey | MLKEM768X25519PublicKey
)

_VERSION: Final = b"HPKE-v1"


class HpkePrivateKey(Secret):
    """A private key as it is stored. Its expanded form lives as long as this object."""

    __slots__ = ("_expand", "_handle")
    _expand: Callable[[], PrivateHandle]
    _handle: PrivateHandle

    def expands_by(self, expand: Callable[[], PrivateHandle]) -> None:
        """Say how to expand this key from what was at hand when it was made."""
        self._expand = expand

    def handle(self, load: Callable[[bytes], PrivateHandle]) -> PrivateHandle:
        """Return the expanded key, made at the first call: by ``load``, if there is no other way.

        Most keys of a group are never used: others commit before anybody encrypts to them.
        """
        if not hasattr(self, "_handle"):
            known = self._expand() if hasattr(self, "_expand") else load(self.raw)
            self._handle = known
        return self._handle


class HpkeKeyPair(NamedTuple):
    """A private key and the encoded public key that belongs to it."""

    private: HpkePrivateKey
    public: bytes


class Kem(ABC):
    """One mechanism. Public keys and encapsulated keys are the byte strings that travel."""

    __slots__ = ("code", "enc_size", "private_size", "public_size")

    def __init__(self, code: int, private_size: int, public_size: int, enc_size: int) -> None:
        self.code: Final = code
        """The number in RFC 9180 §7.1 (Key Encapsulation Mechanisms (KEMs))."""
        self.private_size: Final = private_size
        """Bytes of a stored private key."""
        self.public_size: Final = public_size
        """Bytes of an encoded public key."""
        self.enc_size: Final = enc_size
        """Bytes of an encapsulated key."""

    def generate(self, rng: Rng) -> HpkeKeyPair:
        """Return a fresh key pair."""
        return self.derive_key_pair(rng(self.private_size))

    @abstractmethod
    def derive_key_pair(self, ikm: bytes) -> HpkeKeyPair:
        """Return the key pair that belongs to this input keying material, always the same."""

    @abstractmethod
    def check_public(self, public: bytes) -> None:
        """Refuse what cannot be a public key.

        Raises:
            InvalidKeyError: Wrong size, not on the curve, of low order, or not reduced.
        """

    @abstractmethod
    def public_of(self, private: HpkePrivateKey) -> bytes:
        """Return the encoded public key of a private one."""

    @abstractmethod
    def encapsulate(self, public: bytes) -> tuple[bytes, bytes]:
        """Return a fresh shared secret and its encapsulation for the owner of ``public``.

        Raises:
            InvalidKeyError: The public key is unusable, or leads to an all-zero secret.
        """

    @abstractmethod
    def decapsulate(self, enc: bytes, private: HpkePrivateKey) -> bytes:
        """Return the shared secret.

        Raises:
            InvalidKeyError: ``enc`` is unusable, or leads to an all-zero secret.
        """


class OneCallKem(Kem):
    """A mechanism with which ``cryptography`` seals and opens in one call."""

    __slots__ = ("enum",)

    def __init__(
        self, code: int, enum: KEM, private_size: int, public_size: int, enc_size: int
    ) -> None:
        super().__init__(code, private_size, public_size, enc_size)
        self.enum: Final = enum

    @abstractmethod
    def load_private(self, raw: bytes) -> PrivateHandle:
        """Expand a stored private key.

        Raises:
            KeyMaterialError: These bytes are no private key.
        """

    @abstractmethod
    def load_public(self, public: bytes) -> PublicHandle:
        """Decode and check a public key.

        Raises:
            InvalidKeyError: Wrong size, not on the curve, of low order, or not reduced.
        """

    def check_public(self, public: bytes) -> None:
        """See ``Kem``."""
        self.load_public(public)


@lru_cache(maxsize=256)
def _prefix(size: int, suite_id: bytes, label: bytes) -> bytes:
    return size.to_bytes(2, "big") + _VERSION + suite_id + label


@dataclass(frozen=True, slots=True)
class LabeledKdf:
    """HKDF with everything bound to one suite.

    Spec: RFC 9180 §4 (Cryptographic Dependencies).
    """

    hash: Hash
    suite_id: bytes
    """Names the KEM, or the whole HPKE suite."""

    def labeled_ikm(self, label: bytes, ikm: bytes) -> bytes:
        """Return what LabeledExtract extracts from."""
        return b"".join((_VERSION, self.suite_id, label, ikm))

    def labeled_info(self, label: bytes, info: bytes, size: int) -> bytes:
        """Return what LabeledExpand expands by, to ``size`` bytes."""
        return _prefix(size, self.suite_id, label) + info

    def extract(self, salt: bytes, label: bytes, ikm: bytes) -> bytes:
        """LabeledExtract: ``hash.size`` bytes."""
        return self.hash.hmac(salt, self.labeled_ikm(label, ikm))

    def expand(self, prk: bytes, label: bytes, info: bytes, size: int) -> bytes:
        """LabeledExpand: ``size`` bytes."""
        return hkdf.expand(prk, self.labeled_info(label, info, size), size, self.hash)

    def extract_and_expand(self, dh: bytes, context: bytes) -> bytes:
        """ExtractAndExpand of RFC 9180 §4.1 (DH-Based KEM (DHKEM)): ``hash.size`` bytes."""
        prk = self.extract(b"", b"eae_prk", dh)
        return self.expand(prk, b"shared_secret", context, self.hash.size)
