"""The consent to several devices is over: the oldest device removes the others, the moment it is.

A removal cannot be taken back, and devices erase themselves for it. So no clock alone decides: it
has to be over by this machine's and by the relay's, compared after the moment itself. A clock that
was set a year ahead removes nobody: with it there is no new connection.

Spec: protocol/spec/80-chain-and-consent.md, [CHN-19], [CHN-20]
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from e2ecore.crypto.signing import ED25519
from e2ecore.engine.account.consents import settle
from e2ecore.engine.account.own_chain import grow_own_chain, own_chain, store_own_chain
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.state import read_chain
from e2ecore.errors import E2EError
from e2ecore.storage.tx import Tx
from e2ecore.transport.errors import ConnectionLostError
from e2ecore_protocol.chain.bodies import MULTI_DEVICE_SYNC, DeviceRemoved, RemovalReason
from e2ecore_protocol.chain.state import AccountState, extend

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core
    from e2ecore.engine.running.effects import Outgoing
    from e2ecore.transport.link import Link

LOOK_S: Final = 60.0
"""How long nobody looks at the clock: it may be set, and the machine may sleep."""


async def keep_lapses(core: "Core") -> None:
    """Wait for the end of the consent to several devices, for the life of the engine."""
    compared: Link[Outgoing] | None = None
    while True:
        link, wait_ms = core.link, left_ms(core)
        if wait_ms is None or wait_ms > 0:
            compared = link
        elif link is not None and link is compared:
            core.break_link(ConnectionLostError())  # with the next one the clocks are compared anew
        elif link is not None:
            with suppress(E2EError):  # tried again after a while
                await lapse(core)
        pause_s = LOOK_S if wait_ms is None or wait_ms <= 0 else min(LOOK_S, wait_ms / 1000)
        await core.upkeep.to_lapse.wait_for(pause_s)


def left_ms(core: "Core") -> int | None:
    """Return how long all devices still count; 0 or less: not any more; None: no end is known."""
    if core.account is None:
        return None
    return core.read(partial(_wait_ms, account_id=core.account_id, now_ms=earlier_ms(core)))


def earlier_ms(core: "Core") -> int:
    """Return the time by this machine's clock or the relay's, whichever is behind."""
    return core.clock_ms() + min(0, core.signals.ahead_ms)


def _wait_ms(tx: Tx, account_id: bytes, now_ms: int) -> int | None:
    chain = read_chain(tx, account_id)
    if chain is None:
        return None
    ends = [
        one.expires_ms
        for one in chain.consents.values()
        if one.purpose == MULTI_DEVICE_SYNC and one.withdrawn_ms is None
    ]
    if any(end is None for end in ends):
        return None
    left_ms = max([end for end in ends if end is not None], default=now_ms) - now_ms
    return left_ms if left_ms > 0 or _over(chain, now_ms) else None


async def lapse(core: "Core") -> None:
    """Remove the devices that no consent covers any more; or, being one of them, go.

    Raises:
        E2EError: The relay was not reached, or refused.
    """
    await settle(core)  # perhaps the person has agreed anew
    now = earlier_ms(core)
    chain = await core.jobs.run(own_chain)
    own = await core.jobs.run(lambda job: job.own)
    over = _over(chain, now)
    if own.device_id in over:
        core.break_link(ConnectionLostError())  # the relay does not take us back
    elif over and own.holds_identity:
        entries = await grow_own_chain(core, partial(core.jobs.run, partial(_removals, now_ms=now)))
        await core.jobs.run(partial(store_own_chain, entries=entries))


def _over(chain: AccountState, now_ms: int) -> set[bytes]:
    valid = {one.device_id for one in chain.valid_devices(now_ms)}
    return {one.device_id for one in chain.live_devices()} - valid


def _removals(job: Job, now_ms: int) -> Sequence[bytes]:
    chain = own_chain(job)
    entries = []
    for device_id in sorted(_over(chain, now_ms) - {job.own.device_id}):
        body = DeviceRemoved(device_id, RemovalReason.CONSENT_EXPIRED)
        entry = chain.next_entry(body, now_ms=now_ms, sign=job.own.identity.sign)
        chain = extend(chain, [entry], ED25519.verify)
        entries.append(entry.encode())
    return entries
