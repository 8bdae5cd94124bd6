"""The operator's orders in SQLite, and what an operator may look at while the relay runs."""

from typing import Final, NamedTuple, cast

from e2ecore_relay.backends.sqlite.connection import Connection, Row
from e2ecore_relay.domain.blob_orders import Found, Order, OrderRecord

_RECORD: Final = "SELECT number, order_id, blob_id, reference, time_ms, found FROM blob_orders"


class SqliteOrders:
    """See blob_orders.OrderTable."""

    def __init__(self, connection: Connection) -> None:
        """Work on one connection."""
        self._connection = connection

    def find(self, order_id: bytes) -> OrderRecord | None:
        """See blob_orders.OrderTable."""
        row = self._connection.execute(f"{_RECORD} WHERE order_id = ?", (order_id,)).fetchone()
        return None if row is None else _record(row)[1]

    def add(self, record: OrderRecord) -> None:
        """See blob_orders.OrderTable."""
        order = record.order
        self._connection.execute(
            "INSERT INTO blob_orders (order_id, blob_id, reference, time_ms, found)"
            " VALUES (?, ?, ?, ?, ?)",
            (order.order_id, order.blob_id, order.reference, record.time_ms, int(record.found)),
        )

    def after(self, number: int, limit: int) -> list[tuple[int, OrderRecord]]:
        """See blob_orders.OrderTable."""
        rows = self._connection.execute(
            f"{_RECORD} WHERE number > ? ORDER BY number LIMIT ?", (number, limit)
        ).fetchall()
        return list(map(_record, rows))


class ListedBlob(NamedTuple):
    """What an operator sees of a blob: what the relay knows of it, but for the share."""

    blob_id: bytes
    account_id: bytes
    size: int
    stage: int
    waiting: int
    expires_ms: int


def listed(connection: Connection, account_id: bytes, after: bytes, limit: int) -> list[ListedBlob]:
    """Return blobs of one account, or of all (no account id), by id, from one id on."""
    rows = connection.execute(
        "SELECT b.blob_id, a.account_id, b.size, b.stage, b.waiting, b.expires_ms"
        " FROM blobs b JOIN accounts a USING (account)"
        " WHERE b.blob_id > ?1 AND (?2 = x'' OR a.account_id = ?2) ORDER BY b.blob_id LIMIT ?3",
        (after, account_id, limit),
    ).fetchall()
    return [ListedBlob(*row) for row in cast("list[tuple[bytes, bytes, int, int, int, int]]", rows)]


def _record(row: Row) -> tuple[int, OrderRecord]:
    number, order_id, blob_id, reference, time_ms, found = cast(
        "tuple[int, bytes, bytes, str, int, int]", row
    )
    return number, OrderRecord(Order(order_id, blob_id, reference), time_ms, Found(found))
