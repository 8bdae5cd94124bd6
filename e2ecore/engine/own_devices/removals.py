"""Devices that were removed: the relay's proof that it keeps nothing for them; checked, kept.

Spec: protocol/spec/80-chain-and-consent.md, [CHN-50] to [CHN-52]
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import anyio

from e2ecore.crypto.errors import SignatureError
from e2ecore.crypto.signing import ED25519
from e2ecore.engine.files.file_status import pin_key
from e2ecore.engine.own_devices.device_values import DeviceErasure
from e2ecore.engine.running.job import Job
from e2ecore.engine.telling.device_events import (
    DeviceErased,
    DeviceReceiptLate,
    ThisDeviceRemoved,
)
from e2ecore.engine.values import ConnectionState
from e2ecore.errors import PeerError
from e2ecore.ids import DeviceId
from e2ecore.storage import removals, settings
from e2ecore.storage.removals import RemovalRow
from e2ecore_protocol.chain.bodies import RemovalReason
from e2ecore_protocol.chain.state import AccountState
from e2ecore_protocol.frames.removals import DeviceReceipt, DevicesErased, device_receipt_message
from e2ecore_protocol.limits import DEVICE_RECEIPT_LATE_S, SECOND_MS

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

PARTING: Final = "parting"
"""The setting that is there once this device is to erase itself; the reason, in one byte."""
LOOK_S: Final = 60.0
"""How often receipts that are due are looked for."""


class ReceiptInvalidError(PeerError):
    """What the relay says of a removed device does not bear its signature. It was not kept."""


def note_removed(job: Job, chain: AccountState, device_ids: Iterable[bytes]) -> None:
    """Devices of ours were removed: from now on a proof is due. Or this one: see ``parting``."""
    for device_id in device_ids:
        reason = chain.devices[device_id].removed_for
        if reason is None:
            continue  # the whole account is closed
        if device_id == job.own.device_id:
            _part(job, reason)
        elif removals.get(job.tx, device_id) is None:
            removals.save(job.tx, RemovalRow(device_id, int(reason), job.now_ms))


def _part(job: Job, reason: RemovalReason) -> None:
    if reason.erases:
        settings.put(job.tx, PARTING, bytes([reason]))
        job.effects.events.append(ThisDeviceRemoved(job.own.account_id, reason))
        job.effects.is_parting = True


def take_erasures(job: Job, server_name: str, notice: DevicesErased) -> None:
    """Check receipts and keep them.

    Raises:
        ReceiptKeyChangedError: The relay signs by another key than before.
        ReceiptInvalidError: One is not signed.
    """
    pin_key(job, server_name, notice.receipt_key)
    for one in notice.receipts:
        _check(job, server_name, notice.receipt_key, one)
        known = removals.get(job.tx, one.device_id)
        if known is not None and known.signature:
            continue
        since_ms = job.now_ms if known is None else known.since_ms
        row = RemovalRow(
            *(one.device_id, one.reason, since_ms, 0, server_name, one.time_ms),
            *(*one.erased, one.signature),
        )
        removals.save(job.tx, row)
        erasure = erasure_of(row)
        if erasure is not None:
            job.effects.events.append(DeviceErased(DeviceId(one.device_id), erasure))
    job.effects.fetch.add(job.own.account_id)  # another device of ours has removed it


def _check(job: Job, server_name: str, key: bytes, one: DeviceReceipt) -> None:
    message = device_receipt_message(
        *(server_name, job.own.account_id, one.device_id),
        reason=one.reason,
        erased=one.erased,
        time_ms=one.time_ms,
    )
    try:
        ED25519.verify(key, message, one.signature)
    except SignatureError:
        raise ReceiptInvalidError from None


def erasure_of(row: RemovalRow | None) -> DeviceErasure | None:
    """Return what the relay has signed of a removed device."""
    if row is None or not row.signature:
        return None
    return DeviceErasure(
        *(row.deleted_ms, row.envelopes, row.conversations, row.key_packages, row.blobs),
        *(row.server_name, row.signature),
    )


async def keep_removals(core: "Core") -> None:
    """Tell of receipts that are late, though the relay is there; for the life of the engine."""
    while True:
        await core.all_here.wait()
        if core.connection is ConnectionState.ONLINE:
            await core.jobs.run(_tell_late)
        await anyio.sleep(LOOK_S)


def _tell_late(job: Job) -> None:
    before_ms = job.now_ms - DEVICE_RECEIPT_LATE_S * SECOND_MS
    for row in removals.late(job.tx, before_ms):
        removals.save(job.tx, row._replace(told_late=1))
        job.effects.events.append(DeviceReceiptLate(DeviceId(row.device_id), row.since_ms))
