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

from e2ecore_channel.errors import ChannelClosedError, TlsError
from e2ecore_channel.framing import CloseCode

READ_BYTES: Final = 1 << 16
"""Bytes of one read: about 150 small frames, and four TLS records."""

_SEAL_BYTES: Final = 1 << 18
"""Plaintext sealed at once: bounds what the TLS buffers grow to and keep."""

_RECORD_BYTES: Final = 1 << 14
"""Most plaintext of one TLS record."""


class Stream:
    """One connected socket, owned by this object."""

    __slots__ = (
        "_drained",
        "_early",
        "_incoming",
        "_outgoing",
        "_pending",
        "_socket",
        "_tls",
        "reads",
    )

    def __init__(self, connected: socket.socket) -> None:
        connected.settimeout(0)
        self._socket = connected
        self._tls: ssl.SSLObject | None = None
        self._incoming: ssl.MemoryBIO | None = None
        self._outgoing: ssl.MemoryBIO | None = None
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
            ssl.SSLCertVerificationError: The other side's certificate is not trusted.
            ChannelClosedError: The other side went away.
        """
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_name
        )
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                self._put_raw(self._outgoing.read())
                await self.drain()
                self._incoming.write(await self._read_raw())
            except ssl.SSLCertVerificationError:
                raise
            except ssl.SSLError as error:
                self._put_raw(self._outgoing.read())
                raise TlsError(f"no TLS: {error.reason or error}") from error
            else:
                self._put_raw(self._outgoing.read())
                self._tls = tls
                self._early = self._open(b"")  # what came in one read with the handshake's end
                return

    async def read(self) -> bytes:
        """Wait for bytes and return all that are there, up to about READ_BYTES.

        Raises:
            ChannelClosedError: The other side ended the connection, or it broke.
        """
        while True:
            if self._early:
                early, self._early = self._early, b""
                return early
            data = await self._read_raw()
            if self._tls is None:
                return data
            if plain := self._open(data):
                return plain

    def put(self, data: bytes) -> None:
        """Send, as much as the kernel takes now; keep the rest for ``drain``. Never waits.

        Raises:
            ChannelClosedError: The connection is closed or broken.
        """
        tls, outgoing = self._tls, self._outgoing
        if tls is None or outgoing is None:
            self._put_raw(data)
            return
        try:
            if len(data) <= _SEAL_BYTES:
                tls.write(data)
                self._put_raw(outgoing.read())
                return
            view = memoryview(data)
            for start in range(0, len(data), _SEAL_BYTES):
                tls.write(view[start : start + _SEAL_BYTES])
                self._put_raw(outgoing.read())
        except ssl.SSLError as error:
            raise _broken(error) from error

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
        with suppress(OSError, ValueError, ChannelClosedError):
            if self._tls is not None and self._outgoing is not None:
                with suppress(ssl.SSLError):
                    self._tls.unwrap()
                self._put_raw(self._outgoing.read())
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

    def _open(self, data: bytes) -> bytes:
        """Decrypt what came. Return nothing if that is not yet a whole record."""
        tls, incoming, outgoing = self._tls, self._incoming, self._outgoing
        if tls is None or incoming is None or outgoing is None:
            return data
        incoming.write(data)
        parts: list[bytes] = []
        try:
            while incoming.pending or tls.pending():
                part = tls.read(_RECORD_BYTES)
                if not part:
                    break
                parts.append(part)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            raise _broken(error) from error
        if outgoing.pending:
            self._put_raw(outgoing.read())
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _put_raw(self, data: bytes) -> None:
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
        if self.is_closed:
            raise ChannelClosedError(CloseCode.ABNORMAL, "closed on this side")
        try:
            await wait(self._socket)
        except (anyio.ClosedResourceError, OSError, ValueError) as error:
            raise _broken(error) from error


def _broken(error: Exception) -> ChannelClosedError:
    """Turn an error of the operating system or of TLS into ours."""
    reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or "broken"
    return ChannelClosedError(CloseCode.ABNORMAL, str(reason).lower())
