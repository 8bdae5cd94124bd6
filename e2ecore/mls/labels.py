"""Every use of a primitive in MLS carries a label: nothing made for one purpose fits another.

Spec: RFC 9420 §5.1.2 (Signing), RFC 9420 §5.1.3 (Public Key Encryption),
RFC 9420 §5.2 (Hash-Based Identifiers), RFC 9420 §8 (Key Schedule) and RFC 9420 §9 (Secret Tree).
The suite comes first; labels are text without the "MLS 1.0 " in front.
"""

from collections.abc import Callable
from functools import lru_cache

from e2ecore.crypto import hkdf
from e2ecore.crypto.hpke import HpkePrivateKey, Sealer
from e2ecore.crypto.signing import SigningKey
from e2ecore.crypto.suites import CipherSuite
from e2ecore.errors import UsageError
from e2ecore.mls.codec import length, opaque, u16


@lru_cache(maxsize=256)
def _prefix(label: str) -> bytes:
    return opaque(b"MLS 1.0 " + label.encode())


@lru_cache(maxsize=256)
def _kdf_prefix(label: str, size: int) -> bytes:
    return u16(size) + opaque(b"MLS 1.0 " + label.encode())


def ref_hash(suite: CipherSuite, label: str, value: bytes) -> bytes:
    """RefHash of RFC 9420 §5.2 (Hash-Based Identifiers): ``suite.nh`` bytes.

    Unlike all others, this label is written out in full, "MLS 1.0 " included.
    """
    return suite.hash.digest(opaque(label.encode()) + opaque(value))


def expand_with_label(
    suite: CipherSuite, secret: bytes, label: str, context: bytes, size: int
) -> bytes:
    """ExpandWithLabel of RFC 9420 §8 (Key Schedule): ``size`` bytes."""
    info = _kdf_prefix(label, size) + opaque(context)
    if size <= suite.nh:
        return suite.hash.hmac(secret, info + b"\1")[:size]
    return hkdf.expand(secret, info, size, suite.hash)


def derive_secret(suite: CipherSuite, secret: bytes, label: str) -> bytes:
    """DeriveSecret of RFC 9420 §8 (Key Schedule): ``suite.nh`` bytes."""
    return fixed_expander(suite, label, b"")(secret)


@lru_cache(maxsize=256)
def expander(suite: CipherSuite, label: str, size: int) -> Callable[[bytes, bytes], bytes]:
    """Return ``expand_with_label`` for one label and size: secret and context to ``size`` bytes.

    For what happens with each message, above all DeriveTreeSecret of
    RFC 9420 §9.1 (Encryption Keys): the label is encoded once, and no layer lies between.

    Args:
        suite: The cipher suite.
        label: What the secret is for.
        size: Of the result in bytes, at most ``suite.nh``.
    """
    hmac, prefix = suite.hash.hmac, _kdf_prefix(label, size)
    if size > suite.nh:
        raise UsageError("an expander gives at most the size of a hash")

    def expand(secret: bytes, context: bytes) -> bytes:
        return hmac(secret, prefix + opaque(context) + b"\1")[:size]

    return expand


@lru_cache(maxsize=256)
def fixed_expander(suite: CipherSuite, label: str, context: bytes) -> Callable[[bytes], bytes]:
    """Return ``expand_with_label`` for one label and context, to ``suite.nh`` bytes."""
    hmac, info = suite.hash.hmac, _kdf_prefix(label, suite.nh) + opaque(context) + b"\1"

    def expand(secret: bytes) -> bytes:
        return hmac(secret, info)

    return expand


def sign_with_label(key: SigningKey, label: str, content: bytes) -> bytes:
    """SignWithLabel of RFC 9420 §5.1.2 (Signing)."""
    return key.sign(signed_bytes(label, content))


def signed_bytes(label: str, content: bytes) -> bytes:
    """Return what a signature with this label covers, for callers that verify many at once."""
    return signed_head(label, len(content)) + content


def signed_head(label: str, size: int) -> bytes:
    """Return what stands before content of so many bytes in ``signed_bytes``."""
    return _prefix(label) + length(size)


def verify_with_label(
    suite: CipherSuite, public: bytes, label: str, content: bytes, signature: bytes
) -> None:
    """VerifyWithLabel of RFC 9420 §5.1.2 (Signing).

    Raises:
        SignatureError: The signature is not valid.
    """
    suite.signature.verify(public, signed_bytes(label, content), signature)


def encrypt_with_label(
    suite: CipherSuite, public: bytes, label: str, context: bytes, plaintext: bytes
) -> tuple[bytes, bytes]:
    """EncryptWithLabel of RFC 9420 §5.1.3 (Public Key Encryption).

    Returns:
        The KEM output and the ciphertext.

    Raises:
        InvalidKeyError: The public key is unusable.
    """
    return sealer_with_label(suite, label, context).seal(public, plaintext)


def sealer_with_label(suite: CipherSuite, label: str, context: bytes) -> Sealer:
    """Return EncryptWithLabel for several receivers, which all get the same label and context."""
    return suite.hpke.sealer(signed_head(label, len(context)), context)


def decrypt_with_label(  # noqa: PLR0917 - the parameters of the RFC
    suite: CipherSuite,
    private: HpkePrivateKey,
    label: str,
    context: bytes,
    kem_output: bytes,
    ciphertext: bytes,
) -> bytes:
    """DecryptWithLabel of RFC 9420 §5.1.3 (Public Key Encryption).

    Raises:
        DecryptionError: It was sealed to another key, with another label or context, or changed.
    """
    info = signed_bytes(label, context)
    return suite.hpke.open(kem_output, private, info, b"", ciphertext)
