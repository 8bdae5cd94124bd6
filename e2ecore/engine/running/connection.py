"""The connection, kept.

Connect, authenticate, work, and try again with a growing, jittered pause.
"""

from typing import TYPE_CHECKING, Final

import anyio

from e2ecore.engine.account.accounts import supply_due
from e2ecore.engine.errors import AccountMovedError, DeviceRevokedError
from e2ecore.engine.own_devices.moving import depart, has_moved
from e2ecore.engine.own_devices.parting import take_proof
from e2ecore.engine.running.effects import Outgoing
from e2ecore.engine.running.restoring import restore_account
from e2ecore.engine.values import ConnectionState
from e2ecore.errors import E2EError
from e2ecore.transport.backoff import pause_ms
from e2ecore.transport.blobs import CarriesBlobs
from e2ecore.transport.errors import (
    ConnectionLostError,
    RelayProtocolError,
    RelayRefusedError,
    RelayUnreachableError,
    RemovalShownError,
)
from e2ecore.transport.link import Link
from e2ecore.transport.login import Credentials, Dial, FrameChannel, Frames, authenticate, greet
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.limits import AUTHENTICATION_TIMEOUT_S, KEY_PACKAGES_LOW

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

_REVOKED: Final = frozenset(
    {ErrorCode.DEVICE_REVOKED, ErrorCode.ACCOUNT_CLOSED, ErrorCode.UNKNOWN_DEVICE}
)
_STABLE_MS: Final = 5_000
"""A connection that lasted this long starts the pauses from the beginning."""


async def keep_connected(core: "Core") -> None:
    """Run for the life of the engine, from the moment there is an account."""
    while core.account is None:
        await core.registered.wait()
    if core.dial is None:
        return
    core.upkeep.move.is_done = core.upkeep.move.is_done or core.read(has_moved)
    failures = 0
    while not core.upkeep.move.is_done:
        began_ms = core.clock_ms()
        error = await _connect_once(core, core.dial)
        if core.clock_ms() - began_ms > _STABLE_MS:
            failures = 0
        failures += 1
        asked_ms = error.retry_after_ms if isinstance(error, RelayRefusedError) else 0
        core.set_connection(ConnectionState.WAITING, error)
        core.attempted(error)
        core.upkeep.own_here.settle()
        if core.upkeep.move.is_done:
            break
        await core.reconnect_signal.wait_for(pause_ms(failures, asked_ms, core.rng) / 1000)
    core.set_connection(ConnectionState.OFFLINE, AccountMovedError())
    core.all_here.settle(AccountMovedError())
    core.upkeep.own_here.settle()
    while True:  # tell whoever asks
        core.attempted(AccountMovedError())
        await core.reconnect_signal.wait()


async def _connect_once(core: "Core", dial: Dial) -> E2EError:
    """Connect and work until it breaks; return why."""
    core.set_connection(ConnectionState.CONNECTING)
    try:
        link = await _log_in(core, dial)
        core.link = link
        core.set_connection(ConnectionState.CATCHING_UP)
        core.connected()
        core.attempted()
        await link.run()
    except RelayRefusedError as error:
        return await _turned_away(core, dial, error)
    except E2EError as error:
        return error
    except Exception as error:  # noqa: BLE001 - whatever a relay sends must not end the program
        return RelayProtocolError(type(error).__name__)
    finally:
        core.forget_connection()
    return ConnectionLostError()


async def _turned_away(core: "Core", dial: Dial, error: RelayRefusedError) -> E2EError:
    """Act on a refusal; return why there is no connection."""
    if error.code is ErrorCode.UNKNOWN_ACCOUNT:
        return await _restore(core, dial, error)
    shown = await take_proof(core, error) if isinstance(error, RemovalShownError) else error
    if error.code is ErrorCode.DEVICE_REVOKED and await depart(core):
        return AccountMovedError()
    return DeviceRevokedError(str(error)) if error.code in _REVOKED else shown


async def _restore(core: "Core", dial: Dial, refusal: RelayRefusedError) -> E2EError:
    try:
        await restore_account(core, dial)
    except E2EError as error:
        return error
    return refusal


async def _log_in(core: "Core", dial: Dial) -> Link[Outgoing]:
    own = await core.jobs.run(lambda job: job.own)
    channel: FrameChannel | None = None
    try:
        with anyio.fail_after(AUTHENTICATION_TIMEOUT_S):
            channel = await dial()
            frames = Frames(channel)
            challenge = await greet(frames, core.clock_ms())
            who = Credentials(own.account_id, own.device_id, own.signer.sign)
            ready = await authenticate(frames, challenge, who)
            core.state.server_name = challenge.server_name
            core.upkeep.logged_in(challenge.now_ms)
            core.signals.ahead_ms = challenge.now_ms - core.clock_ms()
            core.state.ahead_ms = core.signals.ahead_ms
            core.desk.channel = channel.blobs if isinstance(channel, CarriesBlobs) else None
        is_due = await core.jobs.run(supply_due)
    except BaseException as error:
        if channel is not None:
            with anyio.CancelScope(shield=True):
                await channel.aclose()
        if isinstance(error, TimeoutError):
            raise RelayUnreachableError("no answer in time") from error
        raise
    core.key_packages_left = ready.key_packages_left
    if is_due or ready.key_packages_left <= KEY_PACKAGES_LOW:
        core.supply_signal.set()
    return Link(channel, core, frames.rest())
