"""Who is there? A device signs the relay's name and this connection's nonce with its own key."""

from collections.abc import Callable
from typing import Final, NamedTuple

import anyio
import anyio.to_thread
import nacl.bindings
import nacl.exceptions

from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import Account, Authenticate, DeviceAddress, authentication_message
from e2ecore_protocol.versions import MIN_PROTOCOL_VERSION, PROTOCOL_VERSION
from e2ecore_relay.domain import accounts, key_packages
from e2ecore_relay.domain.coverage import Covered
from e2ecore_relay.domain.errors import BadSignatureError, RefusedError
from e2ecore_relay.domain.exchange import Turn
from e2ecore_relay.domain.feed import Unread
from e2ecore_relay.domain.ports import Ledger
from e2ecore_relay.server.hub import Hub

_REMOVED: Final = frozenset({ErrorCode.DEVICE_REVOKED, ErrorCode.ACCOUNT_CLOSED})


class Welcome(NamedTuple):
    """What is known of a device that has just come."""

    covered: Covered
    unread: list[Unread]
    key_packages_left: int


def verify(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Check an Ed25519 signature.

    Raises:
        BadSignatureError: It does not fit.
    """
    try:
        nacl.bindings.crypto_sign_open(signature + message, public_key)
    except (nacl.exceptions.CryptoError, ValueError) as error:
        raise BadSignatureError("signature does not fit") from error


async def authenticate(
    hub: Hub,
    frame: Authenticate,
    nonce: bytes,
    enter: Callable[[Welcome], None],
    tell: Callable[[Account], None],
) -> None:
    """Check the proof; then let the device in.

    The check reads and computes in a worker thread, so that forged ones cost the writer nothing.
    ``enter`` is called on the event loop between two batches: no delivery is missed or doubled.
    A device that was removed is told the entries of the chain that say so: it need not believe us.

    Raises:
        RefusedError: Not a device that may connect.
    """
    if not MIN_PROTOCOL_VERSION <= frame.version <= PROTOCOL_VERSION:
        raise RefusedError(ErrorCode.VERSION_UNSUPPORTED)
    address = DeviceAddress(frame.account_id, frame.device_id)
    message = authentication_message(
        frame.version, hub.config.server_name, nonce, frame.account_id, frame.device_id
    )

    def prove(ledger: Ledger) -> list[Account]:
        return _proven(ledger, address, hub.clock_ms(), message, frame.signature)

    def connect(turn: Turn) -> Welcome:
        exchange, ledger, now_ms = turn
        covered = accounts.usable_device(ledger, address, now_ms)
        device = covered.device.device
        left = key_packages.left(turn, device)
        return Welcome(covered, exchange.connect(ledger, device), left)

    proof = await anyio.to_thread.run_sync(hub.store.read, prove, limiter=hub.proof_threads)
    for page in proof:
        tell(page)
    failed: list[Exception] = []
    done = anyio.Event()

    def connected(outcome: Welcome | Exception) -> None:
        if isinstance(outcome, Exception):
            failed.append(outcome)
        else:
            enter(outcome)
        done.set()

    hub.store.call(connect, connected)
    await done.wait()
    if failed:
        raise failed[0]


def _proven(
    ledger: Ledger, address: DeviceAddress, now_ms: int, message: bytes, signature: bytes
) -> list[Account]:
    """Check that a device is there. Return what shows it that it was removed; else nothing."""
    try:
        device = accounts.usable_device(ledger, address, now_ms).device
    except RefusedError as refusal:
        if refusal.code not in _REMOVED:
            raise
        device = ledger.accounts.devices([address])[address]
    try:
        verify(device.key, message, signature)
    except BadSignatureError as error:
        raise RefusedError(ErrorCode.BAD_SIGNATURE) from error
    return [] if device.live else accounts.removal_of(ledger, address)
