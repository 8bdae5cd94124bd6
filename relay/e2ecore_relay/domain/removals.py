"""Devices that their account has removed: what is kept for them goes, and the relay signs that.

All in the transaction that appends the entry: there is no moment in which the chain says that a
device is gone and something still waits for it, and none in which it is deleted and not signed.

Spec: protocol/spec/80-chain-and-consent.md, [CHN-50]
"""

from collections.abc import Sequence
from typing import Final

from e2ecore_protocol.chain.state import AccountState
from e2ecore_protocol.frames.delivery import EnvelopeKind, make_envelope_id
from e2ecore_protocol.frames.removals import (
    DeviceReceipt,
    DevicesErased,
    Erased,
    device_receipt_message,
)
from e2ecore_protocol.limits import MAX_DEVICES
from e2ecore_relay.domain import blobs
from e2ecore_relay.domain.blobs import BlobKeeper
from e2ecore_relay.domain.exchange import Turn
from e2ecore_relay.domain.ports import StoredDevice

_NOTICE_RANDOM_BYTES: Final = 10
"""Random part of the envelope ids of notices."""


def erase(
    keeper: BlobKeeper, turn: Turn, state: AccountState, gone: Sequence[StoredDevice]
) -> None:
    """Delete what is kept for devices alone, sign that, and tell those that stay.

    Args:
        keeper: Who signs.
        turn: The open transaction.
        state: What the chain says now.
        gone: Devices of this account that are live no more.
    """
    packages = turn.ledger.key_packages.count([one.device for one in gone])
    erased = [_drop(turn, one, packages[one.device]) for one in gone]
    turn.ledger.key_packages.discard([one.device for one in gone])
    stay = turn.ledger.accounts.live_devices({one.account for one in gone})
    if not stay:
        return  # the account is closed, or nobody is left in it
    pairs = zip(gone, erased, strict=True)
    receipts = [_receipt(keeper, state, one, found, turn.now_ms) for one, found in pairs]
    readers = [(one.device, one.account) for one in stay]
    for at in range(0, len(receipts), MAX_DEVICES):
        envelope_id = make_envelope_id(turn.now_ms, keeper.rng(_NOTICE_RANDOM_BYTES))
        part = tuple(receipts[at : at + MAX_DEVICES])
        notice = DevicesErased(keeper.receipt_key, part).encode()
        wire = (EnvelopeKind.NOTICE.value, 0, envelope_id, notice, None)
        turn.exchange.post(turn.ledger, readers, wire, turn.now_ms)


def _drop(turn: Turn, gone: StoredDevice, packages: int) -> Erased:
    exchange, ledger, _ = turn
    waiting = exchange.waiting(ledger, gone.device)
    exchange.drop(ledger, [(lid, gone.device) for lid in ledger.logs.routes_of(gone.device)])
    return Erased(*waiting, packages, blobs.device_left(ledger, gone.device, None))


def _receipt(
    keeper: BlobKeeper, state: AccountState, gone: StoredDevice, erased: Erased, now_ms: int
) -> DeviceReceipt:
    device_id = gone.address.device_id
    reason = int(state.devices[device_id].removed_for or 0)
    message = device_receipt_message(
        *(keeper.server_name, state.account_id, device_id),
        reason=reason,
        erased=erased,
        time_ms=now_ms,
    )
    return DeviceReceipt(device_id, reason, erased, now_ms, keeper.sign(message))
