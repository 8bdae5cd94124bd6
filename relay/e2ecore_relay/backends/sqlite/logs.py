"""Logs, routes, envelopes and answers in SQLite."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, cast

from e2ecore_protocol.frames.conversations import ConversationState
from e2ecore_protocol.frames.delivery import INBOX, Accepted
from e2ecore_relay.backends.sqlite import expiry
from e2ecore_relay.backends.sqlite.connection import Connection, Row
from e2ecore_relay.backends.sqlite.rows import insert, select, singles
from e2ecore_relay.domain.feed import Unread
from e2ecore_relay.domain.log import Hole, Log, Reader
from e2ecore_relay.domain.ports import NewEnvelope

_HEAD: Final = "max(l.head, coalesce((SELECT max(e.seq) FROM envelopes e WHERE e.lid = l.lid), 0))"
_LOG: Final = f"SELECT l.lid, l.name, l.kind, l.epoch, {_HEAD} FROM logs l WHERE"  # noqa: S608  constants only
_ROUTE: Final = (
    "SELECT r.lid, r.device, d.account, r.cursor, r.until"
    " FROM routes r JOIN devices d USING (device) WHERE r.lid IN"
)
_UNREAD: Final = f"""
SELECT lid, name, cursor, CASE until WHEN 0 THEN head ELSE min(until, head) END AS upto FROM (
    SELECT l.lid, l.name, l.kind, r.cursor, r.until, {_HEAD} AS head
    FROM routes r JOIN logs l USING (lid) WHERE r.device = ?)
WHERE cursor < upto ORDER BY kind <> 0, lid
"""  # noqa: S608  constants only
_CONVERSATIONS: Final = f"""
SELECT l.name, l.kind, l.epoch, {_HEAD}, r.cursor
FROM routes r JOIN logs l USING (lid)
WHERE r.device = ? AND r.until = 0 AND l.kind <> 0 ORDER BY l.name
"""  # noqa: S608  constants only
_MOVE: Final = "UPDATE routes SET cursor = ? WHERE lid = ? AND device = ?"
_FORGET: Final = "DELETE FROM envelopes WHERE lid = ? AND seq <= ?"
_ENVELOPE: Final = "INSERT INTO envelopes (lid, seq, sender, expires_ms, item, shared, short)"


class SqliteLogs:
    """See ports.LogTable."""

    def __init__(self, connection: Connection, max_lifetime_ms: int) -> None:
        """Work on one connection.

        Args:
            connection: The connection.
            max_lifetime_ms: Envelopes that live shorter are indexed by the time they expire.
        """
        self._connection = connection
        self._max_lifetime_ms = max_lifetime_ms
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
        for lid, device, account, cursor, until in cast(
            "list[tuple[int, int, int, int, int]]", routes
        ):
            readers[lid][device] = Reader(account, cursor, until)
        return [
            Log(lid, name, kind, epoch=epoch, head=head, readers=readers[lid])
            for lid, name, kind, epoch, head in found
        ]

    def create(self, name: bytes, kind: int, epoch: int) -> int:
        """See ports.LogTable."""
        return self._connection.execute(
            "INSERT INTO logs (name, kind, epoch) VALUES (?, ?, ?)", (name, int(kind), epoch)
        ).lastrowid

    def answers(self, keys: Collection[tuple[bytes, int]]) -> dict[tuple[bytes, int], Accepted]:
        """See ports.LogTable."""
        rows = select(
            self._connection,
            "SELECT envelope_id, device, seq, time_ms FROM answers WHERE (envelope_id, device) IN",
            list(keys),
        )
        return {
            (envelope_id, device): Accepted(seq, time_ms)
            for envelope_id, device, seq, time_ms in cast("list[tuple[bytes, int, int, int]]", rows)
        }

    def append(
        self, envelopes: Sequence[NewEnvelope], answers: Mapping[tuple[bytes, int], Accepted]
    ) -> None:
        """See ports.LogTable."""
        now_ms = max((answer.time_ms for answer in answers.values()), default=None)
        longest = None if now_ms is None else now_ms + self._max_lifetime_ms
        rows = [
            (*envelope, int(longest is not None and envelope[3] < longest))
            for envelope in envelopes
        ]
        insert(self._connection, _ENVELOPE, rows)
        insert(
            self._connection,
            "INSERT INTO answers (envelope_id, device, seq, time_ms)",
            [(*key, *answer) for key, answer in answers.items()],
        )

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
        self._connection.executemany(_FORGET, [(lid, floor) for lid, floor, _ in known])
        self._connection.executemany(
            "UPDATE logs SET head = ? WHERE lid = ?", [(head, lid) for lid, _, head in known]
        )

    def unread(self, device: int) -> list[Unread]:
        """See ports.LogTable."""
        rows = self._connection.execute(_UNREAD, (device,)).fetchall()
        waiting = cast("list[tuple[int, bytes, int, int]]", rows)
        return [
            Unread(lid, INBOX if len(name) == _INBOX_NAME else name, cursor, upto)
            for lid, name, cursor, upto in waiting
        ]

    def routes_of(self, device: int) -> list[int]:
        """See ports.LogTable."""
        rows = self._connection.execute("SELECT lid FROM routes WHERE device = ?", (device,))
        return [cast("int", row[0]) for row in rows.fetchall()]

    def conversations(self, device: int) -> list[ConversationState]:
        """See ports.LogTable."""
        rows = self._connection.execute(_CONVERSATIONS, (device,)).fetchall()
        return [
            ConversationState(*row) for row in cast("list[tuple[bytes, int, int, int, int]]", rows)
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
            expiry.expire(self._connection, now_ms, limit),
            self._sweep.answers(self._connection, answers_before_ms, limit),
        )


_INBOX_NAME: Final = 8
"""Length of an inbox log's name; a conversation id is longer."""
