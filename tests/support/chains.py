"""Account chains with fixed keys, for tests of whoever reads them."""

import hashlib

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from e2ecore_protocol.chain import (
    MULTI_DEVICE_SYNC,
    AccountState,
    Body,
    ConsentGranted,
    ConsentWithdrawn,
    DeviceAdded,
    Entry,
    extend,
    genesis_entry,
    start,
)

NOW_MS = 1_760_000_000_000
IDENTITY = SigningKey(hashlib.sha256(b"identity").digest())
CONSENT_ID = b"c" * 16


class WrongSignatureError(Exception):
    """What ``verify`` of these tests raises."""


def device(number: int) -> SigningKey:
    """The signing key of one device."""
    return SigningKey(hashlib.sha256(b"device" + bytes([number])).digest())


def sign(key: SigningKey, message: bytes) -> bytes:
    """An Ed25519 signature."""
    return bytes(key.sign(message).signature)


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Check an Ed25519 signature."""
    try:
        VerifyKey(public).verify(message, signature)
    except BadSignatureError as error:
        raise WrongSignatureError from error


def genesis() -> Entry:
    """The first entry."""
    return genesis_entry(
        bytes(IDENTITY.verify_key), created_ms=NOW_MS, sign=lambda message: sign(IDENTITY, message)
    )


def entry(state: AccountState, body: Body, *, now_ms: int = NOW_MS) -> Entry:
    """An entry behind the head of a state."""
    return state.next_entry(body, now_ms=now_ms, sign=lambda message: sign(IDENTITY, message))


def added(state: AccountState, number: int) -> DeviceAdded:
    """A body that adds a device."""
    key = device(number)
    public = bytes(key.verify_key)
    return DeviceAdded(public, sign(key, state.next_possession_message(public)))


def granted(
    purpose: str = MULTI_DEVICE_SYNC, expires_ms: int | None = None, consent_id: bytes = CONSENT_ID
) -> ConsentGranted:
    """A body that grants a consent."""
    return ConsentGranted(consent_id, purpose, b"n" * 32, b"m" * 32, expires_ms)


def withdrawn(consent_id: bytes = CONSENT_ID) -> ConsentWithdrawn:
    """A body that withdraws a consent."""
    return ConsentWithdrawn(consent_id)


def grown(state: AccountState, *bodies: Body, now_ms: int = NOW_MS) -> AccountState:
    """A state with more entries."""
    for body in bodies:
        state = extend(state, [entry(state, body, now_ms=now_ms)], verify)
    return state


def new_account() -> AccountState:
    """An account with one device."""
    state = start([genesis()], verify)
    return grown(state, added(state, 1))
