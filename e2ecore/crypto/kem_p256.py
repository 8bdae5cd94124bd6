"""DHKEM(P-256, HKDF-SHA256). Spec: RFC 9180 §4.1 (DH-Based KEM (DHKEM))."""

from typing import Final, final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hpke import KEM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from e2ecore.crypto.errors import InvalidKeyError, KeyMaterialError
from e2ecore.crypto.hashes import SHA256
from e2ecore.crypto.kem import HpkeKeyPair, HpkePrivateKey, Kem, LabeledKdf

_KDF: Final = LabeledKdf(SHA256, b"KEM\x00\x10")
_SCALAR_BYTES: Final = 32
_POINT_BYTES: Final = 65
_UNCOMPRESSED: Final = 4
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def _public_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


@final
class _DhKemP256(Kem):
    __slots__ = ()

    def derive_key_pair(self, ikm: bytes) -> HpkeKeyPair:
        prk = _KDF.extract(b"", b"dkp_prk", ikm)
        for counter in range(256):
            raw = _KDF.expand(prk, b"candidate", bytes((counter,)), _SCALAR_BYTES)
            if 0 < int.from_bytes(raw, "big") < _ORDER:
                break
        else:
            raise KeyMaterialError("no P-256 key can be derived from this input")
        return HpkeKeyPair(HpkePrivateKey(raw), _public_bytes(self.load_private(raw)))

    def load_private(self, raw: bytes) -> ec.EllipticCurvePrivateKey:
        scalar = int.from_bytes(raw, "big")
        if len(raw) != _SCALAR_BYTES or not 0 < scalar < _ORDER:
            raise KeyMaterialError("not a P-256 private key")
        return ec.derive_private_key(scalar, ec.SECP256R1())

    def load_public(self, public: bytes) -> ec.EllipticCurvePublicKey:
        if len(public) != _POINT_BYTES or public[0] != _UNCOMPRESSED:
            raise InvalidKeyError("a P-256 public key is an uncompressed point of 65 bytes")
        try:
            return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
        except ValueError:
            raise InvalidKeyError("not a point of P-256") from None

    def public_of(self, private: HpkePrivateKey) -> bytes:
        return _public_bytes(self.load_private(private.raw))

    def encapsulate(self, public: bytes) -> tuple[bytes, bytes]:
        ephemeral = ec.generate_private_key(ec.SECP256R1())
        enc = _public_bytes(ephemeral)
        secret = ephemeral.exchange(ec.ECDH(), self.load_public(public))
        return _KDF.extract_and_expand(secret, enc + public), enc

    def decapsulate(self, enc: bytes, private: HpkePrivateKey) -> bytes:
        key = self.load_private(private.raw)
        secret = key.exchange(ec.ECDH(), self.load_public(enc))
        return _KDF.extract_and_expand(secret, enc + _public_bytes(key))


DHKEM_P256: Final[Kem] = _DhKemP256(0x0010, KEM.P256, _POINT_BYTES, _POINT_BYTES)
