"""Messages that erase themselves a while after they were stored, as their senders wished."""

from e2ecore.engine.values import MessageKind
from e2ecore.messaging.marks import decode_marks
from e2ecore.storage import expiries
from e2ecore.storage.messages import MessageRow
from e2ecore.storage.tx import Tx
from e2ecore_protocol.limits import SECOND_MS


def expire(tx: Tx, row: MessageRow) -> None:
    """Note when a message that was just stored is to be erased, if it is."""
    if row.kind != MessageKind.TEXT or not row.ext:
        return
    lifetime_s = decode_marks(row.ext).extras.lifetime_s
    if lifetime_s is not None:
        expiries.add(tx, row.id, row.stored_ms + lifetime_s * SECOND_MS)
