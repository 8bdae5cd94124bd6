"""HPKE with each KEM: round trips, and every way to be refused."""

import pickle  # noqa: TID251 - to see that it is refused

import pytest

from e2ecore.crypto import kem_nist, kem_x448, kem_x25519
from e2ecore.crypto.aead import AES_128_GCM
from e2ecore.crypto.curves import P256, P384, P521, Curve
from e2ecore.crypto.errors import DecryptionError, InvalidKeyError, KeyMaterialError
from e2ecore.crypto.hashes import SHA256
from e2ecore.crypto.hpke import Hpke, HpkePrivateKey
from e2ecore.crypto.kem import Kem, LabeledKdf
from e2ecore.crypto.kem_nist import DHKEM_P256, DHKEM_P384, DHKEM_P521
from e2ecore.crypto.kem_x448 import DHKEM_X448
from e2ecore.crypto.kem_x25519 import DHKEM_X25519, exchange, load_private
from e2ecore.crypto.kem_xwing import X_WING
from e2ecore.crypto.suites import DEFAULT_SUITE, SUITES, XWING_AES128
from tests.support.rng import SeededRng

NIST = (DHKEM_P256, DHKEM_P384, DHKEM_P521)
HPKES = [Hpke(kem, SHA256, AES_128_GCM) for kem in (DHKEM_X25519, *NIST, DHKEM_X448, X_WING)]
NAMES = ["X25519", "P-256", "P-384", "P-521", "X448", "X-Wing"]
each_hpke = pytest.mark.parametrize("hpke", HPKES, ids=NAMES)
P = 2**255 - 19
P448 = 2**448 - 2**224 - 1
ORDER_EIGHT = [
    int.from_bytes(bytes.fromhex(point), "little")
    for point in (
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    )
]
LOW_ORDER = [
    number.to_bytes(32, "little")
    for low in (0, 1, *ORDER_EIGHT, P - 1, P, P + 1)
    for number in (low, low | 1 << 255)
]


@each_hpke
@pytest.mark.parametrize("aad", [b"", b"header"])
def test_what_is_sealed_opens(hpke: Hpke, aad: bytes) -> None:
    pair = hpke.generate(SeededRng(1))
    enc, sealed = hpke.seal(pair.public, b"info", aad, b"hello")
    assert hpke.open(enc, pair.private, b"info", aad, sealed) == b"hello"
    stored = HpkePrivateKey(pair.private.raw)
    assert hpke.open(enc, stored, b"info", aad, sealed) == b"hello"
    assert hpke.kem.public_of(stored) == pair.public


@each_hpke
@pytest.mark.parametrize("aad", [b"", b"header"])
def test_anything_changed_does_not_open(hpke: Hpke, aad: bytes) -> None:
    pair, other = (hpke.generate(SeededRng(seed)) for seed in (1, 2))
    enc, sealed = hpke.seal(pair.public, b"info", aad, b"hello")
    flipped = sealed[:-1] + bytes((sealed[-1] ^ 1,))
    for bad in (
        (enc, other.private, b"info", aad, sealed),
        (enc, pair.private, b"Info", aad, sealed),
        (enc, pair.private, b"info", aad + b"!", sealed),
        (enc, pair.private, b"info", aad, flipped),
        (enc, pair.private, b"info", aad, b""),
        (enc[:-1], pair.private, b"info", aad, sealed),
        (enc + b"\0", pair.private, b"info", aad, sealed),
        (bytes(len(enc)), pair.private, b"info", aad, sealed),
    ):
        with pytest.raises(DecryptionError):
            hpke.open(*bad)


@each_hpke
def test_both_sides_export_the_same(hpke: Hpke) -> None:
    pair = hpke.generate(SeededRng(1))
    enc, secret = hpke.export_sender(pair.public, b"info", b"context", 32)
    assert hpke.export_receiver(enc, pair.private, b"info", b"context", 32) == secret
    assert hpke.export_receiver(enc, pair.private, b"info", b"Context", 32) != secret
    for bad in (enc[:-1], bytes(len(enc))):
        with pytest.raises(DecryptionError):
            hpke.export_receiver(bad, pair.private, b"info", b"context", 32)


@each_hpke
def test_the_same_input_gives_the_same_pair(hpke: Hpke) -> None:
    one, same, other = (hpke.derive_key_pair(ikm) for ikm in (b"1" * 32, b"1" * 32, b"2" * 32))
    assert one.public == same.public != other.public
    assert one.private.matches(same.private)
    assert not one.private.matches(other.private)


@each_hpke
def test_public_keys_that_are_none_are_refused_before_use(hpke: Hpke) -> None:
    public = hpke.generate(SeededRng(1)).public
    hpke.check_public(public)
    for bad in (b"", public[:-1], public + b"\0", bytes(len(public))):
        with pytest.raises(InvalidKeyError):
            hpke.check_public(bad)
        with pytest.raises(InvalidKeyError):
            hpke.seal(bad, b"", b"", b"")
        with pytest.raises(InvalidKeyError):
            hpke.export_sender(bad, b"", b"", 32)


@each_hpke
def test_private_keys_of_other_sizes_are_refused(hpke: Hpke) -> None:
    enc, sealed = hpke.seal(hpke.generate(SeededRng(1)).public, b"", b"", b"")
    size = hpke.kem.private_size
    for bad in (b"", bytes(size - 1), bytes(size + 1)):
        with pytest.raises(KeyMaterialError):
            hpke.open(enc, HpkePrivateKey(bad), b"", b"", sealed)


@pytest.mark.parametrize("public", LOW_ORDER, ids=bytes.hex)
def test_x25519_keys_of_low_order_are_refused_in_every_encoding(public: bytes) -> None:
    x_wing = X_WING.generate(SeededRng(1)).public[:-32] + public
    with pytest.raises(InvalidKeyError):
        DHKEM_X25519.check_public(public)
    with pytest.raises(InvalidKeyError):
        exchange(load_private(b"\1" * 32), public)
    with pytest.raises(InvalidKeyError):
        X_WING.check_public(x_wing)


def test_a_shared_secret_of_zeros_is_refused_even_if_the_point_is_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kem_x25519, "_LOW_ORDER", frozenset())
    with pytest.raises(InvalidKeyError):
        kem_x25519.exchange(load_private(b"\1" * 32), bytes(32))
    with pytest.raises(InvalidKeyError):
        HPKES[0].seal(bytes(32), b"", b"", b"")
    monkeypatch.setattr(kem_x448, "_LOW_ORDER", frozenset())
    with pytest.raises(InvalidKeyError):
        kem_x448.exchange(kem_x448.load_private(b"\1" * 56), bytes(56))


@pytest.mark.parametrize("number", [0, 1, P448 - 1, P448, P448 + 1])
def test_x448_keys_of_low_order_are_refused_in_every_encoding(number: int) -> None:
    public = number.to_bytes(56, "little")
    with pytest.raises(InvalidKeyError):
        DHKEM_X448.check_public(public)
    with pytest.raises(InvalidKeyError):
        DHKEM_X448.encapsulate(public)
    with pytest.raises(DecryptionError):
        HPKES[4].open(public, DHKEM_X448.generate(SeededRng(1)).private, b"", b"", bytes(16))


@pytest.mark.parametrize("kem", NIST, ids=["P-256", "P-384", "P-521"])
def test_points_of_nist_curves_come_whole_and_lie_on_the_curve(kem: Kem) -> None:
    public = kem.generate(SeededRng(1)).public
    size = len(public) // 2
    for bad in (
        b"\2" + public[1 : size + 1],
        b"\3" + public[1 : size + 1],
        b"\6" + public[1:],
        b"\4" + b"\xff" * (2 * size),
        public[:-1] + bytes((public[-1] ^ 1,)),
        b"\0",
    ):
        with pytest.raises(InvalidKeyError):
            kem.check_public(bad)


@pytest.mark.parametrize(("kem", "curve"), [*zip(NIST, (P256, P384, P521), strict=True)])
def test_scalars_lie_between_zero_and_the_order(kem: Kem, curve: Curve) -> None:
    for number in (0, curve.order, curve.order + 1, 2 ** (8 * curve.scalar_size) - 1):
        with pytest.raises(KeyMaterialError):
            kem.public_of(HpkePrivateKey(number.to_bytes(curve.scalar_size, "big")))
    for number in (1, curve.order - 1):
        assert kem.public_of(HpkePrivateKey(number.to_bytes(curve.scalar_size, "big")))


def test_x_wing_encapsulations_have_one_size() -> None:
    with pytest.raises(InvalidKeyError):
        X_WING.decapsulate(bytes(1119), X_WING.generate(SeededRng(1)).private)


def test_x_wing_keys_that_are_not_reduced_are_refused() -> None:
    public = X_WING.generate(SeededRng(1)).public
    with pytest.raises(InvalidKeyError):
        X_WING.load_public(b"\xff" * 1184 + public[1184:])


def test_a_private_key_is_expanded_once_and_is_no_more_visible_then() -> None:
    private = X_WING.generate(SeededRng(1)).private
    first = private.handle(X_WING.load_private)
    assert private.handle(X_WING.load_private) is first
    assert repr(private) == "<HpkePrivateKey, 32 bytes>"
    with pytest.raises(TypeError):
        pickle.dumps(private)
    stored = HpkePrivateKey(private.raw)
    assert stored.handle(X_WING.load_private) is stored.handle(X_WING.load_private)


def test_p256_gives_up_when_no_candidate_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LabeledKdf, "expand", lambda *_: b"\xff" * 32)
    with pytest.raises(KeyMaterialError):
        kem_nist.DHKEM_P256.derive_key_pair(b"ikm")


def test_every_suite_agrees_with_itself() -> None:
    for code, suite in SUITES.items():
        assert suite.code == code
        assert suite.nh == suite.hash.size
        assert (suite.nk, suite.nn) == (suite.aead.key_size, suite.aead.nonce_size)
        assert suite.hpke.aead is suite.aead
        assert suite.hpke.hash is suite.hash
    assert set(SUITES) == {1, 2, 3, 4, 5, 6, 7, 0xF001}
    assert DEFAULT_SUITE is XWING_AES128
