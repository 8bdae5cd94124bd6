"""Orders of the operator: which blob is to be deleted, by whose word, and what came of it.

An order destroys a share like anything else that ends a blob. There is none to read one. What was
ordered is recorded in the same transaction, for good.

Spec: protocol/spec/40-blobs.md, [BLB-56]
"""

from enum import IntEnum
from typing import NamedTuple, Protocol

from e2ecore_protocol.frames.blobs import DeletionReason
from e2ecore_relay.domain.blob_ports import BlobTable, Stage
from e2ecore_relay.domain.clock import BlobTime


class Found(IntEnum):
    """What an order found."""

    DESTROYED = 1
    """The blob was there. Its share is destroyed; bytes and receipt follow."""

    GONE = 2
    """It was gone, or going, before."""

    UNKNOWN = 3
    """This relay knows of no such blob."""


class Order(NamedTuple):
    """What the operator wants.

    Attributes:
        order_id: 16 random bytes: an order that is read twice is carried out once.
        blob_id: What to delete.
        reference: Why, in the operator's words: the number of a court's order, for example.
    """

    order_id: bytes
    blob_id: bytes
    reference: str


class OrderRecord(NamedTuple):
    """What is kept of an order."""

    order: Order
    time_ms: int
    found: Found


class OrderTable(Protocol):
    """Orders that were carried out. Nothing is ever changed or deleted here."""

    def find(self, order_id: bytes) -> OrderRecord | None:
        """Return one; None if it was not carried out."""
        ...

    def add(self, record: OrderRecord) -> None:
        """Keep one, for good."""
        ...

    def after(self, number: int, limit: int) -> list[tuple[int, OrderRecord]]:
        """Return records with higher numbers, in the order in which they were carried out."""
        ...


def carry_out(blobs: BlobTable, orders: OrderTable, time: BlobTime, order: Order) -> OrderRecord:
    """Destroy the share of a blob, and record that, in the open transaction."""
    before = orders.find(order.order_id)
    if before is not None:
        return before
    blob = blobs.find([order.blob_id]).get(order.blob_id)
    if blob is not None and blob.stage is not Stage.DOOMED:
        blobs.doom([(blob.blob, DeletionReason.OPERATOR)])
        found = Found.DESTROYED
    else:
        is_known = blob is not None or bool(blobs.receipts([order.blob_id]))
        found = Found.GONE if is_known else Found.UNKNOWN
    record = OrderRecord(order, time.later_ms, found)
    orders.add(record)
    return record
