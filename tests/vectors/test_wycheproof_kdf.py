"""Wycheproof on HKDF and HMAC. None of these files has an "acceptable" case."""

import pytest

from e2ecore.crypto import hkdf
from e2ecore.crypto.errors import KeyMaterialError
from e2ecore.crypto.hashes import SHA256, SHA384, SHA512, Hash
from tests.support.wycheproof import entries, expected


@pytest.mark.parametrize(
    ("name", "hash_"),
    [
        ("hkdf_sha256_test", SHA256),
        ("hkdf_sha384_test", SHA384),
        ("hkdf_sha512_test", SHA512),
    ],
)
def test_hkdf_gives_the_published_keys_and_refuses_to_give_more(name: str, hash_: Hash) -> None:
    for _, test in entries(name):
        prk = hkdf.extract(test.hex("salt"), test.hex("ikm"), hash_)
        if expected(test) == "valid":
            okm = hkdf.expand(prk, test.hex("info"), test.number("size"), hash_)
            assert okm == test.hex("okm"), test.number("tcId")
        else:
            with pytest.raises(KeyMaterialError):
                hkdf.expand(prk, test.hex("info"), test.number("size"), hash_)


@pytest.mark.parametrize(
    ("name", "hash_"),
    [
        ("hmac_sha256_test", SHA256),
        ("hmac_sha384_test", SHA384),
        ("hmac_sha512_test", SHA512),
    ],
)
def test_hmac_gives_the_published_tags_and_no_others(name: str, hash_: Hash) -> None:
    for group, test in entries(name):
        tag = hkdf.hmac(test.hex("key"), test.hex("msg"), hash_)[: group.number("tagSize") // 8]
        assert (tag == test.hex("tag")) is (expected(test) == "valid"), test.number("tcId")
