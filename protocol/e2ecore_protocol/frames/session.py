"""Frames of the connection itself: who are you, go on, this failed, go away."""

from dataclasses import dataclass
from typing import ClassVar

from e2ecore_protocol.chain.bodies import purpose_name
from e2ecore_protocol.codec import Wire, pack
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.limits import (
    ACCOUNT_ID_BYTES,
    DEVICE_ID_BYTES,
    MAX_DETAIL_BYTES,
    MAX_RETRY_AFTER_MS,
    MAX_SERVER_NAME_BYTES,
    NONCE_BYTES,
    SIGNATURE_BYTES,
)
from e2ecore_protocol.shape import Check, choice, exactly, integer, maybe, number, request, text
from e2ecore_protocol.shape import time_ms as a_time

_AUTHENTICATION_LABEL = b"e2ecore auth v1"
_VERSION = integer(0xFFFF, 1)
_PAUSE = integer(MAX_RETRY_AFTER_MS)
_ACCOUNT_ID = exactly(ACCOUNT_ID_BYTES)


def _failure_data(value: Wire) -> int | bytes | str | None:
    if type(value) is str:
        return purpose_name(value)
    return _ACCOUNT_ID(value) if type(value) is bytes else maybe(number)(value)


@dataclass(frozen=True, slots=True)
class Challenge(Frame):
    """Relay, first frame of a connection: what it is and what to sign.

    ``server_name`` is the relay's own name, chosen by its operator; the client compares it with the
    one it knows from earlier, if any. ``now_ms`` is the relay's clock, which judges lifetimes.
    """

    TYPE: ClassVar[int] = 64
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        _VERSION,
        _VERSION,
        text(MAX_SERVER_NAME_BYTES, 1, max_bytes=MAX_SERVER_NAME_BYTES),
        exactly(NONCE_BYTES),
        a_time,
    )
    min_version: int
    max_version: int
    server_name: str
    nonce: bytes
    now_ms: int


@dataclass(frozen=True, slots=True)
class Authenticate(Frame):
    """Client: this is the device, and here is its signature over ``authentication_message``.

    Answered by Ready, or by GoAway and the end of the connection.
    """

    TYPE: ClassVar[int] = 2
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        _VERSION,
        exactly(ACCOUNT_ID_BYTES),
        exactly(DEVICE_ID_BYTES),
        exactly(SIGNATURE_BYTES),
    )
    version: int
    account_id: bytes
    device_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Ready(Frame):
    """Relay: the device is authenticated. What waits for it follows without being asked for.

    ``key_packages_left`` counts one-time key packages only.
    """

    TYPE: ClassVar[int] = 65
    SHAPE: ClassVar[tuple[Check[object], ...]] = (a_time, number)
    now_ms: int
    key_packages_left: int


@dataclass(frozen=True, slots=True)
class Ok(Frame):
    """Relay: the request was carried out, and there is nothing more to say."""

    TYPE: ClassVar[int] = 66
    SHAPE: ClassVar[tuple[Check[object], ...]] = (request,)
    request: int


@dataclass(frozen=True, slots=True)
class Failed(Frame):
    """Relay: the request was refused; nothing was changed.

    ``detail`` is for developers and logs, never parsed. ``data`` is the current epoch for
    stale_epoch, future_epoch; the head's seq for chain_conflict; an account id for unknown_account,
    unknown_device, device_revoked, no_key_package, account_closed; the purpose for
    consent_required and guardian_required; else None.
    """

    TYPE: ClassVar[int] = 67
    SHAPE: ClassVar[tuple[Check[object], ...]] = (
        request,
        choice(ErrorCode),
        text(MAX_DETAIL_BYTES, max_bytes=MAX_DETAIL_BYTES),
        _PAUSE,
        _failure_data,
    )
    request: int
    code: ErrorCode
    detail: str = ""
    retry_after_ms: int = 0
    data: int | bytes | str | None = None


@dataclass(frozen=True, slots=True)
class GoAway(Frame):
    """Relay, last frame of a connection: why it ends, and when to come back at the earliest."""

    TYPE: ClassVar[int] = 68
    SHAPE: ClassVar[tuple[Check[object], ...]] = (choice(ErrorCode), _PAUSE)
    code: ErrorCode
    retry_after_ms: int = 0


def authentication_message(
    version: int, server_name: str, nonce: bytes, account_id: bytes, device_id: bytes
) -> bytes:
    """Return what a device signs to authenticate.

    Bound to the relay's name and to this connection's nonce: of no use elsewhere or later.
    """
    return _AUTHENTICATION_LABEL + pack((version, server_name, nonce, account_id, device_id))
