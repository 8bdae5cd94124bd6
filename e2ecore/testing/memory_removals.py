"""Devices that their account has removed, at the relay in memory.

Spec: protocol/spec/80-chain-and-consent.md, [CHN-50]
"""

from collections.abc import Collection
from typing import NamedTuple

from e2ecore.testing.memory_blobs import MemoryBlobs
from e2ecore.testing.memory_log import MemoryLog
from e2ecore.testing.memory_people import MemoryPeople
from e2ecore_protocol.chain.state import AccountState
from e2ecore_protocol.frames.accounts import Account, FetchChain
from e2ecore_protocol.frames.conversations import DeviceAddress
from e2ecore_protocol.frames.delivery import INBOX
from e2ecore_protocol.frames.removals import (
    DeviceReceipt,
    DevicesErased,
    Erased,
    device_receipt_message,
)
from e2ecore_protocol.limits import MAX_ENTRIES_PER_FRAME


class Kept(NamedTuple):
    """Where the relay keeps things for devices."""

    logs: Collection[MemoryLog]
    people: MemoryPeople
    blobs: MemoryBlobs


class Removal(NamedTuple):
    """What a device is shown that was removed."""

    key: bytes
    pages: list[Account]


def live(state: AccountState) -> set[DeviceAddress]:
    """Return the devices of an account that were not removed."""
    return {DeviceAddress(state.account_id, one.device_id) for one in state.live_devices()}


def erase(
    kept: Kept, before: AccountState, after: AccountState, now_ms: int
) -> tuple[set[DeviceAddress], list[DeviceAddress], DevicesErased]:
    """Delete what is kept for devices that a chain has removed.

    Returns:
        Those devices, whom to tell, and the proof.
    """
    stay = live(after)
    gone = live(before) - stay
    receipts = [_receipt(kept, after, one.device_id, now_ms) for one in sorted(gone)]
    if after.closed:
        kept.blobs.account_closed(after.account_id)
    told = sorted(stay) if gone else []
    return gone, told, DevicesErased(kept.blobs.key.public, tuple(receipts))


def _receipt(kept: Kept, state: AccountState, device_id: bytes, now_ms: int) -> DeviceReceipt:
    erased, blobs = _drop(kept, device_id), kept.blobs
    reason = int(state.devices[device_id].removed_for or 0)
    message = device_receipt_message(
        *(blobs.server_name, state.account_id, device_id),
        reason=reason,
        erased=erased,
        time_ms=now_ms,
    )
    return DeviceReceipt(device_id, reason, erased, now_ms, blobs.key.sign(message))


def _drop(kept: Kept, device_id: bytes) -> Erased:
    unread = conversations = 0
    for log in kept.logs:
        reader = log.readers.pop(device_id, None)
        if reader is not None:
            until = log.head if reader.until is None else min(reader.until, log.head)
            unread += until - reader.cursor
            conversations += log.log_id != INBOX
    packages, blobs = kept.people.discard(device_id), kept.blobs.left(device_id)
    return Erased(unread, conversations, packages, blobs)


def removal_of(people: MemoryPeople, device: DeviceAddress) -> Removal | None:
    """Return what shows a device that it was removed; None if it was not."""
    account = people.accounts.get(device.account_id)
    known = None if account is None else account.state.devices.get(device.device_id)
    if account is None or known is None or known.removed_ms is None:
        return None
    pages = [
        people.fetch(FetchChain(0, device.account_id, at))
        for at in range(known.added_seq, account.state.head_seq + 1, MAX_ENTRIES_PER_FRAME)
    ]
    return Removal(known.key, pages)
