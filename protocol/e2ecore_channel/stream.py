"""A TCP connection with or without TLS: bytes in and out, many at a time, never more than needed.

Sockets are non-blocking and waited for with anyio, so one code serves trio and asyncio. TLS runs on
memory buffers in this process (``ssl.SSLObject``), because the ready-made streams cost twice as
much per read and asyncio's keeps 256 KiB for every connection.

Writing has two halves. ``put`` is not async: it seals and hands to the kernel what the kernel takes
now, and keeps the rest in memory. ``drain`` waits until the rest is gone. So one task can write to
many connections and is never held up by a slow reader; it looks at ``pending_bytes`` instead.
"""

import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import anyio

from e2ecore_channel.errors import ChannelClosedError
from e2ecore_channel.framing import CloseCode
from e2ecore_channel.pump import TlsPump

READ_BYTES: Final = 1 << 16
"""Bytes of one read: about 150 small frames, and four TLS records."""

_SEAL_BYTES: Final = 1 << 18
"""Plaintext sealed at once: bounds what the TLS buffers grow to and keep."""


class Stream:
    """One connected socket, owned by this object."""

    __slots__ = (
        "_drained",
        "_early",
        "_pending",
        "_socket",
        "_tls",
        "reads",
    )

    def __init__(self, connected: socket.socket) -> None:
        connected.settimeout(0)
        self._socket = connected
        self._tls: TlsPump | None = None
        self._pending = bytearray()
        self._early = b""
        self._drained: anyio.Event | None = None
        self.reads = 0
        """How often anything was read; tells a silent connection from a lively one."""

    @property
    def is_closed(self) -> bool:
        """Tell whether this side has closed the socket."""
        return self._socket.fileno() < 0

    @property
    def pending_bytes(self) -> int:
        """Bytes that the kernel has not taken yet."""
        return len(self._pending)

    @property
    def is_draining(self) -> bool:
        """Tell whether a task is in ``drain`` now."""
        return self._drained is not None

    async def start_tls(
        self, context: ssl.SSLContext, *, server_side: bool, server_name: str | None = None
    ) -> None:
        """Do the TLS handshake.

        Raises:
            TlsError: It failed.
            CertificateError: The other side's certificate is not to be trusted.
            ChannelClosedError: The other side went away.
        """
        data = await self._read_raw() if server_side else b""  # silence costs no TLS state
        pump = TlsPump(context, server_side=server_side, server_name=server_name)
        try:
            while not pump.shake_hands(data):
                self._put_raw(pump.take())
                await self.drain()
                data = await self._read_raw()
        finally:
            with suppress(ChannelClosedError):  # the next write will notice
                self._put_raw(pump.take())  # our last word, or an alert that says what is wrong
        self._tls = pump
        self._early = pump.open(b"")  # what came in one read with the handshake's end

    async def read(self) -> bytes:
        """Wait for bytes and return all that are there, up to about READ_BYTES.

        Raises:
            ChannelClosedError: The other side ended the connection, or it broke.
        """
        if self._early:
            early, self._early = self._early, b""
            return early
        tls = self._tls
        if tls is None:
            return await self._read_raw()
        plain = b""
        while not plain:
            plain = tls.open(await self._read_raw())
            if records := tls.take():  # TLS has something to say of its own
                self._put_raw(records)
        return plain

    def put(self, data: bytes | memoryview) -> None:
        """Send, as much as the kernel takes now; keep the rest for ``drain``. Never waits.

        Raises:
            ChannelClosedError: The connection is closed or broken.
        """
        tls = self._tls
        if tls is None:
            self._put_raw(data)
        elif len(data) <= _SEAL_BYTES:
            self._put_raw(tls.seal(data))
        else:
            view = memoryview(data)
            for start in range(0, len(data), _SEAL_BYTES):
                self._put_raw(tls.seal(view[start : start + _SEAL_BYTES]))

    async def drain(self) -> None:
        """Wait until the kernel has taken everything. Several tasks may wait.

        Raises:
            ChannelClosedError: The connection is closed or broken.
        """
        while self._drained is not None:
            await self._drained.wait()
        if not self._pending:
            return
        self._drained = anyio.Event()
        try:
            while self._pending:
                await self._ready(anyio.wait_writable)
                self._write_pending()
        finally:
            self._drained.set()
            self._drained = None

    def end(self) -> None:
        """Say that nothing more will be sent. Reading goes on."""
        if self._tls is not None:
            self._put_raw(self._tls.end())
        with suppress(OSError):
            if not self._pending:
                self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the socket at once. Tasks that wait for it wake up with ChannelClosedError."""
        if not self.is_closed:
            anyio.notify_closing(self._socket)
            self._socket.close()

    def peer_address(self) -> str:
        """Return the IP address of the other side; empty if it is gone."""
        try:
            name = self._socket.getpeername()
        except OSError:
            return ""
        return str(name[0]) if isinstance(name, tuple) else ""

    async def _read_raw(self) -> bytes:
        while True:
            await self._ready(anyio.wait_readable)
            try:
                data = self._socket.recv(READ_BYTES)
            except (BlockingIOError, InterruptedError):
                continue
            except OSError as error:
                raise _broken(error) from error
            if not data:
                raise ChannelClosedError(CloseCode.ABNORMAL, "the other side hung up")
            self.reads += 1
            return data

    def _put_raw(self, data: bytes | memoryview) -> None:
        if self._pending:
            self._pending += data
        elif data:
            sent = self._send_now(data)
            if sent < len(data):
                self._pending += memoryview(data)[sent:]

    def _write_pending(self) -> None:
        with memoryview(self._pending) as view:
            sent = self._send_now(view)
        del self._pending[:sent]
        if not self._pending:
            self._pending = bytearray()

    def _send_now(self, data: bytes | memoryview) -> int:
        try:
            return self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            raise _broken(error) from error

    async def _ready(self, wait: Callable[[socket.socket], Awaitable[None]]) -> None:
        try:
            await wait(self._socket)
        except (anyio.ClosedResourceError, OSError, ValueError) as error:
            raise _broken(error) from error


def _broken(error: Exception) -> ChannelClosedError:
    """Turn an error of the operating system into ours."""
    reason = (error.strerror if isinstance(error, OSError) else None) or "closed on this side"
    return ChannelClosedError(CloseCode.ABNORMAL, reason.lower())
