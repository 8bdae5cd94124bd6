"""DHKEM over the curves of NIST. Spec: RFC 9180 §4.1 (DH-Based KEM (DHKEM))."""

from typing import Final, final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hpke import KEM

from e2ecore.crypto.curves import P256, P384, P521, Curve, public_bytes
from e2ecore.crypto.errors import KeyMaterialError
from e2ecore.crypto.hashes import SHA256, SHA384, SHA512, Hash
from e2ecore.crypto.kem import HpkeKeyPair, HpkePrivateKey, LabeledKdf, OneCallKem


@final
class _DhKemNist(OneCallKem):
    __slots__ = ("_curve", "_kdf")

    def __init__(self, code: int, enum: KEM, curve: Curve, hash_: Hash) -> None:
        super().__init__(code, enum, curve.scalar_size, curve.point_size, curve.point_size)
        self._curve = curve
        self._kdf = LabeledKdf(hash_, b"KEM" + code.to_bytes(2, "big"))

    def derive_key_pair(self, ikm: bytes) -> HpkeKeyPair:
        curve = self._curve
        prk = self._kdf.extract(b"", b"dkp_prk", ikm)
        for counter in range(256):
            candidate = self._kdf.expand(prk, b"candidate", bytes((counter,)), curve.scalar_size)
            raw = curve.masked(candidate)
            if curve.is_scalar(raw):
                break
        else:
            raise KeyMaterialError(f"no {curve.name} key can be derived from this input")
        return HpkeKeyPair(HpkePrivateKey(raw), public_bytes(curve.load_private(raw)))

    def load_private(self, raw: bytes) -> ec.EllipticCurvePrivateKey:
        return self._curve.load_private(raw)

    def load_public(self, public: bytes) -> ec.EllipticCurvePublicKey:
        return self._curve.load_public(public)

    def public_of(self, private: HpkePrivateKey) -> bytes:
        return public_bytes(self.load_private(private.raw))

    def encapsulate(self, public: bytes) -> tuple[bytes, bytes]:
        ephemeral = ec.generate_private_key(self._curve.parameters)
        enc = public_bytes(ephemeral)
        secret = ephemeral.exchange(ec.ECDH(), self.load_public(public))
        return self._kdf.extract_and_expand(secret, enc + public), enc

    def decapsulate(self, enc: bytes, private: HpkePrivateKey) -> bytes:
        key = self.load_private(private.raw)
        secret = key.exchange(ec.ECDH(), self.load_public(enc))
        return self._kdf.extract_and_expand(secret, enc + public_bytes(key))


DHKEM_P256: Final[OneCallKem] = _DhKemNist(0x0010, KEM.P256, P256, SHA256)
DHKEM_P384: Final[OneCallKem] = _DhKemNist(0x0011, KEM.P384, P384, SHA384)
DHKEM_P521: Final[OneCallKem] = _DhKemNist(0x0012, KEM.P521, P521, SHA512)
