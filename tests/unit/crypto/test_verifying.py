"""Many signatures at once: all of them count, whichever thread looks at them."""

from collections.abc import Iterator
from threading import current_thread

import pytest

from e2ecore.crypto.errors import SignatureError
from e2ecore.crypto.signing import ECDSA_P256, ED25519, SignatureScheme
from e2ecore.crypto.verifying import ALONE, Signed, verify_many
from tests.support.mls_groups import SeededRng


def signed(scheme: SignatureScheme, count: int) -> list[Signed]:
    keys = [scheme.generate(SeededRng(number)) for number in range(3)]
    parts = []
    for number in range(count):
        key, message = keys[number % 3], b"message %d" % number
        parts.append((key.public, message, key.sign(message)))
    return parts


@pytest.mark.parametrize("scheme", [ED25519, ECDSA_P256], ids=lambda scheme: scheme.name)
@pytest.mark.parametrize("count", [0, 1, ALONE, ALONE + 1, 5 * ALONE + 3])
def test_right_signatures_are_accepted_however_many(scheme: SignatureScheme, count: int) -> None:
    verify_many(scheme, signed(scheme, count))


@pytest.mark.parametrize("count", [1, ALONE, 3 * ALONE + 1])
def test_one_wrong_signature_at_any_place_is_found(count: int) -> None:
    parts = signed(ED25519, count)
    for at in range(0, count, 7):
        public, message, signature = parts[at]
        bad = [*parts[:at], (public, message + b"!", signature), *parts[at + 1 :]]
        with pytest.raises(SignatureError):
            verify_many(ED25519, bad)


@pytest.mark.parametrize("count", [1, 3 * ALONE])
def test_what_finds_the_signatures_runs_to_its_end_in_the_calling_thread(count: int) -> None:
    threads = []

    def finding(at_the_end: Exception | None) -> Iterator[Signed]:
        for public, message, signature in signed(ED25519, count):
            threads.append(current_thread())
            yield public, message + b"!", signature
        if at_the_end is not None:
            raise at_the_end

    with pytest.raises(ZeroDivisionError):
        verify_many(ED25519, finding(ZeroDivisionError()))
    with pytest.raises(SignatureError):
        verify_many(ED25519, finding(None))
    assert threads == [current_thread()] * 2 * count
