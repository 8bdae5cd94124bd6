"""Hybrid public key encryption, base mode, one message per encapsulation.

Spec: RFC 9180 §6 (Single-Shot APIs). Opening runs inside ``cryptography`` where no associated data
is wanted, which is what MLS does. Associated data, the exporter (RFC 9180 §5.3 (Secret Export)) and
X448, which ``cryptography`` lacks there, take the written-out way over decapsulation and key
schedule. So does sealing, which is faster for it: 80 instead of 120 us with X25519, and what many
seals have in common is hashed once (``Sealer``): an invitation of a thousand would hash its tree a
thousand times.

Encapsulation draws its randomness from the system: ML-KEM offers no other door.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.hpke import AEAD, KDF, Suite

from e2ecore.crypto.aead import Aead
from e2ecore.crypto.errors import DecryptionError, InvalidKeyError
from e2ecore.crypto.hashes import Hash
from e2ecore.crypto.kem import (
    HpkeKeyPair,
    HpkePrivateKey,
    Kem,
    LabeledKdf,
    OneCallKem,
)
from e2ecore.crypto.rng import Rng

_KDFS: Final = {1: KDF.HKDF_SHA256, 2: KDF.HKDF_SHA384, 3: KDF.HKDF_SHA512}
_AEADS: Final = {1: AEAD.AES_128_GCM, 2: AEAD.AES_256_GCM, 3: AEAD.CHACHA20_POLY1305}
_BASE_MODE: Final = b"\0"


class KeySchedule(NamedTuple):
    """What both sides derive from one shared secret.

    Spec: RFC 9180 §5.1 (Creating the Encryption Context).
    """

    key: bytes
    base_nonce: bytes
    exporter_secret: bytes


@final
class _OneCall:
    """Open as ``cryptography`` does it, without associated data."""

    __slots__ = ("_kem", "_suite")

    def __init__(self, kem: OneCallKem, hash_: Hash, aead: Aead) -> None:
        self._kem = kem
        self._suite = Suite(kem.enum, _KDFS[hash_.kdf_id], _AEADS[aead.hpke_id])

    def open(self, enc: bytes, private: HpkePrivateKey, info: bytes, ciphertext: bytes) -> bytes:
        handle = private.handle(self._kem.load_private)
        try:
            return self._suite.decrypt(enc + ciphertext, handle, info)
        except (InvalidTag, ValueError):
            raise DecryptionError("not authentic") from None


@final
class Hpke:
    """One choice of KEM, KDF and AEAD."""

    __slots__ = (
        "_context_head",
        "_info_head",
        "_kdf",
        "_key_head",
        "_nonce_head",
        "_one_call",
        "_secret_ikm",
        "aead",
        "hash",
        "kem",
    )

    def __init__(self, kem: Kem, hash_: Hash, aead: Aead) -> None:
        self.kem: Final = kem
        self.hash: Final = hash_
        self.aead: Final = aead
        self._one_call = _OneCall(kem, hash_, aead) if isinstance(kem, OneCallKem) else None
        numbers = (kem.code, hash_.kdf_id, aead.hpke_id)
        suite_id = b"HPKE" + b"".join(number.to_bytes(2, "big") for number in numbers)
        self._kdf = LabeledKdf(hash_, suite_id)
        self._context_head = _BASE_MODE + self._kdf.extract(b"", b"psk_id_hash", b"")
        self._info_head = self._kdf.labeled_ikm(b"info_hash", b"")
        self._secret_ikm = self._kdf.labeled_ikm(b"secret", b"")
        self._key_head = self._kdf.labeled_info(b"key", b"", aead.key_size)
        self._nonce_head = self._kdf.labeled_info(b"base_nonce", b"", aead.nonce_size)

    def generate(self, rng: Rng) -> HpkeKeyPair:
        """Return a fresh key pair."""
        return self.kem.generate(rng)

    def derive_key_pair(self, ikm: bytes) -> HpkeKeyPair:
        """Return the key pair that belongs to this input keying material, always the same."""
        return self.kem.derive_key_pair(ikm)

    def check_public(self, public: bytes) -> None:
        """Refuse what cannot be a public key.

        Raises:
            InvalidKeyError: Wrong size, not on the curve, of low order, or not reduced.
        """
        self.kem.check_public(public)

    def seal(self, public: bytes, info: bytes, aad: bytes, plaintext: bytes) -> tuple[bytes, bytes]:
        """Encrypt to the owner of ``public``; return the encapsulated key and the ciphertext.

        Raises:
            InvalidKeyError: The public key is unusable.
        """
        return self.sealer(info).seal(public, plaintext, aad)

    def sealer(self, *info: bytes) -> "Sealer":
        """Return what seals several messages with the same ``info``, given in pieces."""
        return Sealer(self, self.context(*info))

    def open(
        self, enc: bytes, private: HpkePrivateKey, info: bytes, aad: bytes, ciphertext: bytes
    ) -> bytes:
        """Decrypt what was sealed to the public half of ``private``.

        Raises:
            DecryptionError: It was not, or ``info``, ``aad`` or the ciphertext differ.
        """
        if len(enc) != self.kem.enc_size:
            raise DecryptionError("the encapsulated key has a wrong size")
        if self._one_call is not None and not aad:
            return self._one_call.open(enc, private, info, ciphertext)
        keys = self.schedule(self._decapsulate(enc, private), info)
        return self.aead.open(keys.key, keys.base_nonce, ciphertext, aad)

    def export_sender(
        self, public: bytes, info: bytes, context: bytes, size: int
    ) -> tuple[bytes, bytes]:
        """Return an encapsulated key and the secret of ``size`` bytes that its receiver can export.

        Raises:
            InvalidKeyError: The public key is unusable.
        """
        secret, enc = self.kem.encapsulate(public)
        return enc, self.export(self.schedule(secret, info), context, size)

    def export_receiver(
        self, enc: bytes, private: HpkePrivateKey, info: bytes, context: bytes, size: int
    ) -> bytes:
        """Return the secret that ``export_sender`` made together with ``enc``.

        Raises:
            DecryptionError: ``enc`` is not an encapsulated key of this KEM.
        """
        if len(enc) != self.kem.enc_size:
            raise DecryptionError("the encapsulated key has a wrong size")
        return self.export(self.schedule(self._decapsulate(enc, private), info), context, size)

    def schedule(self, shared_secret: bytes, info: bytes) -> KeySchedule:
        """Derive key, nonce and exporter secret from what a KEM agreed on."""
        kdf, context = self._kdf, self.context(info)
        key, nonce = self.binding(context)(shared_secret)
        secret = kdf.extract(shared_secret, b"secret", b"")
        return KeySchedule(key, nonce, kdf.expand(secret, b"exp", context, self.hash.size))

    def context(self, *info: bytes) -> bytes:
        """Return the key schedule's context: what the keys are bound to."""
        return self._context_head + self.hash.hmac_of(b"", (self._info_head, *info))

    def binding(self, context: bytes) -> Callable[[bytes], tuple[bytes, bytes]]:
        """Return what derives the AEAD's key and nonce from a KEM's secret, in one context."""
        hmac, ikm = self.hash.hmac, self._secret_ikm
        key_size, nonce_size = self.aead.key_size, self.aead.nonce_size
        key_info = self._key_head + context + b"\1"
        nonce_info = self._nonce_head + context + b"\1"

        def derive(shared_secret: bytes) -> tuple[bytes, bytes]:
            secret = hmac(shared_secret, ikm)
            return hmac(secret, key_info)[:key_size], hmac(secret, nonce_info)[:nonce_size]

        return derive

    def export(self, keys: KeySchedule, context: bytes, size: int) -> bytes:
        """Return ``size`` bytes bound to ``context`` (RFC 9180 §5.3 (Secret Export))."""
        return self._kdf.expand(keys.exporter_secret, b"sec", context, size)

    def _decapsulate(self, enc: bytes, private: HpkePrivateKey) -> bytes:
        try:
            return self.kem.decapsulate(enc, private)
        except InvalidKeyError:
            raise DecryptionError("the encapsulated key is unusable") from None


@final
class Sealer:
    """Seals messages in one context to different receivers."""

    __slots__ = ("_encapsulate", "_keys", "_seal")

    def __init__(self, hpke: Hpke, context: bytes) -> None:
        self._encapsulate: Final = hpke.kem.encapsulate
        self._keys: Final = hpke.binding(context)
        self._seal: Final = hpke.aead.seal

    def seal(self, public: bytes, plaintext: bytes, aad: bytes = b"") -> tuple[bytes, bytes]:
        """Encrypt to the owner of ``public``; return the encapsulated key and the ciphertext.

        Raises:
            InvalidKeyError: The public key is unusable.
        """
        secret, enc = self._encapsulate(public)
        key, nonce = self._keys(secret)
        return enc, self._seal(key, nonce, plaintext, aad)


__all__ = ["Hpke", "HpkeKeyPair", "HpkePrivateKey", "KeySchedule", "Sealer"]
