"""Signature keys: loaded, checked, used; never shown."""

import pickle  # noqa: TID251 - to see that it is refused
from typing import TYPE_CHECKING

import pytest

from e2ecore.crypto.errors import InvalidKeyError, KeyMaterialError, SignatureError
from e2ecore.crypto.signing import ECDSA_P256, ED25519, SignatureScheme
from tests.support.rng import SeededRng

if TYPE_CHECKING:
    from collections.abc import Iterator

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
each_scheme = pytest.mark.parametrize("scheme", [ED25519, ECDSA_P256], ids=lambda s: s.name)


@each_scheme
def test_a_signature_verifies_with_its_message_and_key_only(scheme: SignatureScheme) -> None:
    key, other = (scheme.generate(SeededRng(seed)) for seed in (1, 2))
    signature = key.sign(b"message")
    scheme.verify(key.public, b"message", signature)
    for public, message, bad in (
        (other.public, b"message", signature),
        (key.public, b"Message", signature),
        (key.public, b"message", signature[:-1] + bytes((signature[-1] ^ 1,))),
        (key.public, b"message", signature[:-1]),
        (key.public, b"message", signature + b"\0"),
        (key.public, b"message", b""),
        (key.public[:-1], b"message", signature),
        (b"", b"message", signature),
    ):
        with pytest.raises(SignatureError):
            scheme.verify(public, message, bad)


@each_scheme
def test_a_stored_key_is_the_same_key(scheme: SignatureScheme) -> None:
    key = scheme.generate(SeededRng(1))
    loaded = scheme.load(key.private)
    assert loaded.public == key.public
    assert loaded.scheme is scheme
    assert loaded.sign(b"message") == key.sign(b"message")
    scheme.check_public(key.public)


@each_scheme
def test_keys_neither_print_nor_pickle(scheme: SignatureScheme) -> None:
    key = scheme.generate(SeededRng(1))
    assert key.private.hex() not in repr(key)
    assert key.public.hex() in repr(key)
    with pytest.raises(TypeError):
        pickle.dumps(key)


@pytest.mark.parametrize("private", [b"", bytes(31), bytes(33)])
@each_scheme
def test_private_keys_of_other_sizes_are_refused(scheme: SignatureScheme, private: bytes) -> None:
    with pytest.raises(KeyMaterialError):
        scheme.load(private)


@pytest.mark.parametrize("scalar", [0, P256_ORDER, 2**256 - 1])
def test_p256_scalars_lie_within_the_group(scalar: int) -> None:
    with pytest.raises(KeyMaterialError):
        ECDSA_P256.load(scalar.to_bytes(32, "big"))


def test_generating_a_p256_key_draws_again_until_it_fits() -> None:
    draws: Iterator[bytes] = iter([bytes(32), b"\xff" * 32, bytes(31) + b"\1"])
    assert ECDSA_P256.generate(lambda _: next(draws)).private == bytes(31) + b"\1"


@each_scheme
@pytest.mark.parametrize("public", [b"", bytes(31), bytes(33), bytes(65), b"\4" + bytes(64)])
def test_public_keys_that_are_none_are_refused(scheme: SignatureScheme, public: bytes) -> None:
    with pytest.raises(InvalidKeyError):
        scheme.check_public(public)


def test_p256_public_keys_are_not_compressed() -> None:
    public = ECDSA_P256.generate(SeededRng(1)).public
    with pytest.raises(InvalidKeyError):
        ECDSA_P256.check_public(b"\2" + public[1:33])


def test_ed25519_keys_of_low_order_verify_nothing() -> None:
    for public in (bytes(32), b"\1" + bytes(31)):
        with pytest.raises(SignatureError):
            ED25519.verify(public, b"message", public + bytes(32))
