"""Wycheproof on what the KEMs are made of.

"Acceptable" cases of X25519 are public keys on the twist, not reduced, or of low order. HPKE
wants the first two to be used and the last to be refused: where the shared secret is all zeros
there must be an error, everywhere else the published secret. The one "acceptable" case of P-256
is a compressed point, which HPKE does not know: it is refused.
"""

import pytest

from e2ecore.crypto.errors import InvalidKeyError, KeyMaterialError
from e2ecore.crypto.hashes import SHA256
from e2ecore.crypto.kem import HpkePrivateKey, LabeledKdf
from e2ecore.crypto.kem_nist import DHKEM_P256
from e2ecore.crypto.kem_x25519 import exchange, load_private
from e2ecore.crypto.kem_xwing import X_WING
from tests.support.wycheproof import entries, expected

P256_KDF = LabeledKdf(SHA256, b"KEM\x00\x10")


def test_x25519_gives_the_published_secrets_and_never_zeros() -> None:
    for _, test in entries("x25519_test"):
        private, shared = load_private(test.hex("private")), test.hex("shared")
        if any(shared):
            assert exchange(private, test.hex("public")) == shared, test.number("tcId")
        else:
            assert expected(test) == "acceptable"
            with pytest.raises(InvalidKeyError):
                exchange(private, test.hex("public"))


def test_p256_gives_the_published_secrets_and_refuses_invalid_points() -> None:
    for _, test in entries("ecdh_secp256r1_ecpoint_test"):
        scalar = int(test.text("private"), 16).to_bytes(32, "big")
        private, enc = HpkePrivateKey(scalar), test.hex("public")
        if expected(test) == "valid":
            context = enc + DHKEM_P256.public_of(private)
            secret = P256_KDF.extract_and_expand(test.hex("shared"), context)
            assert DHKEM_P256.decapsulate(enc, private) == secret, test.number("tcId")
        else:
            with pytest.raises(InvalidKeyError):
                DHKEM_P256.decapsulate(enc, private)


def test_p256_scalars_outside_the_group_are_refused() -> None:
    for scalar in (bytes(32), b"\xff" * 32, b"\1" * 31):
        with pytest.raises(KeyMaterialError):
            DHKEM_P256.public_of(HpkePrivateKey(scalar))


def test_ml_kem_keys_that_are_not_reduced_are_refused() -> None:
    x25519 = X_WING.derive_key_pair(bytes(32)).public[1184:]
    for _, test in entries("mlkem_768_encaps_test"):
        public = test.hex("ek") + x25519
        if expected(test) == "valid":
            X_WING.load_public(public)
        else:
            with pytest.raises(InvalidKeyError):
                X_WING.load_public(public)
            with pytest.raises(InvalidKeyError):
                X_WING.encapsulate(public)
