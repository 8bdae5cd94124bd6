"""Who is connected, and what happens to them after each commit.

All of this runs on the event loop's thread. The writer thread reports a whole batch in one call;
the hub hands every session its answers and deliveries and lets each write once.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

import anyio

from e2ecore_protocol.errors import ErrorCode
from e2ecore_relay.domain.coverage import Coverage, Covered, Lapses
from e2ecore_relay.domain.exchange import Push
from e2ecore_relay.domain.feed import Feed
from e2ecore_relay.domain.rendezvous import Lounge
from e2ecore_relay.server.config import RelayConfig
from e2ecore_relay.server.limits import Limits
from e2ecore_relay.server.metrics import Metrics

if TYPE_CHECKING:
    from e2ecore_relay.backends.sqlite.store import SqliteStore
    from e2ecore_relay.server.blob_office import BlobOffice

MAX_PENDING_BYTES: Final = 64 << 20
"""Payload bytes that may wait for the writer; then sockets are not read for a moment."""


_PAGE_THREADS: Final = 4
"""Threads that read pages and answer look-ups, each on a connection of its own."""

_PROOF_THREADS: Final = 2
"""Threads that check signatures of devices: forged ones must not hold up pages."""


class Online(Protocol):
    """A connected device, as the hub sees it."""

    @property
    def device(self) -> int:
        """Its number."""
        ...

    @property
    def feed(self) -> Feed:
        """What it has been sent."""
        ...

    @property
    def covered(self) -> Covered:
        """The device, and until when it may be connected."""
        ...

    def cover(self, until_ms: int | None, /) -> None:
        """Note until when it may be connected; None: no end is known."""
        ...

    def deliver(self, items: list[bytes]) -> None:
        """Take encoded items to be sent with the next flush."""
        ...

    def signal(self, frame: bytes) -> bool:
        """Write a frame now, or not at all; return whether it was written."""
        ...

    def flush(self) -> None:
        """Write what was taken."""
        ...

    def leave(self, code: ErrorCode, retry_after_ms: int = 0) -> None:
        """Say why, and close."""
        ...


class Hub:
    """The connected devices of one relay."""

    def __init__(
        self,
        config: RelayConfig,
        clock_ms: Callable[[], int],
        rng: Callable[[int], bytes],
        metrics: Metrics,
    ) -> None:
        """Nobody is connected yet. ``store`` and ``office`` are set before the first one is."""
        self.config = config
        self.clock_ms = clock_ms
        self.rng = rng
        self.metrics = metrics
        self.limits = Limits(config)
        self.lounge = Lounge()
        self.draining = False
        self.page_threads = anyio.CapacityLimiter(_PAGE_THREADS)
        self.proof_threads = anyio.CapacityLimiter(_PROOF_THREADS)
        self.store: SqliteStore
        self.office: BlobOffice
        self._online: dict[int, Online] = {}
        self._touched: dict[Online, None] = {}
        self._leaving: list[tuple[int, ErrorCode]] = []
        self._lapses = Lapses()
        self._emptied = anyio.Event()

    def __len__(self) -> int:
        return len(self._online)

    def find(self, device: int) -> Online | None:
        """Return a device that is connected."""
        return self._online.get(device)

    def sessions(self) -> list[Online]:
        """Return all connected devices."""
        return list(self._online.values())

    def enter(self, session: Online) -> None:
        """Take a device in. An older connection of the same device has to go."""
        before = self._online.get(session.device)
        self._online[session.device] = session
        self._lapses.note(session.device, session.covered.until_ms)
        if before is not None:
            before.leave(ErrorCode.CONNECTED_ELSEWHERE)

    def exit(self, session: Online) -> None:
        """Forget a device, unless a newer connection has taken its place."""
        if self._online.get(session.device) is session:
            del self._online[session.device]
            self._lapses.note(session.device, None)
        self._touched.pop(session, None)
        if not self._online:
            self._emptied.set()
            self._emptied = anyio.Event()

    async def empty(self) -> None:
        """Wait until nobody is connected."""
        while self._online:
            await self._emptied.wait()

    def expel(self, devices: list[int], code: ErrorCode) -> None:
        """Disconnect devices that lost their place in an account chain, after this batch."""
        self._leaving.extend((device, code) for device in devices)

    def cover(self, found: Coverage) -> None:
        """Note what the consents of some accounts say now; send away whom they do not cover."""
        until = {one.device.device: one.until_ms for one in found.covered}
        for device, until_ms in (until | dict.fromkeys(found.lapsed, 0)).items():
            session = self._online.get(device)
            if session is not None:
                session.cover(until_ms)
                self._lapses.note(device, until_ms)
        self.expel(found.lapsed, ErrorCode.CONSENT_REQUIRED)
        if found.ended:
            self.office.transfers.cut(found.ended)
            self.office.look_soon()

    def lapse(self, now_ms: int) -> int | None:
        """Send away whom no consent covers any more.

        Returns:
            When somebody is next; None if nobody's end is known.
        """
        for device in self._lapses.take(now_ms):
            self._online[device].leave(ErrorCode.CONSENT_REQUIRED)
        return self._lapses.next_ms()

    def touch(self, session: Online) -> None:
        """Let a session write at the end of the current batch."""
        self._touched[session] = None

    def pushed(self, pushes: list[Push]) -> None:
        """Hand out new envelopes, then let everybody who has something write once.

        Readers before the sender, whose answer was ready first: the kernel likes to run whoever is
        written to at once, and a message on its way matters more than its receipt.
        """
        online = self._online
        for push in pushes:
            for device in push.audience:
                session = online.get(device)
                if session is not None:
                    items = session.feed.offer(push.lid, push.log_id, push.entries)
                    session.deliver(items)
        touched, self._touched = self._touched, {}
        defects: list[Exception] = []
        for session in reversed(touched):
            try:
                session.flush()
            except Exception as error:  # noqa: BLE001  raised below; the others get theirs first
                defects.append(error)
        leaving, self._leaving = self._leaving, []
        for device, code in leaving:
            if device in online:
                online[device].leave(code)
        if defects:
            raise ExceptionGroup("writing failed", defects)
