"""The end of blobs, in four steps that each may be the last before a crash.

1. ``condemn``: whose time is over loses its share; committed.
2. The shell overwrites what the database still holds of these shares (its log, free pages).
3. The shell deletes the bytes.
4. ``bury``: rows become receipts, and the senders are told; committed.

After a crash a doomed blob is still there as doomed, and steps 2 to 4 are done again; each does no
harm twice. Bytes are written only after their row was committed and deleted before it is, so that
bytes without a row are left over and can go (``orphans``).

Spec: protocol/spec/40-blobs.md, [BLB-53]
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from typing import Final

from e2ecore_protocol.frames.blobs import (
    BlobsDeleted,
    DeletionReason,
    DeletionReceipt,
    receipt_message,
)
from e2ecore_protocol.frames.delivery import EnvelopeKind, make_envelope_id
from e2ecore_protocol.limits import BLOB_RECEIPT_KEPT_S, MAX_BLOBS_PER_FRAME
from e2ecore_relay.domain.blob_ports import Blob, BlobBytes, BlobTable, Kept
from e2ecore_relay.domain.blobs import BlobKeeper
from e2ecore_relay.domain.clock import BlobTime
from e2ecore_relay.domain.exchange import Turn

_NOTICE_RANDOM_BYTES: Final = 10
"""Random part of the envelope ids of notices."""


def condemn(table: BlobTable, time: BlobTime, limit: int) -> list[Blob]:
    """Destroy the shares of blobs whose time is over, at most ``limit``. Return them."""
    due = table.due(time.now_ms, limit)
    table.doom([(blob.blob, blob.reason) for blob in due])
    return due


def bury(
    keeper: BlobKeeper, turn: Turn, time: BlobTime, doomed: Sequence[Blob]
) -> list[DeletionReceipt]:
    """Bytes and shares are gone: sign that, and tell the devices that made the blobs.

    Args:
        keeper: Who signs.
        turn: The open transaction.
        time: What time it is.
        doomed: Blobs whose shares and bytes are gone. Those that are buried are passed over.

    Returns:
        The receipts, in the order of the blobs' devices.
    """
    table = turn.ledger.blobs
    still = table.find([blob.blob_id for blob in doomed])
    blobs = sorted(still.values(), key=lambda blob: blob.device)
    kept = [(blob.blob, Kept(blob.device, _receipt(keeper, time, blob))) for blob in blobs]
    table.bury(kept, time.later_ms + BLOB_RECEIPT_KEPT_S * 1000)
    senders = {blob.device: blob.account for blob in blobs}
    for device, group in groupby([one for _, one in kept], key=lambda one: one.device):
        receipts = [one.receipt for one in group]
        for at in range(0, len(receipts), MAX_BLOBS_PER_FRAME):
            part = tuple(receipts[at : at + MAX_BLOBS_PER_FRAME])
            _tell(keeper, turn, (device, senders[device]), part)
    return [one.receipt for _, one in kept]


def _receipt(keeper: BlobKeeper, time: BlobTime, blob: Blob) -> DeletionReceipt:
    message = receipt_message(keeper.server_name, blob.blob_id, blob.reason, time.later_ms)
    return DeletionReceipt(blob.blob_id, blob.reason, time.later_ms, keeper.sign(message))


def _tell(
    keeper: BlobKeeper,
    turn: Turn,
    sender: tuple[int, int],
    receipts: tuple[DeletionReceipt, ...],
) -> None:
    live = {device.device for device in turn.ledger.accounts.live_devices([sender[1]])}
    if sender[0] not in live:
        return
    envelope_id = make_envelope_id(turn.now_ms, keeper.rng(_NOTICE_RANDOM_BYTES))
    notice = BlobsDeleted(receipts).encode()
    wire = (EnvelopeKind.NOTICE.value, 0, envelope_id, notice, None)
    turn.exchange.post(turn.ledger, [sender], wire, turn.now_ms)


def orphans(table: BlobTable, names: Collection[bytes]) -> list[bytes]:
    """Return which of some bytes have no row: left over, and of no use to anybody."""
    known = table.known(names)
    return [name for name in names if name not in known]


def lost(store: BlobBytes, blobs: Iterable[Blob]) -> list[int]:
    """Return the numbers of complete blobs whose bytes are not all there."""
    return [blob.blob for blob in blobs if store.size(blob.blob_id) != blob.size]


def give_up(table: BlobTable, blobs: Iterable[int]) -> None:
    """Doom blobs whose bytes are lost. What was doomed since it was looked at stays as it is."""
    table.doom([(blob, DeletionReason.LOST) for blob in blobs])
