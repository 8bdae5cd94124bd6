"""Wycheproof on what the KEMs are made of.

How "acceptable" cases are judged, and why, is in docs/primitives.md.
"""

import runpy
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

from e2ecore.crypto import kem_x448, kem_x25519
from e2ecore.crypto.errors import InvalidKeyError, KeyMaterialError
from e2ecore.crypto.hashes import SHA256, SHA384, SHA512, Hash
from e2ecore.crypto.kem import HpkePrivateKey, Kem, LabeledKdf
from e2ecore.crypto.kem_nist import DHKEM_P256, DHKEM_P384, DHKEM_P521
from e2ecore.crypto.kem_xwing import X_WING
from tests.support.wycheproof import entries, expected

POINTS = [
    pytest.param("ecdh_secp256r1_ecpoint_test", DHKEM_P256, SHA256, id="P-256"),
    pytest.param("ecdh_secp384r1_ecpoint_test", DHKEM_P384, SHA384, id="P-384"),
    pytest.param("ecdh_secp521r1_ecpoint_test", DHKEM_P521, SHA512, id="P-521"),
]


def test_x25519_gives_the_published_secrets_and_never_zeros() -> None:
    for _, test in entries("x25519_test"):
        private, shared = kem_x25519.load_private(test.hex("private")), test.hex("shared")
        if any(shared):
            assert kem_x25519.exchange(private, test.hex("public")) == shared, test.number("tcId")
        else:
            assert expected(test) == "acceptable"
            with pytest.raises(InvalidKeyError):
                kem_x25519.exchange(private, test.hex("public"))


def test_x448_gives_the_published_secrets_and_never_zeros() -> None:
    for _, test in entries("x448_test"):
        private, public = kem_x448.load_private(test.hex("private")), test.hex("public")
        if any(test.hex("shared")):
            shared = kem_x448.exchange(private, public)
            assert shared == test.hex("shared"), test.number("tcId")
        else:
            assert expected(test) != "valid"
            with pytest.raises(InvalidKeyError):
                kem_x448.exchange(private, public)


@pytest.mark.parametrize(("name", "kem", "hash_"), POINTS)
def test_nist_curves_give_the_published_secrets_and_refuse_invalid_points(
    name: str, kem: Kem, hash_: Hash
) -> None:
    kdf = LabeledKdf(hash_, b"KEM" + kem.code.to_bytes(2, "big"))
    for _, test in entries(name):
        scalar = int(test.text("private"), 16).to_bytes(kem.private_size, "big")
        private, enc = HpkePrivateKey(scalar), test.hex("public")
        if expected(test) == "valid":
            context = enc + kem.public_of(private)
            secret = kdf.extract_and_expand(test.hex("shared"), context)
            assert kem.decapsulate(enc, private) == secret, test.number("tcId")
        else:
            with pytest.raises(InvalidKeyError):
                kem.decapsulate(enc, private)


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


def test_ml_kem_keys_come_from_their_seeds() -> None:
    for _, test in entries("mlkem_768_keygen_seed_test"):
        key = MLKEM768PrivateKey.from_seed_bytes(test.hex("seed"))
        assert key.public_key().public_bytes_raw() == test.hex("ek"), test.number("tcId")


def test_ml_kem_gives_the_published_secrets_and_refuses_other_sizes() -> None:
    """A ciphertext that was changed gives another secret; one of another size gives none."""
    for _, test in entries("mlkem_768_test"):
        seed, ciphertext = test.hex("seed"), test.hex("c")
        if expected(test) == "valid":
            key = MLKEM768PrivateKey.from_seed_bytes(seed)
            assert key.decapsulate(ciphertext) == test.hex("K"), test.number("tcId")
        else:
            with pytest.raises(ValueError, match=r"ML-KEM|seed"):
                MLKEM768PrivateKey.from_seed_bytes(seed).decapsulate(ciphertext)


def test_the_ml_kem_of_our_own_vectors_is_the_published_one() -> None:
    file = Path(__file__).parents[2] / "protocol/vectors/mlkem768.py"
    encapsulate = runpy.run_path(str(file))["encapsulate"]
    for _, test in entries("mlkem_768_encaps_test"):
        if expected(test) == "valid":
            found = encapsulate(test.hex("ek"), test.hex("m"))
            assert found == (test.hex("K"), test.hex("c")), test.number("tcId")
