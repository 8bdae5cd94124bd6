"""What time takes: envelopes become gaps, answers are forgotten.

Envelopes of the longest lifetime expire in the order of their arrival, so the oldest rows tell;
those that were given less are in a partial index. Gap markers that nobody comes for stay among the
oldest rows for ever, so a pass begins where the last one found the first envelope. Neighbouring
gaps of one log become one row, so that a device that never returns costs a row per pause of
traffic, not per envelope.
"""

from itertools import groupby
from operator import itemgetter
from typing import Final, NamedTuple, cast

from e2ecore_relay.backends.sqlite.connection import Connection, Row
from e2ecore_relay.backends.sqlite.rows import insert

_SHORT: Final = (
    "SELECT id, lid, seq, sender FROM envelopes WHERE short = 1 AND expires_ms <= ? LIMIT ?"
)
_OLDEST: Final = (
    "SELECT id, lid, seq, sender, expires_ms FROM envelopes WHERE first = 0 AND short = 0"
    " AND id > ? ORDER BY id LIMIT ?"
)
_NEIGHBOUR: Final = (
    "SELECT id, first, sender FROM envelopes WHERE lid = ? AND seq = ? AND first > 0"
)
_FROM_THE_START: Final = 120
"""Passes after which one looks at all rows: where the last rows of all are deleted their numbers
are given again, below where passes begin. What they hold expires late, by an hour of 30 days."""

_GAP: Final = "INSERT INTO envelopes (lid, seq, sender, first, expires_ms, item)"


class _Gone(NamedTuple):
    id: int
    lid: int
    seq: int
    sender: int


def _expire(connection: Connection, oldest: list[Row], now_ms: int, limit: int) -> int:
    """Turn envelopes whose time is over into gap markers. Return how many."""
    rows = connection.execute(_SHORT, (now_ms, limit)).fetchall()
    gone = [_Gone(*row) for row in cast("list[tuple[int, int, int, int]]", rows)]
    for *row, expires_ms in cast("list[tuple[int, int, int, int, int]]", oldest):
        if expires_ms > now_ms:
            break
        gone.append(_Gone(*row))
    connection.executemany("DELETE FROM envelopes WHERE id = ?", [(one.id,) for one in gone])
    gone.sort(key=itemgetter(1, 2))
    for lid, members in groupby(gone, key=itemgetter(1)):
        _mark(connection, lid, list(members), now_ms)
    return len(gone)


def _mark(connection: Connection, lid: int, gone: list[_Gone], now_ms: int) -> None:
    """Write the gap markers of one log, joined with those that touch them."""
    runs: list[list[int]] = []
    for one in gone:
        if runs and runs[-1][1] == one.seq - 1:
            runs[-1][1] = one.seq
            runs[-1][2] = one.sender if runs[-1][2] == one.sender else 0
        else:
            runs.append([one.seq, one.seq, one.sender])
    for run in runs:
        row = connection.execute(_NEIGHBOUR, (lid, run[0] - 1)).fetchone()
        if row is not None:
            number, first, sender = cast("tuple[int, int, int]", row)
            connection.execute("DELETE FROM envelopes WHERE id = ?", (number,))
            run[0] = first
            run[2] = sender if run[2] == sender else 0
    insert(
        connection, _GAP, [(lid, last, sender, first, now_ms, b"") for first, last, sender in runs]
    )


class Sweep:
    """Walks through envelopes and answers for ever, a slice at a time."""

    def __init__(self) -> None:
        """Begin with the first."""
        self._after: tuple[int, bytes] = (0, b"")
        self._behind = 0
        self._passes = 0

    def envelopes(self, connection: Connection, now_ms: int, limit: int) -> int:
        """Turn envelopes whose time is over into gap markers. Return how many."""
        if self._passes % _FROM_THE_START == 0:
            self._behind = 0
        self._passes += 1
        oldest = connection.execute(_OLDEST, (self._behind, limit)).fetchall()
        # This one is there still if the transaction fails.
        self._behind = cast("int", oldest[0][0]) - 1 if oldest else 0
        return _expire(connection, oldest, now_ms, limit)

    def answers(self, connection: Connection, before_ms: int, limit: int) -> int:
        """Delete the rows of the next slice that are older, whatever the senders' clocks say.

        Returns:
            How many.
        """
        rows = connection.execute(
            "SELECT device, last_id, time_ms FROM answers WHERE (device, last_id) > (?, ?)"
            " ORDER BY device, last_id LIMIT ?",
            (*self._after, limit),
        ).fetchall()
        found = cast("list[tuple[int, bytes, int]]", rows)
        old = [(device, last_id) for device, last_id, ms in found if ms < before_ms]
        connection.executemany("DELETE FROM answers WHERE device = ? AND last_id = ?", old)
        self._after = found[-1][:2] if len(found) == limit else (0, b"")
        return len(old)
