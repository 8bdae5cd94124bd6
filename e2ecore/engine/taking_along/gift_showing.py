"""What this device gives to another one, as the app sees it."""

from typing import Final

from e2ecore.engine.taking_along.history_values import HistoryTransfer, TransferState
from e2ecore.ids import DeviceId, GroupId
from e2ecore.storage.history_transfers import GiftRow, GiftState
from e2ecore_protocol.limits import CONVERSATION_ID_BYTES

NUMBER_BYTES: Final = 4
"""Of a count in a row."""
_STATES: Final = {
    GiftState.MAKING: TransferState.UNDER_WAY,
    GiftState.MADE: TransferState.UNDER_WAY,
    GiftState.GIVEN: TransferState.GIVEN,
    GiftState.ENDED: TransferState.ENDED,
}


def shown_gift(row: GiftRow) -> HistoryTransfer:
    """Return a gift as the app sees it."""
    step = CONVERSATION_ID_BYTES + NUMBER_BYTES
    withheld = {
        GroupId(row.withheld[at : at + CONVERSATION_ID_BYTES]): int.from_bytes(
            row.withheld[at + CONVERSATION_ID_BYTES : at + step]
        )
        for at in range(0, len(row.withheld), step)
    }
    return HistoryTransfer(
        row.transfer,
        DeviceId(row.device_id),
        is_given=True,
        state=_STATES[GiftState(row.state)],
        messages=row.messages,
        total=row.total,
        withheld=withheld,
        began_ms=row.began_ms,
    )
