"""Verifying many Ed25519 signatures on all cores: Python's lock is free while libsodium works."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from nacl import bindings

MESSAGE_BYTES: Final = 250
"""A signed leaf node."""


class SignatureFloor:
    """Signatures by different keys, split evenly between threads."""

    def __init__(self, count: int, threads: int) -> None:
        self._signed: list[tuple[bytes, bytes]] = []
        for _ in range(count):
            public, private = bindings.crypto_sign_keypair()
            message = bindings.crypto_sign(os.urandom(MESSAGE_BYTES), private)
            self._signed.append((message, public))
        self._threads = threads

    def verify(self) -> None:
        """Verify all."""
        parts = [self._signed[number :: self._threads] for number in range(self._threads)]
        with ThreadPoolExecutor(self._threads) as pool:
            for _ in pool.map(_verify, parts):
                pass


def _verify(part: list[tuple[bytes, bytes]]) -> None:
    verify = bindings.crypto_sign_open
    for message, public in part:
        verify(message, public)
