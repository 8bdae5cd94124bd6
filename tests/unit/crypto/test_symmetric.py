"""AEADs, HKDF and secrets: what callers can do wrong, and what they cannot see."""

import pickle  # noqa: TID251 - to see that it is refused

import pytest

from e2ecore.crypto import hkdf
from e2ecore.crypto.aead import (
    AES_128_GCM,
    AES_256_GCM,
    CHACHA20_POLY1305,
    XCHACHA20_POLY1305,
    Aead,
)
from e2ecore.crypto.errors import DecryptionError, KeyMaterialError
from e2ecore.crypto.hashes import SHA256, SHA384, SHA512, Hash
from e2ecore.crypto.rng import system_rng
from e2ecore.crypto.secret import Secret

AEADS = [AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305, XCHACHA20_POLY1305]
each_aead = pytest.mark.parametrize("aead", AEADS, ids=lambda aead: aead.name)


def material(aead: Aead) -> tuple[bytes, bytes]:
    return bytes(range(aead.key_size)), bytes(range(aead.nonce_size))


@each_aead
@pytest.mark.parametrize("aad", [b"", b"header"])
@pytest.mark.parametrize("plaintext", [b"", b"hello", bytes(100_000)])
def test_what_is_sealed_opens_and_is_a_tag_longer(aead: Aead, plaintext: bytes, aad: bytes) -> None:
    key, nonce = material(aead)
    sealed = aead.seal(key, nonce, plaintext, aad)
    assert len(sealed) == len(plaintext) + aead.tag_size
    assert aead.open(key, nonce, sealed, aad) == plaintext


@each_aead
def test_anything_changed_does_not_open(aead: Aead) -> None:
    key, nonce = material(aead)
    sealed = aead.seal(key, nonce, b"hello", b"header")
    flipped = bytes((sealed[0] ^ 1,)) + sealed[1:]
    other = bytes(aead.key_size)
    for bad in (
        (other, nonce, sealed, b"header"),
        (key, bytes(aead.nonce_size), sealed, b"header"),
        (key, nonce, flipped, b"header"),
        (key, nonce, sealed[:-1], b"header"),
        (key, nonce, sealed[:15], b"header"),
        (key, nonce, b"", b"header"),
        (key, nonce, sealed, b"Header"),
    ):
        with pytest.raises(DecryptionError):
            aead.open(*bad)


@each_aead
def test_keys_and_nonces_have_one_size(aead: Aead) -> None:
    key, nonce = material(aead)
    for bad_key, bad_nonce in ((key[:-1], nonce), (key, nonce[:-1]), (b"", nonce), (key, b"")):
        with pytest.raises(KeyMaterialError):
            aead.seal(bad_key, bad_nonce, b"", b"")
        with pytest.raises(KeyMaterialError):
            aead.open(bad_key, bad_nonce, bytes(16), b"")


class Overflowing:
    """An algorithm that says that two gigabytes are too much, without their being there."""

    def __init__(self, key: bytes) -> None:
        pass

    def encrypt(self, *_: bytes) -> bytes:
        raise OverflowError

    decrypt = encrypt


def test_what_is_too_long_for_one_call_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AES_128_GCM, "_algorithm", Overflowing)
    with pytest.raises(KeyMaterialError):
        AES_128_GCM.seal(bytes(16), bytes(12), b"", b"")
    with pytest.raises(DecryptionError):
        AES_128_GCM.open(bytes(16), bytes(12), b"", b"")


@pytest.mark.parametrize("hash_", [SHA256, SHA384, SHA512], ids=lambda h: h.name)
def test_hmac_hashes_keys_longer_than_a_block(hash_: Hash) -> None:
    long = bytes(range(200))
    assert hash_.hmac(long, b"data") == hash_.hmac(hash_.digest(long), b"data")
    assert len(hash_.hmac(b"key", b"data")) == hash_.size


@pytest.mark.parametrize("hash_", [SHA256, SHA384, SHA512], ids=lambda h: h.name)
def test_hkdf_output_is_a_prefix_of_longer_output(hash_: Hash) -> None:
    longest = hkdf.expand(b"prk", b"info", 255 * hash_.size, hash_)
    for size in (0, 1, hash_.size, hash_.size + 1, 3 * hash_.size):
        assert hkdf.expand(b"prk", b"info", size, hash_) == longest[:size]


@pytest.mark.parametrize("size", [-1, 255 * 32 + 1])
def test_hkdf_gives_no_more_than_it_can(size: int) -> None:
    with pytest.raises(KeyMaterialError):
        hkdf.expand(b"prk", b"info", size)


def test_secrets_neither_print_nor_pickle_nor_compare() -> None:
    secret = Secret(b"top secret")
    assert "top" not in repr(secret)
    assert "top" not in f"{secret}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert secret != Secret(b"top secret")
    assert secret.matches(Secret(b"top secret"))
    assert not secret.matches(Secret(b"top secreT"))


def test_the_systems_generator_does_not_repeat() -> None:
    assert len(system_rng(32)) == 32
    assert system_rng(32) != system_rng(32)


@pytest.mark.parametrize("size", [0, 100, 5000], ids=["nothing", "short", "long"])
@pytest.mark.parametrize("hash_", [SHA256, SHA384, SHA512], ids=lambda hash_: hash_.name)
def test_hmac_of_pieces_is_that_of_the_whole(hash_: Hash, size: int) -> None:
    pieces = [b"a" * size, b"", b"b" * size]
    assert hash_.hmac_of(b"key", pieces) == hash_.hmac(b"key", b"".join(pieces))
