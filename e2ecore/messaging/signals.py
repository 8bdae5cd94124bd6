"""Sealing and opening signals: what matters only now, and is stored by nobody.

All devices of an epoch seal under one key. Its nonces are drawn at random, 24 bytes each: even a
thousand devices that signal every second for a year come to 2^35 of them, and two alike are not
to be feared before 2^90. That a member holds the key proves nothing, so each signal is signed.

Spec: protocol/spec/50-content.md, [CNT-80] to [CNT-84]
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from e2ecore.crypto.aead import XCHACHA20_POLY1305
from e2ecore.crypto.errors import DecryptionError
from e2ecore.crypto.rng import Rng
from e2ecore.crypto.secret import Secret
from e2ecore_protocol.content.signals import SIGNAL_KEY_LABEL, Typing, decode_signal, pad, unpad
from e2ecore_protocol.limits import SIGNAL_BYTES, SIGNAL_NONCE_BYTES

_NO_AAD: Final = b""
"""The key is of one conversation and one epoch already."""


class SignalKey(Secret):
    """Seals the signals of one conversation in one epoch."""


class Place(NamedTuple):
    """Where a signal is said."""

    conversation: bytes
    epoch: int


def signal_key(export: Callable[[str, bytes, int], bytes], conversation: bytes) -> SignalKey:
    """Return the key of the present epoch.

    Args:
        export: ``Group.export``.
        conversation: Its id.
    """
    size = XCHACHA20_POLY1305.key_size
    return SignalKey(export(SIGNAL_KEY_LABEL, conversation, size))


def seal_signal(key: SignalKey, signal: Typing, rng: Rng) -> bytes:
    """Return the payload of a Signal frame. Sign the signal first."""
    nonce = rng(SIGNAL_NONCE_BYTES)
    sealed = XCHACHA20_POLY1305.seal(key.raw, nonce, pad(signal.encode()), _NO_AAD)
    return nonce + sealed


def open_signal(key: SignalKey, payload: bytes) -> Typing | None:
    """Return what a signal says; None if that is of a kind that is not known here.

    Its signature is not checked yet.

    Raises:
        DecryptionError: It is of another epoch or conversation, or was changed.
        MalformedError: A member has sealed something that is no signal.
    """
    if len(payload) != SIGNAL_BYTES:
        raise DecryptionError("a signal of another size")
    nonce, sealed = payload[:SIGNAL_NONCE_BYTES], payload[SIGNAL_NONCE_BYTES:]
    return decode_signal(unpad(XCHACHA20_POLY1305.open(key.raw, nonce, sealed, _NO_AAD)))
