"""Tasks for our other devices: tell them what is new, compare with them, clean up behind them."""

from typing import TYPE_CHECKING, Final

import anyio

from e2ecore.engine.account.own_chain import own_chain
from e2ecore.engine.own_devices.handing import tell_confirmations
from e2ecore.engine.own_talk.op_talk import compare, tell_new
from e2ecore.engine.own_talk.own_group import own_group, several_count
from e2ecore.engine.running.job import Job
from e2ecore.engine.values import ConversationState
from e2ecore.storage import conversations, settings
from e2ecore.storage.tx import Tx

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

CONNECT_PATIENCE_S: Final = 10
"""How long opening waits for the relay; longer than a usual log-in takes."""
_IN_USE: Final = frozenset({ConversationState.ACTIVE, ConversationState.HEALING})
GATHER_S: Final = 0.1
"""How long what is done here is gathered before the other devices are told."""
COMPARE_MS: Final = 3600 * 1000
"""How often a device compares with another one at most, if nothing gives a reason to."""
_COMPARED: Final = "ops_compared"
"""The setting that says when a comparison was begun, and in which epoch."""
_BYTES: Final = 8


async def hear_siblings(core: "Core") -> None:
    """Wait until what our other devices said while we were away is stored here.

    The relay sends it first. Nothing that they have erased meanwhile is read before, therefore.
    Where the relay is not reached, or takes too long, there is no more to know for now.
    """
    uids = core.read(_own_uids)
    if core.dial is None or core.account is None or not uids:
        return
    core.state.hidden.update(uids)
    with anyio.move_on_after(CONNECT_PATIENCE_S):
        await core.upkeep.own_here.wait()


def _own_uids(tx: Tx) -> list[bytes]:
    rows = [conversations.get(tx, cid) for cid in conversations.of_own_devices(tx)]
    return [row.uid for row in rows if row is not None and row.state in _IN_USE]


async def tell_siblings(core: "Core") -> None:
    """Tell our other devices what was done here, for the life of the engine."""
    while True:
        await core.upkeep.to_tell.wait()
        await anyio.sleep(GATHER_S)
        if core.link is not None:
            await core.jobs.run(tell_new)  # else with the next connection


async def compare_with_siblings(core: "Core") -> None:
    """Compare with another device after we were away, and when a device was seated."""
    while True:
        await core.upkeep.to_compare.wait()
        await core.all_here.wait()
        await core.jobs.run(compare_if_due)


def compare_if_due(job: Job) -> None:
    """Compare with another device, if it is due: not too often, but when somebody is new."""
    mirror = own_group(job)
    if mirror is None or mirror.state != ConversationState.ACTIVE or not several_count(job):
        return
    stored = settings.get(job.tx, _COMPARED) or bytes(2 * _BYTES)
    last_ms, epoch = int.from_bytes(stored[:_BYTES]), int.from_bytes(stored[_BYTES:])
    is_new = epoch != mirror.epoch
    if not is_new and 0 <= job.now_ms - last_ms < COMPARE_MS:
        return
    own_id = job.own.device_id
    others = [
        one.device_id
        for one in own_chain(job).valid_devices(job.now_ms)
        if one.device_id != own_id and mirror.is_member(one.device_id)
    ]
    if not others:
        return
    put = job.now_ms.to_bytes(_BYTES) + mirror.epoch.to_bytes(_BYTES)
    settings.put(job.tx, _COMPARED, put)
    if is_new:
        tell_confirmations(job)
    turn = 0 if is_new else job.now_ms // COMPARE_MS
    compare(job, others[turn % len(others)])
