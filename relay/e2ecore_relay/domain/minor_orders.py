"""Decisions of the operator on marks of children: carried out once, and recorded for good.

The record is made in the transaction that changes the mark. It says who, when, what and why, and no
date of the mark: that is forgotten with the mark itself.

Spec: protocol/spec/85-guardians.md, [GRD-4]
"""

from typing import NamedTuple

from e2ecore_relay.domain import guardians
from e2ecore_relay.domain.coverage import Coverage
from e2ecore_relay.domain.exchange import Turn
from e2ecore_relay.domain.guardian_ports import MarkReason, MinorRecord


class MinorOrder(NamedTuple):
    """Mark an account until a time, or lift its mark (None).

    Attributes:
        order_id: 16 random bytes: an order that is read twice is carried out once.
        account_id: Whose.
        until_ms: When the mark is to end.
        reason: What it stands on.
        reference: Where the papers are, in the operator's words.
    """

    order_id: bytes
    account_id: bytes
    until_ms: int | None
    reason: MarkReason
    reference: str


def carry_out(turn: Turn, order: MinorOrder, random: bytes) -> Coverage:
    """Change a mark, record that, and tell the account and its guardian.

    Args:
        turn: The open transaction.
        order: What is wanted.
        random: 10 random bytes for the ids of notices.

    Returns:
        What the account's consents come to now; nothing if this was carried out before.

    Raises:
        RefusedError: There is no such account, or the time is over, or too far ahead.
    """
    table = turn.ledger.minor_orders
    if table.has(order.order_id):
        return Coverage([], [], [])
    found = guardians.order(turn, order.account_id, order.until_ms, random)
    is_marked = order.until_ms is not None
    table.add(
        MinorRecord(
            *(order.order_id, order.account_id, is_marked),
            *(order.reason, order.reference, turn.now_ms),
        )
    )
    return found
