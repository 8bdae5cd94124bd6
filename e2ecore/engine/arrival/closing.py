"""Which close of a poll counts; and what follows for this device's own vote.

Needs a transaction and nothing else, for a close of ours takes its place in between: when the relay
has given it its number.
"""

from collections.abc import Iterable

from e2ecore.messaging.polls import Revealed, decode_counted, from_mask, replaces
from e2ecore.storage import polls
from e2ecore.storage.messages import ORDER_BITS
from e2ecore.storage.polls import CloseRow
from e2ecore.storage.tx import Tx


def revealed(tx: Tx, message: int) -> list[Revealed]:
    """Return what was opened of a poll's votes, whether or not it counts."""
    return [
        Revealed(one.account_id, one.commitment, from_mask(one.choices))
        for one in polls.reveals(tx, message)
    ]


def count_close(tx: Tx, own_id: bytes, row: CloseRow) -> bool:
    """Store a close if it counts, and have our own vote opened then; return whether it does."""
    known = polls.close(tx, row.message)
    if not replaces(None if known is None else known.seq, row.seq):
        return False
    polls.put_close(tx, row)
    ours = decode_counted(row.counted).get(own_id)
    if ours is not None:
        told = {one.commitment for one in polls.reveals_of(tx, row.message, own_id)}
        polls.set_due(tx, row.message, ours, is_due=ours not in told)
    return True


def count_own_closes(tx: Tx, own_id: bytes, accepted: Iterable[tuple[int, int]]) -> set[int]:
    """The relay has given rows of the outbox their numbers: count closes of ours among them.

    Args:
        tx: A transaction that may write.
        own_id: Our account.
        accepted: Pairs of the number of a row and the relay's number.

    Returns:
        Conversations in which something is to be opened now, perhaps.
    """
    numbers = dict(accepted)
    found = set()
    for row in polls.take_closing(tx, numbers):
        count_close(tx, own_id, CloseRow(row.message, numbers[row.oid], own_id, row.counted))
        found.add(row.message >> ORDER_BITS)
    return found
