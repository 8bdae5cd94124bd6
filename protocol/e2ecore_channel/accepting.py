"""From a listening port to open channels."""

import errno
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Final

import anyio

from e2ecore_channel.channel import Channel
from e2ecore_channel.errors import HandshakeError
from e2ecore_channel.handshake import accept_upgrade
from e2ecore_channel.lobby import has_spoken
from e2ecore_channel.stream import Stream
from e2ecore_protocol.limits import HANDSHAKE_TIMEOUT_S, MAX_UNAUTHENTICATED_FRAME_BYTES

BACKLOG: Final = 4096
"""Connections that the kernel keeps waiting: a storm after a restart, at 2,000 accepts a second."""

_ACCEPTS_AT_ONCE: Final = 8
"""Connections taken before other tasks get a turn; these wait for what beginning so many costs."""

_NO_FILES_PAUSE_S: Final = 0.1
"""Seconds to wait for a connection to end when the process has no file descriptors left."""

_NO_FILES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def listen(host: str, port: int, *, reuse_port: bool = False) -> list[socket.socket]:
    """Open listening sockets, one per address of the host.

    Args:
        host: Name or address; empty for all addresses.
        port: 0 for a free one; it is then the same for all addresses.
        reuse_port: Let a second process listen on the same port, to take over without a gap.

    Raises:
        OSError: The address is not ours, or in use.
    """
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    listeners: list[socket.socket] = []
    try:
        for family, address in {(family, address) for family, _, _, _, address in found}:
            listener = socket.socket(family, socket.SOCK_STREAM)
            listeners.append(listener)
            listener.settimeout(0)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if reuse_port:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            port = port or (listeners[0].getsockname()[1] if len(listeners) > 1 else 0)
            listener.bind((address[0], port, *address[2:]))
            listener.listen(BACKLOG)
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


async def serve(
    listener: socket.socket,
    handle: Callable[[socket.socket], Coroutine[None, None, None]],
    wait: Callable[[socket.socket], None] | None = None,
) -> None:
    """Accept connections for ever; run ``handle`` for each in a task of its own.

    ``handle`` owns the socket and must not raise: an error in it ends the server. Cancel to stop;
    the running handlers are cancelled too.

    Args:
        listener: A socket of ``listen``. It is closed at the end.
        handle: Usually calls ``accept`` first.
        wait: Takes the connections, instead of ``handle``, that have not said anything yet: see
            ``Lobby``. It owns them from then on.
    """
    try:
        async with anyio.create_task_group() as tasks:
            while True:
                await anyio.wait_readable(listener)
                for connected in await _accept_some(listener):
                    if wait is None or has_spoken(connected):
                        tasks.start_soon(handle, connected)
                    else:
                        wait(connected)
    finally:
        listener.close()


async def accept(
    connected: socket.socket,
    context: ssl.SSLContext | None,
    *,
    max_message_bytes: int = MAX_UNAUTHENTICATED_FRAME_BYTES,
    timeout_s: float = HANDSHAKE_TIMEOUT_S,
) -> Channel:
    """Do TLS and the WebSocket handshake on a connection that was accepted.

    Args:
        connected: Closed again if this fails.
        context: Our certificate; see ``tls.server_context``. None for no TLS.
        max_message_bytes: Longest message to take; raise it when the client is authenticated.
        timeout_s: Seconds for all of it.

    Raises:
        TlsError: The client speaks no TLS that we accept, or does not trust us.
        HandshakeError: It is not a client of ours, or too slow.
        ChannelClosedError: It hung up.
    """
    stream = Stream(connected)
    try:
        with anyio.fail_after(timeout_s):
            if context is not None:
                await stream.start_tls(context, server_side=True)
            early = await accept_upgrade(stream)
    except TimeoutError:
        stream.close()
        raise HandshakeError(f"no handshake within {timeout_s:g} s") from None
    except BaseException:
        stream.close()
        raise
    return Channel(stream, is_client=False, max_message_bytes=max_message_bytes, early=early)


async def _accept_some(listener: socket.socket) -> list[socket.socket]:
    """Accept the connections that wait now."""
    accepted: list[socket.socket] = []
    try:
        while len(accepted) < _ACCEPTS_AT_ONCE:
            connected, _ = listener.accept()
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            accepted.append(connected)
    except (BlockingIOError, InterruptedError):
        pass
    except OSError as error:
        if error.errno in _NO_FILES:
            await anyio.sleep(_NO_FILES_PAUSE_S)
    return accepted
