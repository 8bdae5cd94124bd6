"""Wycheproof on signatures. None of these files has an "acceptable" case."""

import pytest

from e2ecore.crypto.errors import SignatureError
from e2ecore.crypto.signing import (
    ECDSA_P256,
    ECDSA_P384,
    ECDSA_P521,
    ED448,
    ED25519,
    SignatureScheme,
)
from tests.support.cases import Case
from tests.support.wycheproof import entries, expected


def verifies(scheme: SignatureScheme, public: bytes, test: Case) -> bool:
    try:
        scheme.verify(public, test.hex("msg"), test.hex("sig"))
    except SignatureError:
        return False
    return True


@pytest.mark.parametrize(
    ("name", "scheme", "field"),
    [
        pytest.param("ed25519_test", ED25519, "pk", id="Ed25519"),
        pytest.param("ed448_test", ED448, "pk", id="Ed448"),
        pytest.param("ecdsa_secp256r1_sha256_test", ECDSA_P256, "uncompressed", id="ECDSA P-256"),
        pytest.param("ecdsa_secp384r1_sha384_test", ECDSA_P384, "uncompressed", id="ECDSA P-384"),
        pytest.param("ecdsa_secp521r1_sha512_test", ECDSA_P521, "uncompressed", id="ECDSA P-521"),
    ],
)
def test_valid_signatures_verify_and_no_others(
    name: str, scheme: SignatureScheme, field: str
) -> None:
    for group, test in entries(name):
        public = group.one("publicKey").hex(field)
        right = expected(test) == "valid"
        assert verifies(scheme, public, test) is right, test.number("tcId")
