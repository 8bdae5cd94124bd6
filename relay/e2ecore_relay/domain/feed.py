"""What one connected device has been sent, and what it has acknowledged.

A feed sees the logs of its device through *views*. A view is *live* while everything up to its
log's head was sent: then a new envelope goes out as it is committed. It is *behind* when something
was not sent, because the window of unacknowledged envelopes was full or because the device was
away: then the shell reads pages from the store, and pushes only tell how far there is to go.
Sequence numbers have no gaps, so ``seq == scanned + 1`` is the whole proof that nothing was left
out; whichever of a page and a push arrives first, the other is recognised as old or as new.

A slow reader is never cut off for what the relay itself sent: the window closes, the rest stays in
the store, and acknowledgements open it again.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, TypeAlias

from e2ecore_protocol.limits import MAX_UNACKED_BYTES, MAX_UNACKED_ENVELOPES

_MAX_IDLE_VIEWS: Final = 1_000
"""Views of idle logs that are kept, to spare making them again."""


Entry: TypeAlias = tuple[int, int, bytes, int, int]
"""One envelope of a log: seq, sender, item, shared, expires_ms.

``sender`` is the number of the device that does not get it back, 0 if nobody. ``item`` is the
encoded delivery item. ``shared`` is the number of a payload that is stored once for many and read
by each, or 0. A plain tuple, because every message makes one.
"""


class Unread(NamedTuple):
    """A log with something that a device has not acknowledged.

    Attributes:
        lid: Number of the log.
        log_id: Its name on the wire.
        cursor: Highest acknowledged sequence number.
        head: Highest sequence number that the device may read.
    """

    lid: int
    log_id: bytes
    cursor: int
    head: int


class Span(NamedTuple):
    """A part of a log to be read from the store: ``after`` excluded, ``upto`` included."""

    lid: int
    log_id: bytes
    after: int
    upto: int


class _View:
    __slots__ = ("cursor", "latest", "lid", "scanned", "unacked")

    def __init__(self, lid: int, cursor: int, latest: int) -> None:
        self.lid = lid
        self.cursor = cursor
        self.scanned = cursor
        self.latest = latest
        self.unacked: deque[tuple[int, int]] = deque()


class Feed:
    """The views of one connected device, and its window of unacknowledged envelopes."""

    __slots__ = (
        "_behind",
        "_progress",
        "_views",
        "device",
        "last_ack_ms",
        "unacked",
        "unacked_bytes",
    )

    def __init__(self, device: int, unread: Iterable[Unread], now_ms: int) -> None:
        """Start behind in every log with something unread, in the given order."""
        self.device = device
        self.unacked = 0
        self.unacked_bytes = 0
        self.last_ack_ms = now_ms
        self._views = {log_id: _View(lid, cursor, head) for lid, log_id, cursor, head in unread}
        self._behind = dict.fromkeys(self._views)
        self._progress: dict[int, int] = {}

    @property
    def behind(self) -> int:
        """Number of logs that must be read from the store."""
        return len(self._behind)

    @property
    def has_room(self) -> bool:
        """Is the window open? One envelope larger than the rest of it may pass."""
        return self.unacked < MAX_UNACKED_ENVELOPES and self.unacked_bytes < MAX_UNACKED_BYTES

    def offer(self, lid: int, log_id: bytes, entries: Sequence[Entry]) -> list[bytes]:
        """Take new envelopes of one log, in order, after their commit.

        Args:
            lid: Number of the log.
            log_id: Its name on the wire.
            entries: The envelopes.

        Returns:
            The items to send now. The rest is behind.
        """
        view = self._views.get(log_id)
        if view is None:
            before = entries[0][0] - 1
            view = self._views[log_id] = _View(lid, before, before)
            if len(self._views) > _MAX_IDLE_VIEWS:
                self._drop_idle()
        items = [] if log_id in self._behind else self._take(view, entries)
        view.latest = max(view.latest, entries[-1][0])
        if view.scanned < view.latest:
            self._behind[log_id] = None
        elif not view.unacked:
            self._move(view, view.scanned)
        return items

    def page(self, log_id: bytes, entries: Sequence[Entry], scanned: int) -> list[bytes]:
        """Take envelopes of one log that were read from the store.

        Args:
            log_id: Name of the log on the wire.
            entries: What the store holds for this device, in order; gaps are allowed.
            scanned: Highest sequence number the store has looked at.

        Returns:
            The items to send now.
        """
        view = self._views[log_id]
        items: list[bytes] = []
        for seq, sender, item, _, _ in entries:
            if seq <= view.scanned:
                continue
            if sender != self.device:
                if not self.has_room:
                    return items
                items.append(item)
                self._note_sent(view, seq, len(item))
            view.scanned = seq
        view.scanned = max(view.scanned, scanned)
        if view.scanned >= view.latest:
            self._behind.pop(log_id, None)
        if not view.unacked:
            self._move(view, view.scanned)
        return items

    def wanted(self, max_spans: int) -> list[Span]:
        """Return what to read next: nothing while the window is closed."""
        if not self.has_room:
            return []
        spans = []
        for log_id in self._behind:
            view = self._views[log_id]
            spans.append(Span(view.lid, log_id, view.scanned, view.latest))
            if len(spans) == max_spans:
                break
        return spans

    def acknowledge(self, log_id: bytes, upto: int, now_ms: int) -> None:
        """Take an acknowledgement.

        Own envelopes directly behind what is acknowledged count as acknowledged too.
        """
        view = self._views.get(log_id)
        if view is None:
            return
        self.last_ack_ms = now_ms
        unacked = view.unacked
        count = size = 0
        while unacked and unacked[0][0] <= upto:
            count += 1
            size += unacked.popleft()[1]
        self.unacked -= count
        self.unacked_bytes -= size
        if unacked:
            self._move(view, unacked[0][0] - 1)
            return
        if upto > view.scanned:
            view.scanned = min(upto, view.latest)
            if view.scanned >= view.latest:
                self._behind.pop(log_id, None)
        self._move(view, view.scanned)

    def take_progress(self) -> dict[int, int]:
        """Return the cursors that moved since the last call, by log number, to be stored."""
        progress, self._progress = self._progress, {}
        return progress

    def stalled_ms(self, now_ms: int) -> int:
        """Return for how long envelopes have been waiting without any acknowledgement."""
        if not self.unacked:
            self.last_ack_ms = now_ms
        return now_ms - self.last_ack_ms

    def _move(self, view: _View, cursor: int) -> None:
        if cursor > view.cursor:
            view.cursor = cursor
            self._progress[view.lid] = cursor

    def _take(self, view: _View, entries: Sequence[Entry]) -> list[bytes]:
        """Send what follows without a gap, as far as the window allows. Hot."""
        items: list[bytes] = []
        unacked, scanned, device = view.unacked, view.scanned, self.device
        room = MAX_UNACKED_ENVELOPES - self.unacked
        bytes_left = room_bytes = MAX_UNACKED_BYTES - self.unacked_bytes
        for seq, sender, item, shared, _ in entries:
            if seq <= scanned:
                continue
            if shared or seq != scanned + 1:
                break
            if sender != device:
                if len(items) >= room or bytes_left <= 0:
                    break
                size = len(item)
                items.append(item)
                unacked.append((seq, size))
                bytes_left -= size
            scanned = seq
        view.scanned = scanned
        self.unacked += len(items)
        self.unacked_bytes += room_bytes - bytes_left
        return items

    def _note_sent(self, view: _View, seq: int, size: int) -> None:
        view.unacked.append((seq, size))
        self.unacked += 1
        self.unacked_bytes += size

    def _drop_idle(self) -> None:
        idle = [
            log_id
            for log_id, view in self._views.items()
            if not view.unacked and log_id not in self._behind and view.cursor == view.scanned
        ]
        for log_id in idle:
            del self._views[log_id]
