"""HPKE against RFC 9180's vectors, those of draft-ietf-hpke-pq, and X-Wing's own."""

from functools import cache

import pytest

from e2ecore.crypto.aead import AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305
from e2ecore.crypto.hashes import SHA256, SHA384, SHA512
from e2ecore.crypto.hpke import Hpke, HpkePrivateKey
from e2ecore.crypto.kem import Kem
from e2ecore.crypto.kem_nist import DHKEM_P256, DHKEM_P384, DHKEM_P521
from e2ecore.crypto.kem_x448 import DHKEM_X448
from e2ecore.crypto.kem_x25519 import DHKEM_X25519
from e2ecore.crypto.kem_xwing import X_WING
from tests.support.cases import Case, cases

KEMS = {
    kem.code: kem for kem in (DHKEM_X25519, DHKEM_X448, DHKEM_P256, DHKEM_P384, DHKEM_P521, X_WING)
}
HASHES = {hash_.kdf_id: hash_ for hash_ in (SHA256, SHA384, SHA512)}
AEADS = {aead.hpke_id: aead for aead in (AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305)}
FILES = ("hpke/rfc9180-hpke-test-vectors.json", "hpke/hpke-pq-draft-ietf.json")
BASE_MODE = 0
PSK_MODE = 1


def is_ours(case: Case) -> bool:
    """Base mode, with a KDF and an AEAD that some cipher suite uses."""
    return (
        case.number("mode") == BASE_MODE
        and case.number("kdf_id") in HASHES
        and case.number("aead_id") in AEADS
    )


@cache
def with_our_kems() -> list[Case]:
    """Every published case of a KEM of ours, whatever stands around the KEM."""
    return [case for name in FILES for case in cases(name) if case.number("kem_id") in KEMS]


@cache
def published() -> list[Case]:
    return [case for case in with_our_kems() if is_ours(case)]


def name_of(case: Case) -> str:
    return "-".join(f"{case.number(part):#x}" for part in ("kem_id", "kdf_id", "aead_id"))


def hpke_of(case: Case) -> Hpke:
    return Hpke(
        KEMS[case.number("kem_id")],
        HASHES[case.number("kdf_id")],
        AEADS[case.number("aead_id")],
    )


each = pytest.mark.parametrize("case", published(), ids=name_of)


def test_every_kem_of_ours_is_among_the_published_cases() -> None:
    """P-384 is not in RFC 9180's file, and with a KDF that is not ours in the other one."""
    assert {case.number("kem_id") for case in with_our_kems()} == set(KEMS)
    assert {case.number("kem_id") for case in published()} == set(KEMS) - {DHKEM_P384.code}
    assert (len(with_our_kems()), len(published())) == (134, 25)


def significant(kem: Kem, raw: bytes) -> bytes:
    """The bits of a private key that count. hpke-pq's file has those of X448 alone."""
    if kem is not DHKEM_X448:
        return raw
    return bytes((raw[0] & 0xFC,)) + raw[1:-1] + bytes((raw[-1] | 0x80,))


@pytest.mark.parametrize("kem", KEMS.values(), ids=lambda kem: f"{kem.code:#x}")
def test_key_pairs_derive_from_their_input(kem: Kem) -> None:
    for case in with_our_kems():
        if case.number("kem_id") == kem.code:
            pair = kem.derive_key_pair(case.hex("ikmR"))
            assert pair.public == case.hex("pkRm")
            assert significant(kem, pair.private.raw) == significant(kem, case.hex("skRm"))
            assert kem.public_of(HpkePrivateKey(case.hex("skRm"))) == pair.public
            assert len(pair.private.raw) == kem.private_size
            assert len(pair.public) == kem.public_size


@pytest.mark.parametrize("kem", KEMS.values(), ids=lambda kem: f"{kem.code:#x}")
def test_the_receiver_finds_the_shared_secret(kem: Kem) -> None:
    """In the modes without a sender's key, which is mixed in by the KEM itself."""
    for case in with_our_kems():
        if case.number("kem_id") == kem.code and case.number("mode") in {BASE_MODE, PSK_MODE}:
            private = HpkePrivateKey(case.hex("skRm"))
            assert kem.decapsulate(case.hex("enc"), private) == case.hex("shared_secret")


@each
def test_the_keys_follow_from_the_shared_secret(case: Case) -> None:
    keys = hpke_of(case).schedule(case.hex("shared_secret"), case.hex("info"))
    assert keys.key == case.hex("key")
    assert keys.base_nonce == case.hex("base_nonce")
    assert keys.exporter_secret == case.hex("exporter_secret")


@each
def test_the_first_message_opens_and_the_others_fit_the_keys(case: Case) -> None:
    hpke, private = hpke_of(case), HpkePrivateKey(case.hex("skRm"))
    keys = hpke.schedule(case.hex("shared_secret"), case.hex("info"))
    first, *others = case.many("encryptions")
    opened = hpke.open(
        case.hex("enc"), private, case.hex("info"), first.hex("aad"), first.hex("ct")
    )
    assert opened == first.hex("pt")
    for message in (first, *others):
        plaintext = hpke.aead.open(
            keys.key, message.hex("nonce"), message.hex("ct"), message.hex("aad")
        )
        assert plaintext == message.hex("pt")


@each
def test_exported_secrets_are_the_published_ones(case: Case) -> None:
    hpke, private = hpke_of(case), HpkePrivateKey(case.hex("skRm"))
    for export in case.many("exports"):
        secret = hpke.export_receiver(
            case.hex("enc"),
            private,
            case.hex("info"),
            export.hex("exporter_context"),
            export.number("L"),
        )
        assert secret == export.hex("exported_value")


@pytest.mark.parametrize("case", cases("hpke/xwing-draft-connolly.json"), ids=["1", "2", "3"])
def test_x_wing_itself_is_the_published_one(case: Case) -> None:
    private = HpkePrivateKey(case.hex("sk"))
    assert X_WING.public_of(private) == case.hex("pk")
    assert X_WING.decapsulate(case.hex("ct"), private) == case.hex("ss")
