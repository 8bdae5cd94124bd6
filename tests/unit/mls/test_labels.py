"""Labelled functions: what the published vectors do not reach."""

import pytest

from e2ecore.crypto.errors import DecryptionError, SignatureError
from e2ecore.crypto.suites import SUITES, X25519_AES128, CipherSuite
from e2ecore.errors import UsageError
from e2ecore.mls import labels
from tests.support.rng import SeededRng

SUITE = X25519_AES128
RNG = SeededRng(3)


@pytest.mark.spec("RFC 9420 §8 (Key Schedule)")
def test_long_secrets_have_another_label_than_short_ones() -> None:
    """The size is part of what is expanded, so one is not the beginning of the other."""
    sizes = (16, 32, 33, 100)
    secrets = [labels.expand_with_label(SUITE, b"s" * 32, "x", b"", size) for size in sizes]
    assert tuple(map(len, secrets)) == sizes
    assert len({secret[:16] for secret in secrets}) == len(sizes)


def test_derivations_agree_with_the_general_function() -> None:
    for suite in SUITES.values():
        derived = labels.derive_secret(suite, b"s" * 32, "path")
        assert derived == labels.expand_with_label(suite, b"s" * 32, "path", b"", suite.nh)


def test_expander_agrees_with_the_general_function() -> None:
    for suite in SUITES.values():
        for size in (12, suite.nk, suite.nh):
            expand = labels.expander(suite, "key", size)
            for context in (b"", b"c" * 4, b"c" * 100):
                expected = labels.expand_with_label(suite, b"s" * 32, "key", context, size)
                assert expand(b"s" * 32, context) == expected
    with pytest.raises(UsageError):
        labels.expander(SUITE, "key", SUITE.nh + 1)


def test_a_signature_holds_for_its_label_only() -> None:
    key = SUITE.signature.generate(RNG)
    signature = labels.sign_with_label(key, "LeafNodeTBS", b"content")
    labels.verify_with_label(SUITE, key.public, "LeafNodeTBS", b"content", signature)
    SUITE.signature.verify(key.public, labels.signed_bytes("LeafNodeTBS", b"content"), signature)
    for label, content in (("KeyPackageTBS", b"content"), ("LeafNodeTBS", b"other")):
        with pytest.raises(SignatureError):
            labels.verify_with_label(SUITE, key.public, label, content, signature)


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: suite.name)
def test_a_ciphertext_opens_with_its_label_and_context_only(suite: CipherSuite) -> None:
    pair = suite.hpke.generate(RNG)
    sealed = labels.encrypt_with_label(suite, pair.public, "Welcome", b"context", b"secret")
    opened = labels.decrypt_with_label(suite, pair.private, "Welcome", b"context", *sealed)
    assert opened == b"secret"
    for label, context in (("UpdatePathNode", b"context"), ("Welcome", b"other")):
        with pytest.raises(DecryptionError):
            labels.decrypt_with_label(suite, pair.private, label, context, *sealed)
