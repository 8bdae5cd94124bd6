"""Logs, routes, envelopes and answers in SQLite."""

import time
from collections.abc import Collection, Iterable, Sequence
from typing import Final, cast

from e2ecore_protocol.frames.conversations import ConversationState
from e2ecore_protocol.frames.delivery import INBOX
from e2ecore_relay.backends.sqlite import expiry
from e2ecore_relay.backends.sqlite.connection import Connection, Row
from e2ecore_relay.backends.sqlite.journal import Journal, find_given
from e2ecore_relay.backends.sqlite.rows import insert, select, singles
from e2ecore_relay.domain.feed import Entry, Unread
from e2ecore_relay.domain.log import Hole, Log, LogKind, Reader
from e2ecore_relay.domain.ports import Answers

_HEAD: Final = "max(l.head, coalesce((SELECT max(e.seq) FROM envelopes e WHERE e.lid = l.lid), 0))"
_LOG: Final = f"SELECT l.lid, l.name, l.kind, l.epoch, {_HEAD} FROM logs l WHERE"  # noqa: S608  constants only
_ROUTE: Final = (
    "SELECT r.lid, r.device, d.account, r.cursor, r.until, r.vacant_ms"
    " FROM routes r JOIN devices d USING (device) WHERE r.lid IN"
)
_READABLE: Final = f"""
SELECT l.lid, l.name, r.cursor, r.until, {_HEAD} FROM routes r JOIN logs l USING (lid)
WHERE r.device = ? ORDER BY l.kind <> 0, l.kind <> {LogKind.SELF.value}, l.lid
"""  # noqa: S608  constants only
_CONVERSATIONS: Final = f"""
SELECT l.lid, l.name, l.kind, l.epoch, {_HEAD}, r.cursor
FROM routes r JOIN logs l USING (lid)
WHERE r.device = ? AND r.until = 0 AND l.kind <> 0 ORDER BY l.name
"""  # noqa: S608  constants only
_MOVE: Final = "UPDATE routes SET cursor = ? WHERE lid = ? AND device = ?"
_FORGET: Final = "DELETE FROM envelopes WHERE lid = ? AND seq <= ?"
_ANSWERS: Final = "SELECT given FROM answers WHERE device = ? AND last_id >= ? AND first_id <= ?"


class SqliteLogs:
    """See ports.LogTable."""

    def __init__(self, connection: Connection, journal: Journal) -> None:
        """Work on one connection.

        Args:
            connection: The connection; if it is not the journal's, only for reading.
            journal: The newest envelopes.
        """
        self._connection = connection
        self._journal = journal
        self._sweep = expiry.Sweep()

    def load(self, names: Collection[bytes]) -> list[Log]:
        """See ports.LogTable."""
        return self._logs(select(self._connection, f"{_LOG} l.name IN", singles(names)))

    def load_numbers(self, lids: Collection[int]) -> list[Log]:
        """See ports.LogTable."""
        return self._logs(select(self._connection, f"{_LOG} l.lid IN", singles(lids)))

    def _logs(self, rows: list[Row]) -> list[Log]:
        found = cast("list[tuple[int, bytes, int, int, int]]", rows)
        readers: dict[int, dict[int, Reader]] = {row[0]: {} for row in found}
        routes = select(self._connection, _ROUTE, singles(readers), "ORDER BY r.lid, r.device")
        for lid, device, *reader in cast("list[tuple[int, int, int, int, int, int]]", routes):
            readers[lid][device] = Reader(*reader)
        return [
            Log(lid, name, kind, epoch=epoch, head=self._head(lid, head), readers=readers[lid])
            for lid, name, kind, epoch, head in found
        ]

    def _head(self, lid: int, stored: int) -> int:
        return max(stored, self._journal.head(lid))

    def create(self, name: bytes, kind: int, epoch: int) -> int:
        """See ports.LogTable."""
        return self._connection.execute(
            "INSERT INTO logs (name, kind, epoch) VALUES (?, ?, ?)", (name, int(kind), epoch)
        ).lastrowid

    def answers(self, device: int, envelope_ids: Iterable[bytes]) -> dict[bytes, tuple[int, int]]:
        """See ports.LogTable."""
        found, unsure = self._journal.answers(device, envelope_ids)
        for envelope_id in unsure:
            rows = self._connection.execute(_ANSWERS, (device, envelope_id, envelope_id))
            for row in rows.fetchall():
                answer = find_given(cast("bytes", row[0]), envelope_id)
                if answer is not None:
                    found[envelope_id] = answer
        return found

    def append(self, batches: Iterable[tuple[int, Sequence[Entry]]], answers: Answers) -> None:
        """See ports.LogTable."""
        self._journal.append(batches, answers, time.monotonic())

    def share(self, payload: bytes, readers: int) -> int:
        """See ports.LogTable."""
        return self._connection.execute(
            "INSERT INTO shared_payloads (refs, payload) VALUES (?, ?)", (readers, payload)
        ).lastrowid

    def set_epoch(self, lid: int, epoch: int) -> None:
        """See ports.LogTable."""
        self._connection.execute("UPDATE logs SET epoch = ? WHERE lid = ?", (epoch, lid))

    def admit(self, lid: int, devices: Iterable[int], cursor: int, holes: Iterable[Hole]) -> None:
        """See ports.LogTable."""
        again = list(holes)
        returning = {hole.device for hole in again}
        insert(
            self._connection,
            "INSERT INTO routes (lid, device, start, cursor)",
            [(lid, device, cursor, cursor) for device in devices if device not in returning],
        )
        insert(
            self._connection,
            "INSERT INTO holes (lid, device, first, last)",
            [(lid, *hole) for hole in again],
        )
        self._connection.executemany(
            "UPDATE routes SET until = 0 WHERE lid = ? AND device = ?",
            [(lid, device) for device in returning],
        )

    def succeed(self, lid: int, device: int, cursor: int, now_ms: int) -> None:
        """See ports.LogTable."""
        self._connection.execute(
            "INSERT INTO routes (lid, device, start, cursor, vacant_ms) VALUES (?, ?, ?, ?, ?)",
            (lid, device, cursor, cursor, now_ms),
        )

    def seat(self, lid: int, devices: Iterable[int]) -> None:
        """See ports.LogTable."""
        self._connection.executemany(
            "UPDATE routes SET vacant_ms = 0 WHERE lid = ? AND device = ?",
            [(lid, device) for device in devices],
        )

    def dismiss(self, lid: int, devices: Iterable[int], until: int) -> None:
        """See ports.LogTable."""
        self._connection.executemany(
            "UPDATE routes SET until = ? WHERE lid = ? AND device = ?",
            [(until, lid, device) for device in devices],
        )

    def drop_readers(self, readers: Iterable[tuple[int, int]]) -> None:
        """See ports.LogTable."""
        pairs = list(readers)
        for table in ("routes", "holes"):
            self._connection.executemany(
                f"DELETE FROM {table} WHERE lid = ? AND device = ?",  # noqa: S608
                pairs,
            )

    def move_cursors(self, cursors: Iterable[tuple[int, int, int]]) -> None:
        """See ports.LogTable."""
        self._connection.executemany(
            _MOVE, [(cursor, lid, device) for lid, device, cursor in cursors]
        )

    def forget(self, floors: Iterable[tuple[int, int, int]]) -> None:
        """See ports.LogTable."""
        known = list(floors)
        stored = [(lid, floor) for lid, floor, _ in known if self._journal.forget(lid, floor)]
        self._connection.executemany(_FORGET, stored)
        self._connection.executemany(
            "UPDATE logs SET head = ? WHERE lid = ?", [(head, lid) for lid, _, head in known]
        )

    def unread(self, device: int) -> list[Unread]:
        """See ports.LogTable."""
        rows = self._connection.execute(_READABLE, (device,)).fetchall()
        waiting = []
        for lid, name, cursor, until, stored in cast(
            "list[tuple[int, bytes, int, int, int]]", rows
        ):
            head = self._head(lid, stored)
            upto = min(until, head) if until else head
            if cursor < upto:
                log_id = INBOX if len(name) == _INBOX_NAME else name
                waiting.append(Unread(lid, log_id, cursor, upto))
        return waiting

    def routes_of(self, device: int) -> list[int]:
        """See ports.LogTable."""
        rows = self._connection.execute("SELECT lid FROM routes WHERE device = ?", (device,))
        return [cast("int", row[0]) for row in rows.fetchall()]

    def conversations(self, device: int) -> list[ConversationState]:
        """See ports.LogTable."""
        rows = self._connection.execute(_CONVERSATIONS, (device,)).fetchall()
        return [
            ConversationState(name, kind, epoch, self._head(lid, head), cursor)
            for lid, name, kind, epoch, head, cursor in cast(
                "list[tuple[int, bytes, int, int, int, int]]", rows
            )
        ]

    def count_conversations(self, devices: Collection[int]) -> dict[int, int]:
        """See ports.LogTable."""
        rows = select(
            self._connection,
            "SELECT device, count(*) FROM routes WHERE device IN",
            singles(devices),
            "GROUP BY device",
        )
        return dict(cast("list[tuple[int, int]]", rows))

    def expire(self, now_ms: int, answers_before_ms: int, limit: int) -> tuple[int, int]:
        """See ports.LogTable."""
        return (
            self._sweep.envelopes(self._connection, now_ms, limit),
            self._sweep.answers(self._connection, answers_before_ms, limit),
        )


_INBOX_NAME: Final = 8
"""Length of an inbox log's name; a conversation id is longer."""
