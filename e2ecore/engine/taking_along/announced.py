"""Parts of a history that another device of ours has brought to the relay, as they are announced.

Spec: protocol/spec/76-history-transfer.md
"""

from typing import Final

from e2ecore.consent.purposes import Purpose
from e2ecore.engine.files.file_showing import encode_item
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.mirror import Mirror, Peer
from e2ecore.engine.taking_along.history_values import (
    HistoryTransfer,
    HistoryTransferChanged,
    TransferState,
)
from e2ecore.ids import DeviceId
from e2ecore.storage import attachments
from e2ecore.storage import history_transfers as transfers
from e2ecore.storage.attachments import AttachmentRow, FileState, Owed
from e2ecore.storage.history_transfers import PartRow, TakingRow, TakingState
from e2ecore.storage.messages import message_row_id
from e2ecore_protocol.content.history import HistoryPart, decode_history_part

_STATES: Final = {
    TakingState.TAKING: TransferState.UNDER_WAY,
    TakingState.TAKEN: TransferState.TAKEN,
    TakingState.LOST: TransferState.UNDER_WAY,
    TakingState.INCOMPLETE: TransferState.INCOMPLETE,
}


def shown_taking(row: TakingRow) -> HistoryTransfer:
    """Return a taking as the app sees it."""
    state = _STATES[TakingState(row.state)]
    return HistoryTransfer(
        row.transfer, DeviceId(row.device_id), is_given=False, state=state, messages=row.messages,
        total=None, withheld={}, began_ms=row.began_ms,
    )  # fmt: skip


def may_take(job: Job) -> bool:
    """Does the person's chain say that history may go from one of their devices to another?"""
    chain = job.state.chain(job.tx, job.own.account_id)
    return chain is not None and chain.has_consent(Purpose.HISTORY_TRANSFER, job.now_ms)


def take_part(job: Job, mirror: Mirror, sender: Peer, body: bytes) -> None:
    """Note a part that another device of ours has brought to the relay.

    One that is for another device, or that the person has not agreed to, is only acknowledged, so
    that the relay need not keep it for us.
    """
    said, own, device_id = decode_history_part(body), job.own, sender.device_id
    if attachments.of_blob(job.tx, said.file.blob_id) is not None:
        return
    job.effects.history = True
    if said.device_id != own.device_id or not may_take(job):
        attachments.add(job.tx, _bare(said)._replace(owed=Owed.ACKNOWLEDGEMENT))
        return
    taking = transfers.taking(job.tx, said.transfer_id)
    if taking is None:
        taking = TakingRow(said.transfer_id, device_id, 0, 0, TakingState.TAKING, job.now_ms)
        transfers.save_taking(job.tx, taking)
        job.effects.events.append(HistoryTransferChanged(shown_taking(taking)))
    elif taking.device_id != device_id or said.number < taking.next:
        return
    if transfers.next_part(job.tx, said.transfer_id, said.number) is not None:
        return
    aid = attachments.add(job.tx, _bare(said))
    part = PartRow(0, said.transfer_id, said.number, device_id, aid, 0, 0, said.is_last)
    number = transfers.add_part(job.tx, part)
    # No message is there: this keeps the file from being taken for one that was left behind.
    named = _bare(said)._replace(
        aid=aid, message=message_row_id(mirror.cid, number), item=encode_item(said.file)
    )
    attachments.save(job.tx, named)


def _bare(said: HistoryPart) -> AttachmentRow:
    return AttachmentRow(0, 0, 0, 0, said.file.blob_id, b"", said.file.size, FileState.REMOTE)
