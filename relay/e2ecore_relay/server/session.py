"""One connection: greet, authenticate, then answer requests and deliver until it ends."""

from functools import partial
from itertools import chain
from typing import Final

import anyio
import anyio.abc
import structlog

from e2ecore_channel import Channel, CloseCode
from e2ecore_protocol.codec import pack
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import (
    Ack,
    Authenticate,
    Challenge,
    Frame,
    JoinRendezvous,
    Ready,
    Refused,
    Register,
    Signal,
    Submit,
    Submitted,
    decode_client_frame,
)
from e2ecore_protocol.limits import (
    MAX_BATCH_BYTES,
    MAX_FRAME_BYTES,
    MAX_UNAUTHENTICATED_FRAME_BYTES,
    NONCE_BYTES,
)
from e2ecore_protocol.versions import MIN_PROTOCOL_VERSION, PROTOCOL_VERSION
from e2ecore_relay.backends.sqlite.jobs import SubmitJob
from e2ecore_relay.domain.coverage import Covered
from e2ecore_relay.domain.errors import RefusedError
from e2ecore_relay.domain.exchange import Answer
from e2ecore_relay.domain.feed import Feed
from e2ecore_relay.domain.ports import StoredDevice
from e2ecore_relay.domain.sessions import (
    SessionEvent,
    SessionState,
    UnexpectedFrameError,
    next_state,
)
from e2ecore_relay.server import requests
from e2ecore_relay.server.authentication import Welcome, authenticate
from e2ecore_relay.server.hub import MAX_PENDING_BYTES, Hub
from e2ecore_relay.server.outlet import Outlet
from e2ecore_relay.server.signals import forward
from e2ecore_relay.server.visits import Visit

_log = structlog.get_logger()

_MAX_UNANSWERED: Final = 256
"""Requests of one connection that may wait for their answers; then it is not read for a moment."""

_MAX_UNREAD_BYTES: Final = 2 * MAX_BATCH_BYTES
"""Bytes queued for a client that does not read, beyond which its requests are not read either."""

_BUSY_PAUSE_S: Final = 0.005
"""How long a connection that is ahead of the writer is not read."""


class Session:
    """One connection of one client."""

    def __init__(self, hub: Hub, channel: Channel, tasks: anyio.abc.TaskGroup) -> None:
        """Begin after the WebSocket handshake.

        Args:
            hub: Where the device will be known.
            channel: The connection.
            tasks: For the tasks that write and page; it ends with the session.
        """
        self.hub = hub
        self.channel = channel
        self.address = channel.peer_address
        self.out = Outlet(hub, channel, tasks)
        self.close_reason = "left"
        self.unanswered = 0
        self._state = SessionState.GREETED
        self._stored: StoredDevice | None = None
        self._submits: list[Submit] = []
        self.visit = Visit(self)

    @property
    def stored(self) -> StoredDevice:
        """The device. Only when ready."""
        if self._stored is None:
            raise UnexpectedFrameError("no device is known yet")
        return self._stored

    @property
    def device(self) -> int:
        """See Online."""
        return self.stored.device

    @property
    def covered(self) -> Covered:
        """See Online."""
        return Covered(self.stored, self.out.until_ms)

    def cover(self, until_ms: int | None) -> None:
        """See Online."""
        self.out.until_ms = until_ms

    @property
    def feed(self) -> Feed:
        """See Online."""
        if self.out.feed is None:
            raise UnexpectedFrameError("no device is known yet")
        return self.out.feed

    @property
    def is_ready(self) -> bool:
        """Is a device known and the connection not at its end?"""
        return self._state is SessionState.READY

    @property
    def is_visiting(self) -> bool:
        """Has it come to a rendezvous?"""
        return self._state is SessionState.VISITING

    # --- the beginning --------------------------------------------------------------------------

    async def greet(self) -> None:
        """Challenge the client, and see it authenticated. Requests may come right behind.

        Raises:
            UnexpectedFrameError: It sent something else.
            MalformedError: It sent something that is no frame.
            RefusedError: It is not who it says it is.
            ChannelError: The connection ended.
        """
        nonce = self.hub.rng(NONCE_BYTES)
        name, now_ms = self.hub.config.server_name, self.hub.clock_ms()
        challenge = Challenge(MIN_PROTOCOL_VERSION, PROTOCOL_VERSION, name, nonce, now_ms)
        await self.channel.send([challenge.encode()])
        while not (self.is_ready or self.is_visiting):
            for message in await self.channel.receive():
                await self._early(message, nonce)

    async def _early(self, message: bytes, nonce: bytes) -> None:
        if self.is_ready:
            await self._take(message)
            return
        if self.is_visiting:
            raise UnexpectedFrameError("a visitor speaks before it was answered")
        frame = decode_client_frame(message, MAX_UNAUTHENTICATED_FRAME_BYTES)
        if isinstance(frame, Register):
            self._state = next_state(self._state, SessionEvent.REGISTER)
            await requests.register(self, frame)
        elif isinstance(frame, Authenticate):
            self._state = next_state(self._state, SessionEvent.AUTHENTICATE)
            await authenticate(self.hub, frame, nonce, self._enter, self.say)
        elif isinstance(frame, JoinRendezvous):
            self._state = next_state(self._state, SessionEvent.JOIN)
            self.visit.join(frame)
        else:
            raise UnexpectedFrameError(f"{type(frame).__name__} before authentication")

    def _enter(self, welcome: Welcome) -> None:
        """The store knows the device: from this moment on its deliveries arrive here."""
        if self._state is not SessionState.PROVING:
            return
        self._state = next_state(self._state, SessionEvent.PROVED)
        self._stored, self.out.until_ms = welcome.covered
        now_ms = self.hub.clock_ms()
        self.out.feed = Feed(self.device, welcome.unread, now_ms)
        self.channel.max_message_bytes = MAX_FRAME_BYTES
        self.hub.enter(self)
        self.hub.metrics.authenticated += 1
        self.out.put(Ready(now_ms, welcome.key_packages_left).encode())
        self.out.turn_page()
        self.out.flush()

    # --- requests -------------------------------------------------------------------------------

    async def serve(self) -> None:
        """Answer requests until the connection ends, or what covers the device.

        Raises as ``greet`` does.
        """
        while True:
            messages = await self.channel.receive()
            if self.out.is_over:
                raise RefusedError(ErrorCode.CONSENT_REQUIRED)
            for message in messages:
                await self._take(message)
            if self._submits:
                self._hand_over()
            self.out.flush()
            await self._hold_back()

    async def _take(self, message: bytes) -> None:
        frame = decode_client_frame(message)
        if type(frame) is Submit:
            self._submits.append(frame)
        elif type(frame) is Ack:
            feed, now_ms = self.feed, self.hub.clock_ms()
            for log_id, upto in frame.logs:
                feed.acknowledge(log_id, upto, now_ms)
        elif type(frame) is Signal:
            forward(self.hub, self.stored.device, frame)
        else:
            if self._submits:
                self._hand_over()
            self._state = next_state(self._state, requests.event_of(frame))
            await requests.take(self, frame)

    async def _hold_back(self) -> None:
        """Read no more while the client, or everybody together, is too far ahead."""
        store = self.hub.store
        # An event would cost every answer; this is rare.
        while self.unanswered > _MAX_UNANSWERED or store.pending_bytes > MAX_PENDING_BYTES:  # noqa: ASYNC110
            await anyio.sleep(_BUSY_PAUSE_S)
        if self.channel.pending_bytes > _MAX_UNREAD_BYTES:
            await self.channel.drain()

    def _hand_over(self) -> None:
        """Give the submits of one read to the writer as one job."""
        frames, self._submits = self._submits, []
        envelopes = frames[0].envelopes
        if len(frames) > 1:
            envelopes = tuple(chain.from_iterable([frame.envelopes for frame in frames]))
        hub, stored, count = self.hub, self.stored, len(envelopes)
        wait_ms = hub.limits.take_envelopes(stored.device, stored.account, count, hub.clock_ms())
        if wait_ms and len(frames) > 1:
            for frame in frames:
                self._submits = [frame]
                self._hand_over()
            return
        shares = [(frame.request, len(frame.envelopes)) for frame in frames]
        if wait_ms:
            self._submitted(shares, [Refused(ErrorCode.RATE_LIMITED, wait_ms, None)] * count)
            return
        size = sum([len(envelope[5]) for envelope in envelopes])
        hub.metrics.submitted += count
        hub.metrics.bytes += size
        self.unanswered += len(frames)
        done = partial(self._stored_submits, shares)
        hub.store.submit(SubmitJob(stored.device, envelopes, size, done))

    def _stored_submits(
        self, shares: list[tuple[int, int]], results: list[Answer] | Exception
    ) -> None:
        self.unanswered -= len(shares)
        if isinstance(results, Exception):
            _log.error("store_failed", error=type(results).__name__, detail=str(results))
            count = sum([count for _, count in shares])
            results = [Refused(ErrorCode.INTERNAL, 1_000, None)] * count
        self._submitted(shares, results)

    def _submitted(self, shares: list[tuple[int, int]], results: list[Answer]) -> None:
        """Answer each frame with its share of the results."""
        put, at = self.out.put, 0
        for request, count in shares:
            put(pack((Submitted.TYPE, request, tuple(results[at : at + count]))))
            at += count
        self.hub.touch(self)
        refused = [result.code.value for result in results if type(result) is Refused]
        self.hub.metrics.accepted += at - len(refused)
        if refused:
            self.hub.metrics.refused.update(refused)

    # --- the way out ----------------------------------------------------------------------------

    def answer(self, frame: Frame) -> None:
        """Send a frame with the current batch."""
        self.out.put(frame.encode())
        if self.is_ready:
            self.hub.touch(self)
        else:
            self.out.flush()

    def say(self, frame: Frame) -> None:
        """Send a frame at once."""
        self.out.put(frame.encode())
        self.out.flush()

    def deliver(self, items: list[bytes]) -> None:
        """See Online."""
        self.out.deliver(items)
        self.hub.touch(self)

    def signal(self, frame: bytes) -> bool:
        """See Online."""
        return self.out.signal(frame)

    def flush(self) -> None:
        """See Online."""
        self.out.flush()

    def leave(self, code: ErrorCode, retry_after_ms: int = 0) -> None:
        """See Online."""
        if self._state is not SessionState.CLOSED:
            self.close_reason = code.value
            self._state = next_state(self._state, SessionEvent.CLOSE)
            self.out.end(code, retry_after_ms)

    def leave_silently(self) -> None:
        """The connection is gone: nothing can be said any more."""
        if self._state is not SessionState.CLOSED:
            self._state = next_state(self._state, SessionEvent.CLOSE)

    async def finish(self) -> None:
        """Leave the hub, and close the connection politely."""
        self._state = SessionState.CLOSED
        self.visit.end()
        self.out.note_progress()
        if self._stored is not None:
            self.hub.exit(self)
        code = CloseCode.NORMAL if self.close_reason == "left" else CloseCode.POLICY
        with anyio.CancelScope(shield=True):
            await self.channel.aclose(code, self.close_reason)
