"""The way out of one connection: answers, deliveries, pages.

Everything is written inline, in one write per batch, by whoever made it ready. A task for writing
exists only while the kernel does not take everything, a task for paging only while the device is
behind.
"""

from typing import Final

import anyio.abc
import anyio.to_thread
import structlog

from e2ecore_channel import Channel, ChannelClosedError
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import GoAway
from e2ecore_protocol.limits import MAX_UNACKED_BYTES, MAX_UNACKED_ENVELOPES
from e2ecore_relay.backends.sqlite.connection import StoreError
from e2ecore_relay.domain.feed import Feed, Span
from e2ecore_relay.server.delivering import CAUGHT_UP, deliver_frames
from e2ecore_relay.server.hub import Hub

_log = structlog.get_logger()

_SPANS_PER_PAGE: Final = 64
"""Logs looked at in one read of the store."""


class Outlet:
    """Writes to one connection, and keeps its device fed."""

    def __init__(self, hub: Hub, channel: Channel, tasks: anyio.abc.TaskGroup) -> None:
        """Begin without a device: only ``put`` and ``flush`` make sense.

        Args:
            hub: For the store and the counters.
            channel: The connection.
            tasks: Owns the tasks that write and page; cancelled when the connection must end.
        """
        self.feed: Feed | None = None
        self.until_ms: int | None = None
        """When the device may not be connected any more; None: no end is known."""
        self._hub = hub
        self._channel = channel
        self._tasks = tasks
        self._frames: list[bytes] = []
        self._items: list[bytes] = []
        self._paging = False
        self._caught_up = False
        self._closed = False

    @property
    def is_over(self) -> bool:
        """Is the device not covered by a consent any more? It gets nothing then."""
        return self.until_ms is not None and self._hub.clock_ms() >= self.until_ms

    def put(self, frame: bytes) -> None:
        """Take an encoded frame, to be written by the next ``flush``."""
        self._frames.append(frame)

    def deliver(self, items: list[bytes]) -> None:
        """Take encoded delivery items, to be written by the next ``flush``."""
        self._items += items

    def signal(self, frame: bytes) -> bool:
        """Write an encoded frame at once, unless something waits for the network already."""
        if self._closed or self._channel.pending_bytes or self.is_over:
            return False
        self._write([frame])
        return True

    def flush(self) -> None:
        """Write what was taken. Never waits."""
        if self._closed:
            return
        frames, self._frames = self._frames, []
        if self._items and self.is_over:
            self._items = []  # it is sent away within a moment
        if self._items:
            self._hub.metrics.delivered += len(self._items)
            frames += deliver_frames(self._items)
            self._items = []
        if self.feed is not None:
            self.note_progress()
            if self.feed.behind:
                self.turn_page()
        if frames:
            self._write(frames)

    def _write(self, frames: list[bytes]) -> None:
        try:
            if self._channel.queue(frames) and not self._channel.is_draining:
                self._tasks.start_soon(self._drain)
        except ChannelClosedError:
            self._tasks.cancel_scope.cancel()

    async def _drain(self) -> None:
        try:
            await self._channel.drain()
        except ChannelClosedError:
            self._tasks.cancel_scope.cancel()

    def end(self, code: ErrorCode, retry_after_ms: int) -> None:
        """Say why, write nothing more, and stop the tasks of the connection."""
        if not self._closed:
            self.put(GoAway(code, retry_after_ms).encode())
            self.flush()
            self._closed = True
            self._tasks.cancel_scope.cancel()

    def note_progress(self) -> None:
        """Hand the acknowledgements to the store."""
        if self.feed is not None:
            progress = self.feed.take_progress()
            if progress:
                self._hub.store.note_progress(self.feed.device, progress)

    def turn_page(self) -> None:
        """Read from the store what the device is behind with, unless that happens already."""
        if not self._paging and not self._closed:
            self._paging = True
            self._tasks.start_soon(self._page)

    async def _page(self) -> None:
        feed = self.feed
        if feed is None:
            return
        try:
            while spans := feed.wanted(_SPANS_PER_PAGE):
                await self._read(feed, spans)
        except StoreError as error:
            _log.error("page_failed", error=type(error).__name__, detail=str(error))
            self.end(ErrorCode.INTERNAL, 1_000)
        finally:
            self._paging = False
        if not feed.behind and not self._caught_up:
            self._caught_up = True
            self.put(CAUGHT_UP)
            self.flush()

    async def _read(self, feed: Feed, spans: list[Span]) -> None:
        items = MAX_UNACKED_ENVELOPES - feed.unacked
        size = MAX_UNACKED_BYTES - feed.unacked_bytes
        self._hub.metrics.paged += 1
        pages = await anyio.to_thread.run_sync(
            self._hub.store.pages, feed.device, spans, items, size, limiter=self._hub.page_threads
        )
        for page in pages:
            self._items += feed.page(page.log_id, page.entries, page.scanned)
        if self._items:
            self.flush()
