"""Wycheproof on the AEADs. None of these files has an "acceptable" case.

Sizes of keys and nonces that we do not offer must be refused as such, whatever the file says.
"""

import pytest

from e2ecore.crypto.aead import (
    AES_128_GCM,
    AES_256_GCM,
    CHACHA20_POLY1305,
    XCHACHA20_POLY1305,
    Aead,
)
from e2ecore.crypto.errors import DecryptionError, KeyMaterialError
from tests.support.cases import Case
from tests.support.wycheproof import entries, expected

FILES = [
    pytest.param("aes_gcm_test", AES_128_GCM, id="AES-128-GCM"),
    pytest.param("aes_gcm_test", AES_256_GCM, id="AES-256-GCM"),
    pytest.param("chacha20_poly1305_test", CHACHA20_POLY1305, id="ChaCha20-Poly1305"),
    pytest.param("xchacha20_poly1305_test", XCHACHA20_POLY1305, id="XChaCha20-Poly1305"),
]


def of_our_sizes(name: str, aead: Aead, *, wanted: bool) -> list[Case]:
    sizes = (aead.key_size, aead.nonce_size)
    found = [test for _, test in entries(name)]
    return [t for t in found if ((len(t.hex("key")), len(t.hex("iv"))) == sizes) is wanted]


def opens(aead: Aead, test: Case) -> bytes | None:
    sealed = test.hex("ct") + test.hex("tag")
    try:
        return aead.open(test.hex("key"), test.hex("iv"), sealed, test.hex("aad"))
    except DecryptionError:
        return None


@pytest.mark.parametrize(("name", "aead"), FILES)
def test_what_is_valid_opens_and_what_is_not_does_not(name: str, aead: Aead) -> None:
    for test in of_our_sizes(name, aead, wanted=True):
        message = test.hex("msg") if expected(test) == "valid" else None
        assert opens(aead, test) == message, test.number("tcId")


@pytest.mark.parametrize(("name", "aead"), FILES)
def test_sealing_gives_the_published_ciphertext(name: str, aead: Aead) -> None:
    for test in of_our_sizes(name, aead, wanted=True):
        if expected(test) == "valid":
            sealed = aead.seal(test.hex("key"), test.hex("iv"), test.hex("msg"), test.hex("aad"))
            assert sealed == test.hex("ct") + test.hex("tag"), test.number("tcId")


@pytest.mark.parametrize(("name", "aead"), FILES)
def test_other_sizes_are_refused(name: str, aead: Aead) -> None:
    for test in of_our_sizes(name, aead, wanted=False):
        with pytest.raises(KeyMaterialError):
            opens(aead, test)
