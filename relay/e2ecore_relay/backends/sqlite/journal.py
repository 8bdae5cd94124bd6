"""The hot end of the logs: what was accepted in the last seconds.

An accepted envelope must be on disk before it is answered for, but a moment later it is usually
read, acknowledged and of no more use. A row for each, with its place in an index, then its
deletion, costs several times its bytes. So a transaction's envelopes become one row of the table
``journal``, and stay in memory too, where readers find them.

The journal is cut into *generations*. When a new one begins, the one before moves, a slice per
transaction, to where things wait longer: envelopes that somebody still has to read become rows of
``envelopes``, answers become one row per device of ``answers``, and the journal's rows are deleted.
After a crash what is still in the journal is read into memory again.

Threads: all but ``hot_page`` and ``head`` belong to the writer. The lock guards what they read.
"""

import struct
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias, cast

from e2ecore_protocol.limits import MAX_ENVELOPE_LIFETIME_S
from e2ecore_relay.backends.sqlite.connection import Connection, DamagedStoreError, SqlValue
from e2ecore_relay.backends.sqlite.rows import insert
from e2ecore_relay.domain.feed import Entry
from e2ecore_relay.domain.ports import Answers

GENERATION_S: Final = 1.0
"""Age at which a generation ends: most envelopes to devices that are online are read by then."""

GENERATION_BYTES: Final = 8 << 20
"""Size at which a generation ends. Two of them are in memory."""

_SLICE: Final = 500
"""Envelopes moved within one transaction: about 5 ms."""

_LONG_MS: Final = (MAX_ENVELOPE_LIFETIME_S - 3_600) * 1_000
"""What lives this long expires in the order of arrival, give or take an hour: no index."""

_MAX_DEVICES: Final = 100_000
"""Devices whose newest stored envelope id is kept in memory: about 15 MB."""

_ALL: Final = (1 << 63) - 1
"""No sequence number is higher."""

_BATCH: Final = struct.Struct("<qI")
"""Log number and count of the entries that follow; or device number and count of answers."""

_ENTRY: Final = struct.Struct("<qqqqI")
"""seq, sender, shared, expires_ms, length of the item, which follows."""

_GIVEN: Final = struct.Struct(">16sqq")
"""envelope id, seq, time_ms."""

_DAMAGED: Final = "a row of the journal ends too early"

_ROW: Final = "INSERT INTO envelopes (lid, seq, sender, item, shared, expires_ms, short)"
_RELEASE: Final = "UPDATE shared_payloads SET refs = refs - 1 WHERE id = ?"
_DONE: Final = """
SELECT max((SELECT coalesce(min(cursor), ?) FROM routes WHERE lid = ?),
    (SELECT coalesce(max(seq), 0) FROM envelopes WHERE lid = ?))
"""
_ANSWERS: Final = "INSERT OR REPLACE INTO answers (device, last_id, first_id, time_ms, given)"

Given: TypeAlias = dict[bytes, tuple[int, int]]
"""Seq and time by envelope id, for one device."""


class _Generation:
    """What was accepted between two cuts."""

    __slots__ = ("answers", "began", "bytes", "lasts", "newest")

    def __init__(self, began: float) -> None:
        self.began = began
        self.bytes = 0
        self.newest = 0
        self.lasts: dict[int, int] = {}
        self.answers: dict[int, Given] = {}


class Journal:
    """The journal of one database, on its writing connection."""

    def __init__(self, connection: Connection) -> None:
        """Start empty; ``reload`` comes next."""
        self.lock = threading.Lock()
        self._connection = connection
        self._hot: dict[int, deque[Entry]] = {}
        self._heads: dict[int, int] = {}
        self._cold: dict[int, int] = {}
        self._young = _Generation(0.0)
        self._old: _Generation | None = None
        self._latest_id: dict[int, bytes] = {}
        self._leaving: list[tuple[int, int]] = []

    # --- appending and forgetting ---------------------------------------------------------------

    def append(
        self, batches: Iterable[tuple[int, Sequence[Entry]]], answers: Answers, now: float
    ) -> None:
        """Write one row, and keep it in memory.

        Args:
            batches: Log numbers and what is appended to each, in order.
            answers: What a repeat will be told.
            now: Seconds of any clock, for the age of generations.
        """
        young, hot, heads = self._young, self._hot, self._heads
        if not young.newest:
            young.began = now
        blob = _encode_batches(batches)
        with self.lock:
            for lid, entries in batches:
                if lid in hot:
                    hot[lid].extend(entries)
                else:
                    hot[lid] = deque(entries)
                heads[lid] = young.lasts[lid] = entries[-1][0]
        young.newest = self._connection.execute(
            "INSERT INTO journal (envelopes, answers) VALUES (?, ?)",
            (blob, encode_answers(answers)),
        ).lastrowid
        young.bytes += len(blob)
        _add_answers(young.answers, answers)

    def forget(self, lid: int, floor: int) -> bool:
        """Drop envelopes at or below a floor from memory. Return whether rows may exist too."""
        entries = self._hot.get(lid)
        if entries is not None:
            shared: list[tuple[int]] = []
            with self.lock:
                while entries and entries[0][0] <= floor:
                    gone = entries.popleft()
                    if gone[3]:
                        shared.append((gone[3],))
                if not entries:
                    del self._hot[lid]
            self._connection.executemany(_RELEASE, shared)
        cold = self._cold.get(lid)
        if cold == 0:
            return False
        if cold is not None and floor >= cold:
            self._cold[lid] = 0
        return True

    def answers(self, device: int, envelope_ids: Iterable[bytes]) -> tuple[Given, list[bytes]]:
        """Return the answers that are in memory, and the ids whose answer may be in the table.

        Ids begin with the time, so a new one is higher than all that a device has in the table.
        """
        young = self._young.answers.get(device)
        old = self._old.answers.get(device) if self._old else None
        latest = self._latest_id.get(device)
        if latest is None:
            latest = self._find_latest(device)
        found: Given = {}
        unsure: list[bytes] = []
        for envelope_id in envelope_ids:
            if young is not None and envelope_id in young:
                found[envelope_id] = young[envelope_id]
            elif old is not None and envelope_id in old:
                found[envelope_id] = old[envelope_id]
            elif envelope_id <= latest:
                unsure.append(envelope_id)
        return found, unsure

    def _find_latest(self, device: int) -> bytes:
        row = self._connection.execute(
            "SELECT max(last_id) FROM answers WHERE device = ?", (device,)
        ).fetchone()
        if len(self._latest_id) >= _MAX_DEVICES:
            self._latest_id.clear()
        latest = cast("bytes | None", row[0] if row else None) or b""
        self._latest_id[device] = latest
        return latest

    # --- reading, from any thread ---------------------------------------------------------------

    def head(self, lid: int) -> int:
        """Return the highest number that was appended to a log since the start, or 0."""
        return self._heads.get(lid, 0)

    def hot_page(self, lid: int, after: int, upto: int) -> tuple[int, list[Entry]]:
        """Return from which number on a log is in memory (0: it is not), and what is asked for.

        The list is empty unless all that is asked for is in memory.
        """
        with self.lock:
            entries = self._hot.get(lid)
            if not entries:
                return 0, []
            first = entries[0][0]
            if after + 1 < first:
                return first, []
            return first, [entry for entry in entries if after < entry[0] <= upto]

    # --- moving on ------------------------------------------------------------------------------

    @property
    def is_empty(self) -> bool:
        """Is there nothing to move?"""
        return self._old is None and not self._young.newest

    def move_on(self, now: float, now_ms: int) -> None:
        """Cut, if the young generation is old or large enough; move a slice of the one before.

        What moved stays in memory until ``committed``: before that, no reader finds it elsewhere.
        """
        if self._old is None:
            young = self._young
            aged = now - young.began >= GENERATION_S or young.bytes >= GENERATION_BYTES
            if not young.newest or not aged:
                return
            self._old, self._young = young, _Generation(now)
        self._move_slice(self._old, now_ms)

    def _move_slice(self, old: _Generation, now_ms: int) -> None:
        rows: list[tuple[SqlValue, ...]] = []
        moved: list[tuple[int, int]] = []
        for lid, last in old.lasts.items():
            moved.append((lid, last))
            for entry in self._hot.get(lid, ()):
                if entry[0] > last:
                    break
                rows.append((lid, *entry, int(entry[4] - now_ms < _LONG_MS)))
            if len(rows) >= _SLICE:
                break
        insert(self._connection, _ROW, rows)
        for lid, _ in moved:
            del old.lasts[lid]
        self._leaving += moved
        if not old.lasts:
            self._store_answers(old.answers)
            self._connection.execute("DELETE FROM journal WHERE id <= ?", (old.newest,))
            self._old = None

    def committed(self) -> None:
        """The transaction is durable: forget what it moved to where other connections find it."""
        leaving, self._leaving = self._leaving, []
        for lid, last in leaving:
            self._leave_memory(lid, last)

    def _leave_memory(self, lid: int, last: int) -> None:
        entries = self._hot.get(lid)
        if not entries or entries[0][0] > last:
            return
        with self.lock:
            while entries and entries[0][0] <= last:
                self._cold[lid] = entries.popleft()[0]
            if not entries:
                del self._hot[lid]

    def _store_answers(self, answers: Answers) -> None:
        rows: list[tuple[SqlValue, ...]] = []
        for device, given in answers.items():
            last = max(given)
            newest_ms = max([time_ms for _, time_ms in given.values()])
            rows.append((device, last, min(given), newest_ms, _encode_given(given)))
            known = self._latest_id.get(device)
            if known is not None and known < last:
                self._latest_id[device] = last
        insert(self._connection, _ANSWERS, rows)

    # --- after a start, and after a failed transaction --------------------------------------------

    def reload(self) -> None:
        """Read the table into memory, but for what was acknowledged by all, or moved already."""
        rows = self._connection.execute("SELECT id, envelopes, answers FROM journal ORDER BY id")
        young = _Generation(0.0)
        hot: dict[int, deque[Entry]] = {}
        for number, blob, given in cast("list[tuple[int, bytes, bytes]]", rows.fetchall()):
            young.newest = number
            young.bytes += len(blob)
            _add_answers(young.answers, decode_answers(given))
            for lid, entry in decode_batches(blob):
                young.lasts[lid] = entry[0]
                hot.setdefault(lid, deque()).append(entry)
        for lid, entries in list(hot.items()):
            floor = self._done(lid)
            while entries and entries[0][0] <= floor:
                entries.popleft()
            if not entries:
                del hot[lid]
        with self.lock:
            self._hot = hot
            self._heads = dict(young.lasts)
        self._old, self._young = None, young
        self._cold.clear()
        self._latest_id.clear()
        self._leaving.clear()

    def _done(self, lid: int) -> int:
        """Return up to where a log was read by everybody, or moved to its table."""
        row = self._connection.execute(_DONE, (_ALL, lid, lid)).fetchone()
        return cast("int", row[0]) if row else _ALL


def _encode_batches(batches: Iterable[tuple[int, Sequence[Entry]]]) -> bytes:
    parts: list[bytes] = []
    for lid, entries in batches:
        parts.append(_BATCH.pack(lid, len(entries)))
        for seq, sender, item, shared, expires_ms in entries:
            parts.append(_ENTRY.pack(seq, sender, shared, expires_ms, len(item)))
            parts.append(item)
    return b"".join(parts)


def decode_batches(blob: bytes) -> Iterator[tuple[int, Entry]]:
    """Yield the log number and the envelope of each entry of a journal row.

    Raises:
        DamagedStoreError: The row ends within an entry.
    """
    at = 0
    try:
        while at < len(blob):
            lid, count = _BATCH.unpack_from(blob, at)
            at += _BATCH.size
            for _ in range(count):
                seq, sender, shared, expires_ms, size = _ENTRY.unpack_from(blob, at)
                at += _ENTRY.size
                if size > len(blob) - at:
                    raise DamagedStoreError(_DAMAGED)
                yield lid, (seq, sender, blob[at : at + size], shared, expires_ms)
                at += size
    except struct.error:
        raise DamagedStoreError(_DAMAGED) from None


def encode_answers(answers: Answers) -> bytes:
    """Return the second field of a journal row."""
    parts: list[bytes] = []
    for device, given in answers.items():
        if given:
            parts.append(_BATCH.pack(device, len(given)))
            parts.append(_encode_given(given))
    return b"".join(parts)


def decode_answers(blob: bytes) -> dict[int, Given]:
    """Return the answers of a journal row.

    Raises:
        DamagedStoreError: The row ends within an answer.
    """
    answers: dict[int, Given] = {}
    at = 0
    try:
        while at < len(blob):
            device, count = _BATCH.unpack_from(blob, at)
            at += _BATCH.size
            end = at + count * _GIVEN.size
            if end > len(blob):
                raise DamagedStoreError(_DAMAGED)
            given = _GIVEN.iter_unpack(blob[at:end])
            answers.setdefault(device, {}).update({key: (seq, ms) for key, seq, ms in given})
            at = end
    except struct.error:
        raise DamagedStoreError(_DAMAGED) from None
    return answers


def find_given(blob: bytes, envelope_id: bytes) -> tuple[int, int] | None:
    """Return one answer of a row of the table ``answers``."""
    for known, seq, time_ms in _GIVEN.iter_unpack(blob):
        if known == envelope_id:
            return seq, time_ms
    return None


def _encode_given(given: Mapping[bytes, tuple[int, int]]) -> bytes:
    pack = _GIVEN.pack
    return b"".join([pack(key, seq, time_ms) for key, (seq, time_ms) in given.items()])


def _add_answers(into: dict[int, Given], answers: Answers) -> None:
    for device, given in answers.items():
        if given:
            into.setdefault(device, {}).update(given)
