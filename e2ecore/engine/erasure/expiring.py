"""Messages that erase themselves a while after they were stored.

Their senders wished it, or all members have agreed on it.
"""

from e2ecore.engine.values import MessageKind
from e2ecore.messaging.marks import decode_marks
from e2ecore.storage import expiries
from e2ecore.storage.messages import MessageRow
from e2ecore.storage.tx import Tx
from e2ecore_protocol.limits import SECOND_MS


def expire(tx: Tx, row: MessageRow, lifetime_s: int | None = None) -> None:
    """Note when a message that was just stored is to be erased, if it is.

    Args:
        tx: The transaction that stored it.
        row: The message. A text says by itself how long it stays.
        lifetime_s: How long messages stay in its conversation, in seconds; None: for ever.
    """
    if row.kind == MessageKind.TEXT:
        lifetime_s = decode_marks(row.ext).extras.lifetime_s
    if lifetime_s is not None:
        expiries.add(tx, row.id, row.stored_ms + lifetime_s * SECOND_MS)
