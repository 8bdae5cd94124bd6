"""A running relay: listeners, connections, upkeep, and an orderly end."""

import asyncio
import math
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio
import anyio.abc
import anyio.to_thread
import sniffio
import structlog
import trio

from e2ecore_channel import HAS_EPOLL, ChannelError, Lobby, SilenceWatch, accept, listen, serve
from e2ecore_protocol.errors import ErrorCode, MalformedError
from e2ecore_relay.backends.sqlite.connection import StoreError
from e2ecore_relay.backends.sqlite.database import open_database
from e2ecore_relay.backends.sqlite.store import SqliteStore
from e2ecore_relay.domain.clock import Reading
from e2ecore_relay.domain.errors import RefusedError
from e2ecore_relay.domain.sessions import UnexpectedFrameError
from e2ecore_relay.server.blob_office import open_office, system_reading
from e2ecore_relay.server.blob_server import BlobServer
from e2ecore_relay.server.certificates import Certificates, load_certificates
from e2ecore_relay.server.config import RelayConfig
from e2ecore_relay.server.expiring import keep_covered, keep_expiring
from e2ecore_relay.server.http import serve_http
from e2ecore_relay.server.hub import Hub
from e2ecore_relay.server.metrics import Metrics
from e2ecore_relay.server.obeying import keep_obeying
from e2ecore_relay.server.session import Session
from e2ecore_relay.server.visits import keep_lounge

if TYPE_CHECKING:
    from pathlib import Path

_log = structlog.get_logger()

_STALL_SWEEPS: Final = 10
"""How often in ``unacknowledged_timeout_s`` it is looked for stalled clients."""


def system_clock_ms() -> int:
    """Return milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000


class Relay:
    """One relay. ``running`` makes and ends it."""

    def __init__(self, hub: Hub, certificates: Certificates) -> None:
        """Take connections with ``handle``."""
        self.hub = hub
        self.certificates = certificates
        self.url = ""
        self.http_url = ""
        self.blobs: BlobServer
        self.created: list[Path] = []
        self.stopping = anyio.Event()
        self._web_ended = anyio.Event()
        self._failed = anyio.Event()
        self._failure: StoreError | None = None
        self.connections = 0
        self._watch = SilenceWatch(hub.config.idle_timeout_s)
        self._strangers: dict[anyio.CancelScope, None] = {}
        self.lobby: Lobby | None = None
        """Connections that have not said anything yet; None where there is no such thing."""

    def stop(self) -> None:
        """Begin to drain: take no more connections, send everybody away, finish what is queued."""
        self.hub.draining = True
        self.stopping.set()

    def fail(self, error: StoreError) -> None:
        """The store is of no more use: end the relay."""
        self._failure = error
        self._failed.set()

    async def end_if_failed(self) -> None:
        """Wait for a failure of the store. Raises: StoreError."""
        await self._failed.wait()
        if self._failure is not None:
            raise self._failure

    # --- connections ----------------------------------------------------------------------------

    async def handle(self, connected: socket.socket) -> None:
        """Serve one connection to its end, if it may come in. Never raises."""
        if self._admits(connected):
            await self.serve_admitted(connected)
        else:
            connected.close()

    def wait(self, connected: socket.socket) -> None:
        """Let a connection wait in the lobby, if it may come in, until it says something."""
        if self.lobby is None or not self._admits(connected):
            connected.close()
            return
        self.lobby.add(connected)
        if len(self.lobby) > self.hub.config.max_unauthenticated:
            self.lobby.drop_oldest()

    async def serve_admitted(self, connected: socket.socket) -> None:
        """Serve one connection to its end. Never raises."""
        hub = self.hub
        self.connections += 1
        hub.metrics.connections += 1
        reason = "broken"
        try:
            reason = await self._serve(connected)
        except* ChannelError:
            reason = "broken"
        except* Exception as errors:  # noqa: BLE001  a defect in one connection must not end the relay
            _log.error("connection_failed", error=repr(errors.exceptions[0]), exc_info=errors)
            reason = "failed"
        finally:
            self.connections -= 1
            hub.metrics.closed[reason] += 1

    def _admits(self, connected: socket.socket) -> bool:
        hub = self.hub
        if self.connections >= hub.config.max_connections or hub.draining:
            return False
        return hub.limits.admits(connected, hub.clock_ms())

    async def _serve(self, connected: socket.socket) -> str:
        """Return why the connection ended."""
        config = self.hub.config
        session: Session | None = None
        async with anyio.create_task_group() as tasks:
            try:
                with self._stranger() as scope:
                    channel = await accept(
                        connected, self.certificates.context, timeout_s=config.handshake_timeout_s
                    )
                    session = Session(self.hub, channel, tasks)
                    with _explaining(session), anyio.move_on_after(config.authentication_timeout_s):
                        await session.greet()
                if session is None:
                    return "crowded_out"
                if session.is_ready:
                    self._watch.add(session.channel)
                    with _explaining(session):
                        await session.serve()
                if session.is_visiting:
                    await self._host(session)
                crowded = scope.cancelled_caught
                session.leave(ErrorCode.RATE_LIMITED if crowded else ErrorCode.TIMED_OUT)
            finally:
                if session is not None:
                    self._watch.discard(session.channel)
                    await session.finish()
                    tasks.cancel_scope.cancel()
        return session.close_reason if session else "broken"

    async def _host(self, session: Session) -> None:
        """Let two connections meet."""
        self._watch.add(session.channel)
        with _explaining(session):
            await session.visit.run()
            session.leave_silently()
            session.close_reason = "left"

    @contextmanager
    def _stranger(self) -> Iterator[anyio.CancelScope]:
        """Count a connection as unauthenticated. Too many: the oldest one has to go."""
        with anyio.CancelScope() as scope:
            self._strangers[scope] = None
            if len(self._strangers) > self.hub.config.max_unauthenticated:
                oldest = next(iter(self._strangers))
                del self._strangers[oldest]
                oldest.cancel()
            try:
                yield scope
            finally:
                self._strangers.pop(scope, None)

    async def serve_web(self, listener: socket.socket) -> None:
        """Serve HTTP until the relay stops: cut off earlier, Hypercorn leaves its socket open."""
        try:
            await serve_http(self.hub, listener, self.stopping.wait)
        finally:
            self._web_ended.set()

    # --- upkeep -----------------------------------------------------------------------------------

    async def keep(self) -> None:
        """Do what is due from time to time, until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch.run)
            tasks.start_soon(keep_expiring, self.hub)
            tasks.start_soon(keep_covered, self.hub)
            tasks.start_soon(self.hub.office.keep)
            tasks.start_soon(keep_obeying, self.hub)
            tasks.start_soon(self._disconnect_stalled)
            tasks.start_soon(keep_lounge, self.hub)

    async def _disconnect_stalled(self) -> None:
        hub, longest_s = self.hub, self.hub.config.unacknowledged_timeout_s
        while True:
            await anyio.sleep(longest_s / _STALL_SWEEPS)
            now_ms = hub.clock_ms()
            for session in hub.sessions():
                if session.feed.stalled_ms(now_ms) > longest_s * 1000:
                    session.leave(ErrorCode.TIMED_OUT)

    async def drain(self) -> None:
        """Let the writer finish, send everybody away, and wait until they are gone."""
        hub, config = self.hub, self.hub.config
        settled = anyio.Event()
        hub.store.call(lambda *_: None, lambda _: settled.set())
        with anyio.move_on_after(config.drain_timeout_s):
            await settled.wait()
            spread_ms = math.ceil(config.reconnect_spread_s * 1000)
            for session in hub.sessions():
                jitter = int.from_bytes(hub.rng(4)) % (spread_ms + 1)
                session.leave(ErrorCode.SHUTTING_DOWN, jitter)
            await hub.empty()
            await self.blobs.drain()
            await self._web_ended.wait()


@contextmanager
def _explaining(session: Session) -> Iterator[None]:
    """Say why when the client is sent away for what it did."""
    try:
        yield
    except (MalformedError, UnexpectedFrameError) as error:
        _log.info("client_misbehaved", reason=str(error), address=session.address)
        early = isinstance(error, UnexpectedFrameError) and not session.is_ready
        session.leave(ErrorCode.UNAUTHENTICATED if early else ErrorCode.MALFORMED)
    except RefusedError as refusal:
        session.leave(refusal.code, refusal.retry_after_ms)
    except ChannelError:
        session.leave_silently()


@asynccontextmanager
async def running(
    config: RelayConfig,
    *,
    clock_ms: Callable[[], int] = system_clock_ms,
    rng: Callable[[int], bytes] = os.urandom,
    reading: Callable[[], Reading] = system_reading,
) -> AsyncIterator[Relay]:
    """Run a relay within the current event loop; stop and drain it at the end.

    Args:
        config: All settings. Port 0 takes a free port; see ``Relay.url``.
        clock_ms: Milliseconds since the Unix epoch.
        rng: Returns random bytes.
        reading: The clocks by which attachments expire.

    Raises:
        StoreError: The data directory cannot be used.
        ConfigError: The certificate cannot be used.
        OSError: A port cannot be listened on.
    """
    with ExitStack() as opened:
        database = open_database(config.data, rng)
        opened.callback(database.close)
        certificates = load_certificates(config)
        hub = Hub(config, clock_ms, rng, Metrics())
        listeners = _listen(config.host, config.port, opened)
        blob_listeners = _listen(config.host, config.blob_port, opened)
        web, *others = _listen(config.http_host, config.http_port, opened)
        for other in others:
            other.close()
        relay = Relay(hub, certificates)
        hub.store = SqliteStore(
            database, clock_ms=clock_ms, wake=_waker(), pushed=hub.pushed, failed=relay.fail
        )
        try:
            port = config.blob_public_port or blob_listeners[0].getsockname()[1]
            hub.office = await open_office(hub, port, reading)
            relay.blobs = BlobServer(hub, certificates.context)
            async with anyio.create_task_group() as tasks:
                relay.created = certificates.created
                _publish_addresses(relay, listeners[0], web)
                _add_gauges(relay)
                _welcome(relay, tasks, listeners)
                for one in blob_listeners:
                    tasks.start_soon(serve, one, relay.blobs.handle)
                tasks.start_soon(relay.serve_web, web)
                tasks.start_soon(relay.keep)
                tasks.start_soon(relay.end_if_failed)
                try:
                    yield relay
                finally:
                    with anyio.CancelScope(shield=True):
                        relay.stop()
                        await relay.drain()
                    tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(hub.store.close)


def _welcome(relay: Relay, tasks: anyio.abc.TaskGroup, listeners: list[socket.socket]) -> None:
    """Take connections. Silent ones wait in a lobby, where the operating system allows it."""
    wait = None
    if HAS_EPOLL:
        relay.lobby = Lobby(relay.hub.config.handshake_timeout_s)
        tasks.start_soon(relay.lobby.run, relay.serve_admitted)
        wait = relay.wait
    for one in listeners:
        tasks.start_soon(serve, one, relay.handle, wait)


def _listen(host: str, port: int, opened: ExitStack) -> list[socket.socket]:
    listeners = listen(host, port)
    for listener in listeners:
        opened.callback(listener.close)
    return listeners


def _publish_addresses(relay: Relay, listener: socket.socket, web: socket.socket) -> None:
    scheme = "wss" if relay.hub.config.tls else "ws"
    relay.url = f"{scheme}://{_address(listener)}"
    relay.http_url = f"http://{_address(web)}"


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _add_gauges(relay: Relay) -> None:
    hub, store = relay.hub, relay.hub.store
    gauge = hub.metrics.gauge
    gauge("connections", "Open connections.", lambda: relay.connections)
    gauge("devices_online", "Authenticated connections.", lambda: len(hub))
    gauge(
        "writer_pending_bytes", "Payload bytes waiting for a commit.", lambda: store.pending_bytes
    )
    gauge("rendezvous", "Devices that wait to link another one.", lambda: len(hub.lounge))
    gauge("blob_connections", "Open connections for bytes.", lambda: relay.blobs.connections)
    gauge("blob_transfers", "Attachments on their way now.", lambda: len(hub.office.transfers))
    gauge("commits", "Group commits since the start.", lambda: store.statistics.commits)
    gauge("commit_failures", "Failed group commits.", lambda: store.statistics.failures)
    gauge("commit_seconds", "Time spent in group commits.", lambda: store.statistics.commit_s)


def _waker() -> Callable[[Callable[[], None]], None]:
    """Return a function that, from any thread, runs another one soon on this event loop."""
    schedule: Callable[[Callable[[], None]], object]
    if sniffio.current_async_library() == "trio":
        schedule = trio.lowlevel.current_trio_token().run_sync_soon
    else:
        schedule = asyncio.get_running_loop().call_soon_threadsafe

    def wake(function: Callable[[], None]) -> None:
        schedule(partial(_guarded, function))

    return wake


def _guarded(function: Callable[[], None]) -> None:
    """Call; a defect is logged, because an error here would end the event loop."""
    try:
        function()
    except Exception as error:  # noqa: BLE001
        _log.error("report_failed", error=repr(error), exc_info=error)
