"""The elliptic curves of NIST: private keys as scalars, public keys as uncompressed points.

The same form serves key agreement (RFC 9180 §7.1.1 (SerializePublicKey and DeserializePublicKey))
and signatures (RFC 9420 §5.1.2 (Signing)).
"""

from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from e2ecore.crypto.errors import InvalidKeyError, KeyMaterialError

_UNCOMPRESSED: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One curve. Its cofactor is 1: each point is good but infinity, which has no such form."""

    name: str
    parameters: ec.EllipticCurve
    order: int
    """How many points there are; scalars are smaller."""
    scalar_size: int
    """Bytes of a private key."""
    first_byte_mask: int
    """What a candidate's first byte may use, so that few candidates are too large."""

    @property
    def point_size(self) -> int:
        """Bytes of a public key."""
        return 1 + 2 * self.scalar_size

    def is_scalar(self, raw: bytes) -> bool:
        """Tell whether these bytes are a private key."""
        return len(raw) == self.scalar_size and 0 < int.from_bytes(raw, "big") < self.order

    def masked(self, candidate: bytes) -> bytes:
        """Return a candidate without the bits that no scalar has."""
        return bytes((candidate[0] & self.first_byte_mask,)) + candidate[1:]

    def load_private(self, raw: bytes) -> ec.EllipticCurvePrivateKey:
        """Return the key object of a stored scalar.

        Raises:
            KeyMaterialError: Wrong size, zero, or not below the order.
        """
        if not self.is_scalar(raw):
            raise KeyMaterialError(f"not a {self.name} private key")
        return ec.derive_private_key(int.from_bytes(raw, "big"), self.parameters)

    def load_public(self, public: bytes) -> ec.EllipticCurvePublicKey:
        """Return the key object of a received point.

        Raises:
            InvalidKeyError: Compressed, of a wrong size, or not on the curve.
        """
        if len(public) != self.point_size or public[0] != _UNCOMPRESSED:
            raise InvalidKeyError(
                f"a {self.name} public key is an uncompressed point of {self.point_size} bytes"
            )
        try:
            return ec.EllipticCurvePublicKey.from_encoded_point(self.parameters, public)
        except ValueError:
            raise InvalidKeyError(f"not a point of {self.name}") from None


def public_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the encoded public key of a private one."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


P256: Final = Curve(
    "P-256",
    ec.SECP256R1(),
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    32,
    0xFF,
)
P384: Final = Curve(
    "P-384",
    ec.SECP384R1(),
    2**384 - 0x389CB27E0BC8D220A7E5F24DB74F58851313E695333AD68D,
    48,
    0xFF,
)
P521: Final = Curve(
    "P-521",
    ec.SECP521R1(),
    2**521 - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7,
    66,
    0x01,
)
