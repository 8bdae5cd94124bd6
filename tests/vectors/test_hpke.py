"""HPKE against RFC 9180's vectors, those of draft-ietf-hpke-pq, and X-Wing's own."""

from functools import cache

import pytest

from e2ecore.crypto.aead import AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305
from e2ecore.crypto.hashes import SHA256, SHA512
from e2ecore.crypto.hpke import Hpke, HpkePrivateKey
from e2ecore.crypto.kem_p256 import DHKEM_P256
from e2ecore.crypto.kem_x25519 import DHKEM_X25519
from e2ecore.crypto.kem_xwing import X_WING
from tests.support.cases import Case, cases

KEMS = {kem.code: kem for kem in (DHKEM_X25519, DHKEM_P256, X_WING)}
HASHES = {hash_.kdf_id: hash_ for hash_ in (SHA256, SHA512)}
AEADS = {aead.hpke_id: aead for aead in (AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305)}
EXPORT_ONLY = 0xFFFF
BASE_MODE = 0


def ours(case: Case) -> bool:
    aead = case.number("aead_id")
    return (
        case.number("mode") == BASE_MODE
        and case.number("kem_id") in KEMS
        and case.number("kdf_id") in HASHES
        and aead in AEADS
    )


def name_of(case: Case) -> str:
    return "-".join(f"{case.number(part):#x}" for part in ("kem_id", "kdf_id", "aead_id"))


@cache
def published() -> list[Case]:
    names = ("hpke/rfc9180-hpke-test-vectors.json", "hpke/hpke-pq-draft-ietf.json")
    return [case for name in names for case in cases(name) if ours(case)]


def hpke_of(case: Case) -> Hpke:
    return Hpke(
        KEMS[case.number("kem_id")],
        HASHES[case.number("kdf_id")],
        AEADS[case.number("aead_id")],
    )


each = pytest.mark.parametrize("case", published(), ids=name_of)


def test_every_kem_of_ours_is_among_the_published_cases() -> None:
    assert {case.number("kem_id") for case in published()} == set(KEMS)
    assert len(published()) == 13


@each
def test_a_key_pair_derives_from_its_input(case: Case) -> None:
    pair = hpke_of(case).derive_key_pair(case.hex("ikmR"))
    assert (pair.private.raw, pair.public) == (case.hex("skRm"), case.hex("pkRm"))
    assert hpke_of(case).kem.public_of(HpkePrivateKey(case.hex("skRm"))) == pair.public


@each
def test_the_receiver_finds_the_shared_secret_and_the_keys(case: Case) -> None:
    hpke, private = hpke_of(case), HpkePrivateKey(case.hex("skRm"))
    secret = hpke.kem.decapsulate(case.hex("enc"), private)
    assert secret == case.hex("shared_secret")
    keys = hpke.schedule(secret, case.hex("info"))
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
