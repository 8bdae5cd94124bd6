"""Signature keys: loaded, checked, used; never shown."""

import pickle  # noqa: TID251 - to see that it is refused
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from e2ecore.crypto.curves import P256, P384, P521, Curve
from e2ecore.crypto.errors import InvalidKeyError, KeyMaterialError, SignatureError
from e2ecore.crypto.signing import (
    ECDSA_P256,
    ECDSA_P384,
    ECDSA_P521,
    ED448,
    ED25519,
    SignatureScheme,
)
from tests.support.rng import SeededRng

if TYPE_CHECKING:
    from collections.abc import Iterator

ECDSA = {ECDSA_P256: P256, ECDSA_P384: P384, ECDSA_P521: P521}
each_scheme = pytest.mark.parametrize("scheme", [ED25519, ED448, *ECDSA], ids=lambda s: s.name)
each_curve = pytest.mark.parametrize(("scheme", "curve"), ECDSA.items(), ids=lambda o: o.name)


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


@pytest.mark.parametrize("private", [b"", bytes(31), bytes(33), bytes(56), bytes(58), bytes(67)])
@each_scheme
def test_private_keys_of_other_sizes_are_refused(scheme: SignatureScheme, private: bytes) -> None:
    with pytest.raises(KeyMaterialError):
        scheme.load(private)


@each_curve
def test_scalars_lie_within_the_group(scheme: SignatureScheme, curve: Curve) -> None:
    for number in (0, curve.order, 2 ** (8 * curve.scalar_size) - 1):
        with pytest.raises(KeyMaterialError):
            scheme.load(number.to_bytes(curve.scalar_size, "big"))


@each_curve
def test_generating_a_key_draws_again_until_it_fits(scheme: SignatureScheme, curve: Curve) -> None:
    good = bytes(curve.scalar_size - 1) + b"\1"
    draws: Iterator[bytes] = iter([bytes(curve.scalar_size), b"\xff" * curve.scalar_size, good])
    assert scheme.generate(lambda _: next(draws)).private == good


@each_scheme
@pytest.mark.parametrize("public", [b"", bytes(31), bytes(33), bytes(65), b"\4" + bytes(64)])
def test_public_keys_that_are_none_are_refused(scheme: SignatureScheme, public: bytes) -> None:
    with pytest.raises(InvalidKeyError):
        scheme.check_public(public)


@each_curve
def test_points_are_not_compressed_and_lie_on_the_curve(
    scheme: SignatureScheme, curve: Curve
) -> None:
    public = scheme.generate(SeededRng(1)).public
    half = curve.scalar_size + 1
    for bad in (b"\2" + public[1:half], b"\6" + public[1:], public[:half] + public[1:half]):
        with pytest.raises(InvalidKeyError):
            scheme.check_public(bad)
        with pytest.raises(SignatureError):
            scheme.verify(bad, b"message", b"")


def integer(number: int) -> bytes:
    """A positive number as DER has it."""
    size = number.bit_length() // 8 + 1
    return bytes((2, size)) + number.to_bytes(size, "big")


@each_curve
def test_ecdsa_signatures_have_one_encoding(scheme: SignatureScheme, curve: Curve) -> None:
    """Each list holds the same two numbers, but for the last three, which are out of range."""
    key = scheme.generate(SeededRng(1))
    good = key.sign(b"message")
    r, s = decode_dss_signature(good)
    one, two = integer(r), integer(s)
    body = one + two
    head = bytes((0x30,)) + (bytes((0x81,)) if len(body) > 127 else b"")
    assert head + bytes((len(body),)) + body == good
    padded = bytes((2, one[1] + 1, 0)) + one[2:]
    longer = bytes((len(body) + 1,))
    bad = {
        "number with a zero in front": head + longer + padded + two,
        "length in a longer form": b"\x30\x82\0" + bytes((len(body),)) + body,
        "indefinite length": b"\x30\x80" + body + b"\0\0",
        "bytes behind": good + b"\0",
        "bytes behind, inside": head + longer + body + b"\0",
        "a third number": head + bytes((len(body) + 3,)) + body + b"\2\1\1",
        "one number": head[:1] + bytes((len(one),)) + one,
        "the two numbers without DER": body[2:],
        "r is zero": encode_dss_signature(0, s),
        "s is the order": encode_dss_signature(r, curve.order),
        "r is too large": encode_dss_signature(r + curve.order, s),
    }
    for signature in bad.values():
        with pytest.raises(SignatureError):
            scheme.verify(key.public, b"message", signature)


def test_ed25519_keys_of_low_order_verify_nothing() -> None:
    for public in (bytes(32), b"\1" + bytes(31)):
        with pytest.raises(SignatureError):
            ED25519.verify(public, b"message", public + bytes(32))


P448 = 2**448 - 2**224 - 1
ORDER_448 = 2**446 - 0x8335DC163BB124B65129C96FDE933D8D723A70AADC873D6D54A7BB0D


@pytest.mark.parametrize("sign", [0, 0x80])
@pytest.mark.parametrize("y", [0, 1, P448 - 1, P448, P448 + 1])
def test_ed448_keys_of_low_order_are_refused_and_verify_nothing(y: int, sign: int) -> None:
    public = y.to_bytes(56, "little") + bytes((sign,))
    with pytest.raises(InvalidKeyError):
        ED448.check_public(public)
    with pytest.raises(SignatureError):
        ED448.verify(public, b"message", public + bytes(57))


def test_ed448_signatures_have_no_second_form() -> None:
    key = ED448.generate(SeededRng(1))
    signature = key.sign(b"message")
    second = int.from_bytes(signature[57:], "little") + ORDER_448
    with pytest.raises(SignatureError):
        ED448.verify(key.public, b"message", signature[:57] + second.to_bytes(57, "little"))
