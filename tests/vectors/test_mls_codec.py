"""Lengths and labels against the published vectors."""

import pytest

from e2ecore.crypto.suites import SUITES, CipherSuite
from e2ecore.mls import labels
from e2ecore.mls.codec import Reader, length
from tests.support.cases import Case, cases

BASICS = cases("mls/crypto-basics.json")


@pytest.mark.spec("RFC 9420 §2.1.2 (Variable-Size Vector Length Headers)")
def test_lengths_read_and_write_as_published() -> None:
    for case in cases("mls/deserialization.json"):
        header, size = case.hex("vlbytes_header"), case.number("length")
        assert length(size) == header
        reader = Reader(header)
        reader._end += size  # as if the content followed; the largest is a gigabyte
        assert reader.length() == size


def named(case: Case) -> str:
    return SUITES[case.number("cipher_suite")].name


each = pytest.mark.parametrize("case", BASICS, ids=named)


def suite_of(case: Case) -> CipherSuite:
    return SUITES[case.number("cipher_suite")]


@pytest.mark.spec("RFC 9420 §5.2 (Hash-Based Identifiers)")
@each
def test_reference_hash(case: Case) -> None:
    given = case.one("ref_hash")
    found = labels.ref_hash(suite_of(case), given.text("label"), given.hex("value"))
    assert found == given.hex("out")


@pytest.mark.spec("RFC 9420 §8 (Key Schedule)")
@each
def test_expansions(case: Case) -> None:
    suite = suite_of(case)
    given = case.one("expand_with_label")
    secret, label, size = given.hex("secret"), given.text("label"), given.number("length")
    expanded = labels.expand_with_label(suite, secret, label, given.hex("context"), size)
    assert expanded == given.hex("out")
    given = case.one("derive_secret")
    derived = labels.derive_secret(suite, given.hex("secret"), given.text("label"))
    assert derived == given.hex("out")


@pytest.mark.spec("RFC 9420 §9 (Secret Tree)")
@each
def test_tree_secrets(case: Case) -> None:
    given = case.one("derive_tree_secret")
    derive = labels.expander(suite_of(case), given.text("label"), given.number("length"))
    generation = given.number("generation").to_bytes(4, "big")
    assert derive(given.hex("secret"), generation) == given.hex("out")


@pytest.mark.spec("RFC 9420 §5.1.2 (Signing)")
@each
def test_signatures(case: Case) -> None:
    suite, given = suite_of(case), case.one("sign_with_label")
    key = given.signing_key("priv", suite)
    assert key.public == given.hex("pub")
    label, content = given.text("label"), given.hex("content")
    for signature in (given.hex("signature"), labels.sign_with_label(key, label, content)):
        labels.verify_with_label(suite, key.public, label, content, signature)


@pytest.mark.spec("RFC 9420 §5.1.3 (Public Key Encryption)")
@each
def test_encryption(case: Case) -> None:
    suite, given = suite_of(case), case.one("encrypt_with_label")
    label, context, plaintext = given.text("label"), given.hex("context"), given.hex("plaintext")
    private = given.hpke_key("priv", suite)
    published = given.hex("kem_output"), given.hex("ciphertext")
    ours = labels.encrypt_with_label(suite, given.hex("pub"), label, context, plaintext)
    for sealed in (published, ours):
        assert labels.decrypt_with_label(suite, private, label, context, *sealed) == plaintext
