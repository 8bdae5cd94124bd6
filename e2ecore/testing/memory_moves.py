"""Accounts that move, at the relay in memory.

Spec: protocol/spec/30-ordering.md, [ORD-50] to [ORD-52]
"""

from collections.abc import Collection

from e2ecore.testing.memory_log import MemoryLog, Reader, RefusedError
from e2ecore.testing.memory_removals import Kept, erase
from e2ecore_protocol.chain.bodies import DeviceRemoved
from e2ecore_protocol.chain.entry import Entry
from e2ecore_protocol.chain.state import AccountState
from e2ecore_protocol.errors import ErrorCode, MalformedError
from e2ecore_protocol.frames.accounts import AppendChain
from e2ecore_protocol.frames.conversations import DeviceAddress
from e2ecore_protocol.frames.delivery import INBOX
from e2ecore_protocol.frames.removals import DevicesErased


def append_chain(
    kept: Kept, device: DeviceAddress, frame: AppendChain, now_ms: int
) -> tuple[set[DeviceAddress], list[DeviceAddress], DevicesErased]:
    """Add entries to the own chain; if the account has moved, its new device is in the routes.

    Returns:
        As ``memory_removals.erase``.

    Raises:
        RefusedError: Nothing was changed.
    """
    account = kept.people.accounts[device.account_id]
    before = account.state
    if _removes(frame, device) and any(_waits(log, device.device_id) for log in kept.logs):
        raise RefusedError(ErrorCode.RATE_LIMITED)
    kept.people.append(device.account_id, frame)
    _succeed(kept.logs, before, account.state, now_ms)
    return erase(kept, before, account.state, now_ms)


def _removes(frame: AppendChain, device: DeviceAddress) -> bool:
    try:
        bodies = [Entry.decode(one).parse_body() for one in frame.entries]
    except MalformedError:
        return False
    return any(isinstance(one, DeviceRemoved) and one.device_id == device[1] for one in bodies)


def _waits(log: MemoryLog, device_id: bytes) -> bool:
    reader = log.readers.get(device_id)
    return reader is not None and bool(log.unread(device_id, reader.cursor, 1)[0])


def _succeed(
    logs: Collection[MemoryLog], before: AccountState, after: AccountState, now_ms: int
) -> None:
    live = after.live_devices()
    if len(live) != 1 or live[0].device_id in before.devices:
        return
    heir = live[0].device_id
    for log in logs:
        old = [one for one in before.live_devices() if log.is_member(one.device_id)]
        if log.log_id != INBOX and old and not log.is_member(heir):
            log.readers[heir] = Reader(log.head + 1, log.head)
            log.vacant_ms[heir] = now_ms
