"""Pages of logs for devices that are behind, read beside the writer."""

from collections.abc import Iterator, Sequence
from typing import Final, cast

from e2ecore_protocol.codec import pack, unpack_fields
from e2ecore_protocol.frames.delivery import NO_ENVELOPE, EnvelopeKind
from e2ecore_protocol.limits import MAX_FRAME_BYTES
from e2ecore_relay.backends.sqlite.connection import Connection
from e2ecore_relay.backends.sqlite.journal import Journal
from e2ecore_relay.domain.feed import Entry, Span
from e2ecore_relay.domain.ports import Page

_ROUTE: Final = """
SELECT start, until, EXISTS (SELECT 1 FROM holes h WHERE h.lid = r.lid AND h.device = r.device)
FROM routes r WHERE lid = ? AND device = ?
"""
_HOLES: Final = "SELECT first, last FROM holes WHERE lid = ? AND device = ?"
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
    """See ports.PageReader. What the journal has in memory is taken from there."""

    def __init__(self, connection: Connection, journal: Journal) -> None:
        """Work on one reading connection."""
        self._connection = connection
        self._journal = journal

    def read(self, device: int, spans: Sequence[Span], items: int, size: int) -> list[Page]:
        """See ports.PageReader."""
        pages: list[Page] = []
        for span in spans:
            if items <= 0 or size <= 0:
                break
            page = self._page(device, span, items, size)
            items -= len(page.entries)
            size -= sum([len(entry[2]) for entry in page.entries])
            pages.append(page)
        return pages

    def _page(self, device: int, span: Span, items: int, size: int) -> Page:
        route = self._connection.execute(_ROUTE, (span.lid, device)).fetchone()
        if route is None:
            return Page(span.log_id, [], span.upto)
        start, until, has_holes = cast("tuple[int, int, int]", route)
        after = max(span.after, start)
        upto = min(span.upto, until) if until else span.upto
        first, hot = self._journal.hot_page(span.lid, after, upto)
        source = self._hot_entries(self._seen(hot, span.lid, device) if has_holes else hot)
        scanned = span.upto
        if not first or after + 1 < first:
            before = upto if not first else min(upto, first - 1)
            scanned = span.upto if before == upto else before
            source = self._stored_entries(device, span, after, before, items)
        entries: list[Entry] = []
        for entry in source:
            entries.append(entry)
            size -= len(entry[2])
            if size <= 0 or len(entries) == items:
                return Page(span.log_id, entries, entry[0])
        return Page(span.log_id, entries, scanned)

    def _seen(self, hot: list[Entry], lid: int, device: int) -> list[Entry]:
        """Leave out what lies in a hole."""
        rows = self._connection.execute(_HOLES, (lid, device)).fetchall()
        holes = cast("list[tuple[int, int]]", rows)
        return [one for one in hot if not any(first <= one[0] <= last for first, last in holes)]

    def _hot_entries(self, hot: list[Entry]) -> Iterator[Entry]:
        for entry in hot:
            seq, sender, item, shared, expires_ms = entry
            yield (seq, sender, self._filled(item, shared), 0, expires_ms) if shared else entry

    def _stored_entries(
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
            yield seq, sender, item, 0, 0

    def _filled(self, item: bytes, shared: int) -> bytes:
        fields = list(unpack_fields(item, MAX_FRAME_BYTES))
        row = self._connection.execute(_SHARED, (shared,)).fetchone()
        fields[_PAYLOAD_FIELD] = cast("bytes", row[0]) if row else b""
        return pack(tuple(fields))
