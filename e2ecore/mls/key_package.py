"""What others need to add a client while it is away. Spec: RFC 9420 §10 (Key Packages)."""

from dataclasses import dataclass, field, replace
from typing import Final

from e2ecore.crypto.hpke import HpkePrivateKey
from e2ecore.crypto.rng import Rng
from e2ecore.crypto.signing import SigningKey
from e2ecore.crypto.suites import SUITES, CipherSuite
from e2ecore.mls.codec import Reader, decode_all, opaque, u8, u16
from e2ecore.mls.credentials import Credential, as_credential
from e2ecore.mls.errors import (
    InvalidKeyPackageError,
    MalformedMessageError,
    UnsupportedError,
)
from e2ecore.mls.extensions import (
    Extension,
    Extensions,
    ExtensionType,
    encode_extensions,
    find_extension,
    read_extensions,
)
from e2ecore.mls.labels import ref_hash, sign_with_label, signed_bytes
from e2ecore.mls.leaf_rules import (
    LeafContext,
    SignedPart,
    check_leaf,
    check_source,
    leaf_signature,
)
from e2ecore.mls.nodes import MLS10, Capabilities, LeafNode, LeafNodeSource, Lifetime

KEY_PACKAGE_LABEL: Final = "KeyPackageTBS"
"""Signature label (RFC 9420 §17.6 (MLS Signature Labels))."""
REFERENCE_LABEL: Final = "MLS 1.0 KeyPackage Reference"
"""Label of references (RFC 9420 §5.2 (Hash-Based Identifiers))."""
DEFAULT_LIFETIME_S: Final = 90 * 24 * 3600
"""Key packages are used up or replaced long before; 90 days bound what a forgotten one can do."""
CLOCK_SKEW_S: Final = 24 * 3600
"""How far a key package's lifetime begins before it is made: clocks of other devices are behind."""
_BUNDLE_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPackage:
    """A client's offer to be added, with the leaf node it will have."""

    version: int = MLS10
    cipher_suite: int
    init_key: bytes
    leaf_node: LeafNode
    extensions: Extensions = ()
    signature: bytes = b""
    _encoded: bytes | None = field(default=None, init=False, repr=False, compare=False)

    def encode(self) -> bytes:
        """Return the KeyPackage."""
        encoded = self._encoded
        if encoded is None:
            encoded = self.tbs() + opaque(self.signature)
            object.__setattr__(self, "_encoded", encoded)
        return encoded

    def tbs(self) -> bytes:
        """Return the KeyPackageTBS."""
        return (
            u16(self.version)
            + u16(self.cipher_suite)
            + opaque(self.init_key)
            + self.leaf_node.encode()
            + encode_extensions(self.extensions)
        )

    @classmethod
    def read(cls, reader: Reader) -> "KeyPackage":
        """Read a KeyPackage.

        Raises:
            MalformedMessageError: These bytes are none.
        """
        start = reader.position
        package = cls(
            version=reader.u16(),
            cipher_suite=reader.u16(),
            init_key=reader.opaque(),
            leaf_node=LeafNode.read(reader),
            extensions=read_extensions(reader),
            signature=reader.opaque(),
        )
        object.__setattr__(package, "_encoded", reader.since(start))
        return package

    @classmethod
    def decode(cls, data: bytes) -> "KeyPackage":
        """Read a KeyPackage that fills ``data``.

        Raises:
            MalformedMessageError: These bytes are none.
        """
        return decode_all(cls.read, data)

    @property
    def suite(self) -> CipherSuite:
        """Return the cipher suite.

        Raises:
            UnsupportedError: We do not have it.
        """
        try:
            return SUITES[self.cipher_suite]
        except KeyError:
            raise UnsupportedError("a cipher suite that this library lacks") from None

    @property
    def last_resort(self) -> bool:
        """Tell whether it may be used more than once (RFC 9420 §16.8 (KeyPackage Reuse))."""
        return find_extension(self.extensions, ExtensionType.LAST_RESORT_KEY_PACKAGE) is not None

    def ref(self) -> bytes:
        """Return the KeyPackageRef: the name of this key package.

        Raises:
            UnsupportedError: The cipher suite that says how to hash is one we do not have.
        """
        return ref_hash(self.suite, REFERENCE_LABEL, self.encode())

    def validate(self, context: LeafContext | None = None, *, now_ms: int | None = None) -> None:
        """Check all rules for a key package alone.

        Spec: RFC 9420 §10.1 (KeyPackage Validation). What depends on the other members of a group
        is ``leaf_rules.check_among``.

        Args:
            context: The group it is to be used in; None where there is none yet.
            now_ms: The moment to judge by if there is no ``context``; None: leave the ends of the
                lifetime unchecked.

        Raises:
            PeerError: A rule is broken; the sub-class says which.
        """
        context = context or LeafContext.of(self.suite, now_ms=now_ms)
        for part in self.check(context):
            context.suite.signature.verify(*part)

    def check(self, context: LeafContext) -> tuple[SignedPart, SignedPart]:
        """Check all but the signatures; return those, for callers that verify many at once.

        Raises:
            PeerError: A rule is broken; the sub-class says which.
        """
        if self.version != MLS10 or self.cipher_suite != context.suite.code:
            raise InvalidKeyPackageError("the key package is for another version or cipher suite")
        leaf = self.leaf_node
        check_source(leaf, LeafNodeSource.KEY_PACKAGE)
        check_leaf(leaf, context)
        for extension in self.extensions:
            if not leaf.capabilities.supports_extension(extension.type):
                raise InvalidKeyPackageError("an extension is not among the leaf's capabilities")
        if find_extension(self.extensions, ExtensionType.LAST_RESORT_KEY_PACKAGE):
            raise InvalidKeyPackageError("the mark of a last resort says more than that it is one")
        if leaf.encryption_key == self.init_key:
            raise InvalidKeyPackageError("init key and encryption key are the same")
        context.suite.hpke.check_public(self.init_key)
        own = SignedPart(
            leaf.signature_key, signed_bytes(KEY_PACKAGE_LABEL, self.tbs()), self.signature
        )
        return own, leaf_signature(leaf, b"", 0)


@dataclass(frozen=True, slots=True, eq=False)
class KeyPackageBundle:
    """A key package of our own, and the two private keys that it promises. Never leaves the device.

    Delete it as soon as a group was joined with it, unless it is the last resort.
    """

    key_package: KeyPackage
    init_key: HpkePrivateKey
    encryption_key: HpkePrivateKey

    @classmethod
    def generate(
        cls,
        suite: CipherSuite,
        signer: SigningKey,
        identity: bytes | Credential,
        *,
        now_ms: int,
        rng: Rng,
        capabilities: Capabilities | None = None,
        lifetime_s: int = DEFAULT_LIFETIME_S,
        last_resort: bool = False,
        leaf_extensions: Extensions = (),
    ) -> "KeyPackageBundle":
        """Make a key package with fresh keys.

        Args:
            suite: The cipher suite that a group must have to use it.
            signer: The device's key.
            identity: The credential, or only the content of a basic one.
            now_ms: Begin of the lifetime, but for the tolerated clock skew.
            rng: Source of the keys.
            capabilities: What to announce; the suite and the credential's type if None.
            lifetime_s: Seconds from ``now_ms`` to its end.
            last_resort: Whether it may be used more than once.
            leaf_extensions: Extensions of the leaf node; their types must be in ``capabilities``.
        """
        credential = as_credential(identity)
        capabilities = capabilities or Capabilities(
            cipher_suites=(suite.code,), credentials=(credential.type,)
        )
        extensions: Extensions = ()
        if last_resort:
            type_ = ExtensionType.LAST_RESORT_KEY_PACKAGE
            extensions = (Extension(type_, b""),)
            if type_ not in capabilities.extensions:
                listed = (*capabilities.extensions, type_)
                capabilities = replace(capabilities, extensions=listed)
        init, own = suite.hpke.generate(rng), suite.hpke.generate(rng)
        now_s = now_ms // 1000
        leaf = LeafNode(
            encryption_key=own.public,
            signature_key=signer.public,
            credential=credential,
            capabilities=capabilities,
            source=LeafNodeSource.KEY_PACKAGE,
            lifetime=Lifetime(max(0, now_s - CLOCK_SKEW_S), now_s + lifetime_s),
            extensions=leaf_extensions,
        ).signed(signer)
        package = KeyPackage(
            cipher_suite=suite.code, init_key=init.public, leaf_node=leaf, extensions=extensions
        )
        signature = sign_with_label(signer, KEY_PACKAGE_LABEL, package.tbs())
        return cls(replace(package, signature=signature), init.private, own.private)

    @property
    def message(self) -> bytes:
        """Return the KeyPackage as others get it."""
        return self.key_package.encode()

    @property
    def ref(self) -> bytes:
        """Return the KeyPackageRef: the name of this key package."""
        return self.key_package.ref()

    def encode(self) -> bytes:
        """Return everything, private keys in clear, for the encrypted database only."""
        keys = opaque(self.init_key.raw) + opaque(self.encryption_key.raw)
        return u8(_BUNDLE_VERSION) + self.key_package.encode() + keys

    @classmethod
    def decode(cls, data: bytes) -> "KeyPackageBundle":
        """Read what ``encode`` made.

        Raises:
            MalformedMessageError: ``encode`` did not make it.
        """
        return decode_all(cls._read, data)

    @classmethod
    def _read(cls, reader: Reader) -> "KeyPackageBundle":
        if reader.u8() != _BUNDLE_VERSION:
            raise MalformedMessageError("a key package bundle of another version")
        package = KeyPackage.read(reader)
        return cls(package, HpkePrivateKey(reader.opaque()), HpkePrivateKey(reader.opaque()))
