"""What all vectors are made from: fillers, keys, a time."""

import hashlib
from collections.abc import Callable
from typing import TypeAlias

from nacl.signing import SigningKey

NOW_MS = 1_760_000_000_000
Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"


def filler(name: str, size: int) -> bytes:
    """Return bytes that anybody can make again: SHA-256 of a name, repeated."""
    return (hashlib.sha256(name.encode()).digest() * (size // 32 + 1))[:size]


def key(name: str) -> SigningKey:
    """Return the Ed25519 key whose seed is SHA-256 of a name."""
    return SigningKey(hashlib.sha256(name.encode()).digest())


def signer(name: str) -> Callable[[bytes], bytes]:
    """Return a function that signs with ``key(name)``."""
    return lambda message: bytes(key(name).sign(message).signature)


def public(name: str) -> bytes:
    """Return the public key of ``key(name)``."""
    return bytes(key(name).verify_key)


def as_json(value: object) -> Json:
    """Write a value of the wire as JSON: byte strings become {"hex": ...}."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, tuple):
        return [as_json(item) for item in value]
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    return None if value is None else bool(value)
