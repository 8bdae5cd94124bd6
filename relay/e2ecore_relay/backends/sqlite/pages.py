"""Pages of logs for devices that are behind, read beside the writer."""

from collections.abc import Iterator, Sequence
from typing import Final, cast

from e2ecore_protocol.codec import pack, unpack_fields
from e2ecore_protocol.frames.delivery import NO_ENVELOPE, EnvelopeKind
from e2ecore_protocol.limits import MAX_FRAME_BYTES
from e2ecore_relay.backends.sqlite.connection import Connection
from e2ecore_relay.domain.feed import Entry, Span
from e2ecore_relay.domain.ports import Page

_ROUTE: Final = "SELECT start, until FROM routes WHERE lid = ? AND device = ?"
_READ: Final = """
SELECT seq, sender, first, expires_ms, shared, item FROM envelopes e
WHERE lid = ? AND seq > ? AND seq <= ? AND sender <> ?
AND NOT EXISTS (SELECT 1 FROM holes h
    WHERE h.lid = e.lid AND h.device = ? AND e.seq BETWEEN h.first AND h.last)
ORDER BY seq LIMIT ?
"""
_SHARED: Final = "SELECT payload FROM shared_payloads WHERE id = ?"
_PAYLOAD_FIELD: Final = 6


class SqlitePages:
    """See ports.PageReader. Each call sees one committed state."""

    def __init__(self, connection: Connection) -> None:
        """Work on one reading connection."""
        self._connection = connection

    def read(self, device: int, spans: Sequence[Span], items: int, size: int) -> list[Page]:
        """See ports.PageReader."""
        pages: list[Page] = []
        self._connection.execute("BEGIN")
        try:
            for span in spans:
                if items <= 0 or size <= 0:
                    break
                page = self._page(device, span, items, size)
                items -= len(page.entries)
                size -= sum(len(entry.item) for entry in page.entries)
                pages.append(page)
        finally:
            self._connection.execute("ROLLBACK")
        return pages

    def _page(self, device: int, span: Span, items: int, size: int) -> Page:
        route = self._connection.execute(_ROUTE, (span.lid, device)).fetchone()
        if route is None:
            return Page(span.log_id, [], span.upto)
        start, until = cast("tuple[int, int]", route)
        after = max(span.after, start)
        upto = min(span.upto, until) if until else span.upto
        entries: list[Entry] = []
        for entry in self._entries(device, span, after, upto, items):
            entries.append(entry)
            size -= len(entry.item)
            if size <= 0:
                break
        complete = len(entries) < items and size > 0
        return Page(span.log_id, entries, span.upto if complete else entries[-1].seq)

    def _entries(
        self, device: int, span: Span, after: int, upto: int, limit: int
    ) -> Iterator[Entry]:
        cursor = self._connection.execute(_READ, (span.lid, after, upto, device, device, limit))
        while (row := cursor.fetchone()) is not None:
            seq, sender, first, time_ms, shared, item = cast(
                "tuple[int, int, int, int, int, bytes]", row
            )
            if first:
                gap = (max(first, after + 1), seq)
                wire = (span.log_id, seq, EnvelopeKind.GAP.value, 0, NO_ENVELOPE, time_ms, b"", gap)
                item = pack(wire)
            elif shared:
                item = self._filled(item, shared)
            yield Entry(seq, sender, item)

    def _filled(self, item: bytes, shared: int) -> bytes:
        fields = list(unpack_fields(item, MAX_FRAME_BYTES))
        row = self._connection.execute(_SHARED, (shared,)).fetchone()
        fields[_PAYLOAD_FIELD] = cast("bytes", row[0]) if row else b""
        return pack(tuple(fields))
