"""The operator's decisions on marks of children, in SQLite."""

from typing import Final, cast

from e2ecore_relay.backends.sqlite.connection import Connection
from e2ecore_relay.domain.guardian_ports import MarkReason, MinorRecord

_AFTER: Final = (
    "SELECT number, order_id, account_id, marked, reason, reference, time_ms FROM minor_orders"
    " WHERE number > ? ORDER BY number LIMIT ?"
)


class SqliteMinorOrders:
    """See guardian_ports.MinorOrderTable."""

    def __init__(self, connection: Connection) -> None:
        """Work on one connection."""
        self._connection = connection

    def has(self, order_id: bytes) -> bool:
        """See guardian_ports.MinorOrderTable."""
        sql = "SELECT 1 FROM minor_orders WHERE order_id = ?"
        return self._connection.execute(sql, (order_id,)).fetchone() is not None

    def add(self, record: MinorRecord) -> None:
        """See guardian_ports.MinorOrderTable."""
        self._connection.execute(
            "INSERT INTO minor_orders (order_id, account_id, marked, reason, reference, time_ms)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                *(record.order_id, record.account_id, int(record.is_marked)),
                *(int(record.reason), record.reference, record.time_ms),
            ),
        )

    def after(self, number: int, limit: int) -> list[tuple[int, MinorRecord]]:
        """See guardian_ports.MinorOrderTable."""
        rows = self._connection.execute(_AFTER, (number, limit)).fetchall()
        found = cast("list[tuple[int, bytes, bytes, int, int, str, int]]", rows)
        return [
            (row[0], MinorRecord(row[1], row[2], bool(row[3]), MarkReason(row[4]), *row[5:]))
            for row in found
        ]
