"""The port for the bytes of blobs: connections in, requests one after the other, an orderly end."""

import socket
import ssl
from typing import TYPE_CHECKING, Final

import anyio
import structlog

from e2ecore_channel import ChannelError
from e2ecore_channel.stream import Stream
from e2ecore_protocol.blob_http import BlobProblem
from e2ecore_relay.server.blob_bytes import serve_request
from e2ecore_relay.server.blob_connection import (
    BrokenError,
    HttpConnection,
    ProblemError,
    Request,
)

if TYPE_CHECKING:
    from e2ecore_relay.server.hub import Hub

_log = structlog.get_logger()

_LAST_WORDS_S: Final = 1.0
"""How long the relay waits for a client to take a refusal before it hangs up."""


class BlobServer:
    """Serves bytes until the relay stops."""

    def __init__(self, hub: "Hub", context: ssl.SSLContext | None) -> None:
        """Take connections with ``handle``.

        Args:
            hub: With its office.
            context: TLS, or None.
        """
        self._hub = hub
        self._context = context
        self._idle: dict[anyio.CancelScope, None] = {}
        self._emptied = anyio.Event()
        self.connections = 0

    async def handle(self, connected: socket.socket) -> None:
        """Serve one connection to its end. Never raises."""
        if not self._admits(connected):
            connected.close()
            return
        self.connections += 1
        try:
            await self._serve(connected)
        except Exception as error:  # noqa: BLE001  a defect in one connection must not end the relay
            _log.error("blob_connection_failed", error=repr(error), exc_info=error)
        finally:
            self.connections -= 1
            if not self.connections:
                self._emptied.set()

    def _admits(self, connected: socket.socket) -> bool:
        hub = self._hub
        if self.connections >= hub.config.blob_connections or hub.draining:
            return False
        return hub.limits.admits(connected, hub.clock_ms())

    async def _serve(self, connected: socket.socket) -> None:
        config = self._hub.config
        stream = Stream(connected)
        connection = HttpConnection(stream, patience_s=config.blob_idle_timeout_s)
        politely = False
        try:
            with anyio.fail_after(config.handshake_timeout_s):
                if self._context is not None:
                    await stream.start_tls(self._context, server_side=True)
            timeout_s = config.handshake_timeout_s
            while await self._one(connection, timeout_s):
                timeout_s = config.blob_idle_timeout_s
            politely = True
        except (TimeoutError, ChannelError, BrokenError):
            politely = False
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(_LAST_WORDS_S):
                await connection.linger()
            connection.close(politely=politely)

    async def _one(self, connection: HttpConnection, timeout_s: float) -> bool:
        """Serve one request. Return whether another may follow."""
        request: Request | None = None
        is_head = False
        try:
            with anyio.CancelScope() as waiting:
                self._idle[waiting] = None
                try:
                    request = None if self._hub.draining else await connection.request(timeout_s)
                finally:
                    del self._idle[waiting]
            if request is None:
                return False
            is_head = request.method == "HEAD"
            await serve_request(self._hub, connection, request)
        except ProblemError as error:
            await self._refuse(connection, error, is_head=is_head)
        except Exception as error:
            if isinstance(error, BrokenError | ChannelError):
                raise
            _log.error("blob_request_failed", error=type(error).__name__, exc_info=error)
            await self._refuse(connection, ProblemError(BlobProblem.INTERNAL), is_head=is_head)
        finally:
            self._hub.metrics.blob_answers[str(connection.status)] += 1
        return connection.goes_on

    async def _refuse(
        self, connection: HttpConnection, error: ProblemError, *, is_head: bool
    ) -> None:
        if not connection.can_answer:
            raise BrokenError("the answer had begun")
        await connection.refuse(error, is_head=is_head)

    async def drain(self) -> None:
        """Send those away who ask nothing; let the others finish. Cancel to end them too."""
        for scope in list(self._idle):
            scope.cancel()
        while self.connections:
            self._emptied = anyio.Event()
            await self._emptied.wait()
