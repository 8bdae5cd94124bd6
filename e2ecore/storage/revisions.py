"""Whether earlier words of edited messages are kept, everywhere and in single conversations."""

from typing import Final

from e2ecore.storage.messages import ORDER_BITS
from e2ecore.storage.tx import Tx

EVERYWHERE: Final = 0
"""Stands for all conversations of which nothing else is said."""
SLICE: Final = 500
"""Earlier words deleted in one transaction."""
_KEPT: Final = "SELECT kept FROM revision_choices WHERE cid = ?"
_OF_ONE: Final = "message >= ? AND message < ?"
_OF_OTHERS: Final = (
    f"message >> {ORDER_BITS} NOT IN (SELECT cid FROM revision_choices WHERE cid > 0 AND kept = 1)"  # noqa: S608 - a number of ours
)
_SOME: Final = "SELECT message, changed_ms, device_id FROM revisions WHERE {} LIMIT ?"
_DELETE: Final = "DELETE FROM revisions WHERE (message, changed_ms, device_id) IN ({})"


def choice(tx: Tx, cid: int) -> bool | None:
    """Return what was said of a conversation, or of ``EVERYWHERE``; None: nothing."""
    kept = tx.value(int, _KEPT, (cid,))
    return None if kept is None else bool(kept)


def are_kept(tx: Tx, cid: int) -> bool:
    """Answer whether earlier words of a conversation's messages are kept."""
    for place in (cid, EVERYWHERE):
        said = choice(tx, place)
        if said is not None:
            return said
    return True


def choose(tx: Tx, cid: int, kept: bool | None) -> None:  # noqa: FBT001 - a value that is stored
    """Say whether they are kept; None: say nothing."""
    if kept is None:
        tx.execute("DELETE FROM revision_choices WHERE cid = ?", (cid,))
    else:
        tx.execute("REPLACE INTO revision_choices (cid, kept) VALUES (?, ?)", (cid, int(kept)))


def forget_some(tx: Tx, cid: int) -> int:
    """Delete a slice of the earlier words that are not to be kept; return how many. 0: all gone.

    Args:
        tx: The transaction.
        cid: Conversation; ``EVERYWHERE``: all but those where they are kept.
    """
    if cid == EVERYWHERE:
        return tx.execute(_DELETE.format(_SOME.format(_OF_OTHERS)), (SLICE,))
    ends = (cid << ORDER_BITS, (cid + 1) << ORDER_BITS)
    return tx.execute(_DELETE.format(_SOME.format(_OF_ONE)), (*ends, SLICE))
