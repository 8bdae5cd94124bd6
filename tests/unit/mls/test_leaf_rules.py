"""Each rule for leaf nodes and key packages: one good object, and copies with one fault."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from e2ecore.crypto.errors import InvalidKeyError, SignatureError
from e2ecore.crypto.suites import SUITES, X25519_AES128, X25519_CHACHA20, CipherSuite
from e2ecore.errors import PeerError
from e2ecore.mls.credentials import BasicCredential, X509Credential
from e2ecore.mls.errors import (
    ExpiredError,
    InvalidKeyPackageError,
    InvalidLeafNodeError,
    MalformedMessageError,
    UnsupportedError,
)
from e2ecore.mls.extensions import Extension, ExtensionType, RequiredCapabilities
from e2ecore.mls.key_package import (
    CLOCK_SKEW_S,
    DEFAULT_LIFETIME_S,
    KEY_PACKAGE_LABEL,
    KeyPackage,
    KeyPackageBundle,
)
from e2ecore.mls.labels import sign_with_label
from e2ecore.mls.leaf_rules import (
    MAX_LIFETIME_S,
    LeafContext,
    check_among,
    check_leaf,
    check_source,
    leaf_signature,
)
from e2ecore.mls.nodes import Capabilities, LeafNode, LeafNodeSource, Lifetime
from e2ecore.mls.ratchet_tree import RatchetTree
from tests.support.clients import GROUP_ID, NOW_MS, TreeGroup
from tests.support.rng import SeededRng

if TYPE_CHECKING:
    from collections.abc import Callable

SUITE = X25519_AES128
RNG = SeededRng(7)
SIGNER = SUITE.signature.generate(RNG)
CONVERSATION = 0xF0E2
CAPABILITIES = Capabilities(cipher_suites=(1,), extensions=(CONVERSATION,), proposals=(8,))
BUNDLE = KeyPackageBundle.generate(
    SUITE,
    SIGNER,
    b"alice",
    now_ms=NOW_MS,
    rng=RNG,
    capabilities=CAPABILITIES,
    leaf_extensions=(Extension(CONVERSATION, b""),),
)
GOOD = BUNDLE.key_package.leaf_node
GROUP_EXTENSIONS = (
    Extension(CONVERSATION, b"title"),
    RequiredCapabilities((CONVERSATION,), (8,), (1,)).to_extension(),
)
CONTEXT = LeafContext.of(SUITE, GROUP_EXTENSIONS, now_ms=NOW_MS)
NOW_S = NOW_MS // 1000


def with_capabilities(**changes: tuple[int, ...]) -> LeafNode:
    return replace(GOOD, capabilities=replace(CAPABILITIES, **changes))


def test_a_good_leaf_is_accepted() -> None:
    check_leaf(GOOD, CONTEXT)
    check_source(GOOD, LeafNodeSource.KEY_PACKAGE)
    SUITE.signature.verify(*leaf_signature(GOOD, b"", 0))


@pytest.mark.spec("RFC 9420 §7.3 (Leaf Node Validation)")
@pytest.mark.spec("RFC 9420 §11.1 (Required Capabilities)")
@pytest.mark.parametrize(
    ("bad", "error"),
    [
        pytest.param(with_capabilities(versions=()), UnsupportedError, id="no version"),
        pytest.param(with_capabilities(versions=(2,)), UnsupportedError, id="other version"),
        pytest.param(with_capabilities(cipher_suites=(3,)), UnsupportedError, id="other suite"),
        pytest.param(
            replace(with_capabilities(extensions=()), extensions=()),
            UnsupportedError,
            id="a group extension is not supported",
        ),
        pytest.param(with_capabilities(proposals=()), UnsupportedError, id="required proposal"),
        pytest.param(
            with_capabilities(credentials=()), InvalidLeafNodeError, id="own credential type"
        ),
        pytest.param(
            replace(GOOD, extensions=(Extension(0xF0E3, b""),)),
            InvalidLeafNodeError,
            id="own extension is not listed",
        ),
        pytest.param(
            with_capabilities(versions=(1, 1)), InvalidLeafNodeError, id="version listed twice"
        ),
        pytest.param(
            with_capabilities(credentials=(1, 1)),
            InvalidLeafNodeError,
            id="credential type listed twice",
        ),
        pytest.param(
            replace(GOOD, lifetime=Lifetime(NOW_S - 9, NOW_S - 1)), ExpiredError, id="expired"
        ),
        pytest.param(
            replace(GOOD, lifetime=Lifetime(NOW_S + 1, NOW_S + 9)), ExpiredError, id="too early"
        ),
        pytest.param(
            replace(GOOD, lifetime=Lifetime(NOW_S + 1, NOW_S - 1)), ExpiredError, id="negative"
        ),
        pytest.param(
            replace(GOOD, lifetime=Lifetime(NOW_S, NOW_S + MAX_LIFETIME_S + 1)),
            ExpiredError,
            id="too long",
        ),
        pytest.param(
            replace(GOOD, encryption_key=bytes(32)), InvalidKeyError, id="key of low order"
        ),
        pytest.param(
            replace(GOOD, encryption_key=b"short"), InvalidKeyError, id="encryption key size"
        ),
        pytest.param(
            replace(GOOD, signature_key=b"short"), InvalidKeyError, id="signature key size"
        ),
    ],
)
def test_a_leaf_with_one_fault_is_refused(bad: LeafNode, error: type[PeerError]) -> None:
    with pytest.raises(error):
        check_leaf(bad, CONTEXT)


def test_required_types_are_refused_one_by_one() -> None:
    for required in (
        RequiredCapabilities((0xF0E3,)),
        RequiredCapabilities((), (9,)),
        RequiredCapabilities((), (), (2,)),
    ):
        with pytest.raises(UnsupportedError):
            check_leaf(GOOD, LeafContext.of(SUITE, (required.to_extension(),)))
    check_leaf(GOOD, LeafContext.of(SUITE, (RequiredCapabilities((1,), (1,)).to_extension(),)))


def test_a_lifetime_is_judged_by_the_moment_given_and_by_its_length_always() -> None:
    old = replace(GOOD, lifetime=Lifetime(1, 2))
    endless = replace(GOOD, lifetime=Lifetime(0, 2**64 - 1))
    check_leaf(old, replace(CONTEXT, now_ms=None))
    check_leaf(endless, replace(CONTEXT, max_lifetime_s=None))
    with pytest.raises(ExpiredError):
        check_leaf(endless, replace(CONTEXT, now_ms=None))
    edges = replace(GOOD, lifetime=Lifetime(NOW_S, NOW_S))
    check_leaf(edges, CONTEXT)


@pytest.mark.spec("RFC 9420 §13.5 (GREASE)")
def test_unknown_values_are_ignored() -> None:
    check_leaf(
        with_capabilities(
            versions=(1, 0x0A0A),
            cipher_suites=(0x1A1A, 1),
            extensions=(CONVERSATION, 0x2A2A),
            proposals=(8, 0x3A3A),
            credentials=(1, 0x4A4A),
        ),
        CONTEXT,
    )


@pytest.mark.parametrize("source", [LeafNodeSource.UPDATE, LeafNodeSource.COMMIT])
def test_a_leaf_that_came_another_way_is_refused(source: LeafNodeSource) -> None:
    with pytest.raises(InvalidLeafNodeError):
        check_source(GOOD, source)


@pytest.mark.spec("RFC 9420 §7.2 (Leaf Node Contents)")
def test_the_signature_holds_for_one_group_and_one_place() -> None:
    leaf = replace(GOOD, source=LeafNodeSource.UPDATE, lifetime=None).signed(SIGNER, GROUP_ID, 3)
    SUITE.signature.verify(*leaf_signature(leaf, GROUP_ID, 3))
    changed = replace(leaf, credential=BasicCredential(b"mallory"))
    for bad, group_id, place in ((leaf, b"other", 3), (leaf, GROUP_ID, 4), (changed, GROUP_ID, 3)):
        with pytest.raises(SignatureError):
            SUITE.signature.verify(*leaf_signature(bad, group_id, place))


class TestAmongMembers:
    """What depends on the others in the tree."""

    def tree(self) -> tuple[RatchetTree, LeafNode]:
        group = TreeGroup()
        group.add(3)
        return group.tree, group.client()[0].key_package.leaf_node

    @pytest.mark.spec("RFC 9420 §7.3 (Leaf Node Validation)")
    def test_a_new_leaf_brings_new_keys(self) -> None:
        tree, leaf = self.tree()
        member = tree.member(2)
        check_among(leaf, tree, None)
        for bad in (
            replace(leaf, encryption_key=member.encryption_key),
            replace(leaf, signature_key=member.signature_key),
        ):
            with pytest.raises(InvalidLeafNodeError):
                check_among(bad, tree, None)

    @pytest.mark.spec("RFC 9420 §7.5 (Synchronizing Views of the Tree)")
    def test_a_leaf_that_replaces_another_keeps_the_signature_key_only(self) -> None:
        tree, leaf = self.tree()
        member = tree.member(2)
        check_among(replace(leaf, signature_key=member.signature_key), tree, 4)
        with pytest.raises(InvalidLeafNodeError):
            check_among(replace(leaf, encryption_key=member.encryption_key), tree, 4)
        with pytest.raises(InvalidLeafNodeError):
            check_among(replace(leaf, signature_key=member.signature_key), tree, 6)

    @pytest.mark.spec("RFC 9420 §7.3 (Leaf Node Validation)")
    def test_a_new_leaf_understands_the_others_and_they_understand_it(self) -> None:
        tree, leaf = self.tree()
        certified = replace(leaf, credential=X509Credential((b"certificate",)))
        for bad in (
            certified,
            replace(leaf, capabilities=replace(leaf.capabilities, credentials=(2,))),
        ):
            with pytest.raises(UnsupportedError):
                check_among(bad, tree, None)

    def test_a_lone_leaf_may_change_to_any_credential(self) -> None:
        tree, leaf = TreeGroup().tree, self.tree()[1]
        certified = replace(
            leaf,
            credential=X509Credential((b"certificate",)),
            capabilities=replace(leaf.capabilities, credentials=(2,)),
        )
        check_among(certified, tree, 0)
        with pytest.raises(UnsupportedError):
            check_among(certified, tree, None)


def resigned(**changes: object) -> KeyPackage:
    package = replace(BUNDLE.key_package, **changes)  # type: ignore[arg-type]  # by field name
    return replace(package, signature=sign_with_label(SIGNER, KEY_PACKAGE_LABEL, package.tbs()))


@pytest.mark.spec("RFC 9420 §10 (Key Packages)")
@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
@pytest.mark.parametrize("last_resort", [False, True], ids=["once", "last resort"])
def test_key_packages_of_every_suite_are_valid(suite: CipherSuite, last_resort: bool) -> None:  # noqa: FBT001 - a parameter of the test
    bundle = KeyPackageBundle.generate(
        suite,
        suite.signature.generate(RNG),
        b"alice",
        now_ms=NOW_MS,
        rng=RNG,
        last_resort=last_resort,
    )
    package = KeyPackage.decode(bundle.message)
    package.validate(now_ms=NOW_MS)
    package.validate(LeafContext.of(suite, now_ms=NOW_MS))
    assert package == bundle.key_package
    assert package.encode() == bundle.message
    assert package.last_resort is last_resort
    assert package.ref() == bundle.ref
    assert len(bundle.ref) == suite.nh
    assert package.leaf_node.lifetime == Lifetime(NOW_S - CLOCK_SKEW_S, NOW_S + DEFAULT_LIFETIME_S)


@pytest.mark.spec("RFC 9420 §16.8 (KeyPackage Reuse)")
def test_a_last_resort_package_lists_the_extension_once() -> None:
    type_ = ExtensionType.LAST_RESORT_KEY_PACKAGE
    capabilities = replace(CAPABILITIES, extensions=(type_,))
    bundle = KeyPackageBundle.generate(
        SUITE, SIGNER, b"", now_ms=NOW_MS, rng=RNG, capabilities=capabilities, last_resort=True
    )
    assert bundle.key_package.leaf_node.capabilities.extensions == (type_,)


@pytest.mark.spec("RFC 9420 §10.1 (KeyPackage Validation)")
@pytest.mark.parametrize(
    ("bad", "error"),
    [
        pytest.param(resigned(version=2), InvalidKeyPackageError, id="other version"),
        pytest.param(resigned(cipher_suite=3), InvalidKeyPackageError, id="other suite"),
        pytest.param(
            resigned(init_key=GOOD.encryption_key), InvalidKeyPackageError, id="init key is reused"
        ),
        pytest.param(resigned(init_key=bytes(32)), InvalidKeyError, id="init key of low order"),
        pytest.param(
            resigned(extensions=(Extension(0xF0E3, b""),)),
            InvalidKeyPackageError,
            id="extension not listed",
        ),
        pytest.param(
            resigned(leaf_node=replace(GOOD, lifetime=Lifetime(1, 2)).signed(SIGNER)),
            ExpiredError,
            id="expired",
        ),
        pytest.param(
            resigned(
                leaf_node=replace(GOOD, source=LeafNodeSource.UPDATE, lifetime=None).signed(SIGNER)
            ),
            InvalidLeafNodeError,
            id="leaf was made for an update",
        ),
        pytest.param(
            resigned(leaf_node=replace(GOOD, signature=bytes(64))),
            SignatureError,
            id="leaf signature",
        ),
        pytest.param(
            replace(BUNDLE.key_package, signature=bytes(64)), SignatureError, id="signature"
        ),
        pytest.param(
            replace(BUNDLE.key_package, init_key=BUNDLE.key_package.init_key[::-1]),
            SignatureError,
            id="changed after signing",
        ),
    ],
)
def test_a_key_package_with_one_fault_is_refused(bad: KeyPackage, error: type[PeerError]) -> None:
    BUNDLE.key_package.validate(CONTEXT)
    with pytest.raises(error):
        bad.validate(CONTEXT)


def test_a_key_package_of_another_suite_does_not_fit_the_group() -> None:
    with pytest.raises(InvalidKeyPackageError):
        BUNDLE.key_package.validate(LeafContext.of(X25519_CHACHA20))


def test_a_suite_that_we_lack_has_no_reference_and_is_not_valid() -> None:
    unknown = replace(BUNDLE.key_package, cipher_suite=0x0A0A)
    calls: list[Callable[[], object]] = [unknown.ref, unknown.validate]
    for call in calls:
        with pytest.raises(UnsupportedError):
            call()


def test_bundles_are_read_as_they_were_written() -> None:
    stored = BUNDLE.encode()
    read = KeyPackageBundle.decode(stored)
    assert read.encode() == stored
    assert read.init_key.matches(BUNDLE.init_key)
    assert read.encryption_key.matches(BUNDLE.encryption_key)
    assert SUITE.hpke.kem.public_of(read.init_key) == read.key_package.init_key
    assert SUITE.hpke.kem.public_of(read.encryption_key) == GOOD.encryption_key
    for bad in (b"", b"\2" + stored[1:], stored + b"\0", stored[:-1]):
        with pytest.raises(MalformedMessageError):
            KeyPackageBundle.decode(bad)
