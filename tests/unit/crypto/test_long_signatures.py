"""Long messages are signed by another library than short ones, with the same result."""

import pytest
from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

from e2ecore.crypto.signing import ED25519

SEED = bytes(range(32))


@pytest.mark.parametrize("size", [0, (1 << 14) - 1, 1 << 14, 300_000])
def test_a_signature_does_not_tell_how_it_was_made(size: int) -> None:
    key, message = ED25519.load(SEED), bytes(size)
    _, expanded = crypto_sign_seed_keypair(SEED)
    assert key.sign(message) == crypto_sign(message, expanded)[:64]
    ED25519.verify(key.public, message, key.sign(message))
