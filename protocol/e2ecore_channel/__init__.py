"""Carries frames over a byte stream: TLS, WebSocket, batching. Shared by client and relay.

A client calls ``connect``; a relay calls ``listen``, ``serve`` and, for each socket, ``accept``.
Both get a ``Channel``. Runs on trio and on asyncio.
"""

from e2ecore_channel.accepting import accept, listen, serve
from e2ecore_channel.channel import Channel
from e2ecore_channel.connecting import connect
from e2ecore_channel.errors import (
    BadAddressError,
    CertificateError,
    ChannelClosedError,
    ChannelError,
    ConnectError,
    FramingError,
    HandshakeError,
    NameNotFoundError,
    TlsError,
    UnreachableError,
)
from e2ecore_channel.framing import CloseCode, Framing
from e2ecore_channel.lobby import HAS_EPOLL, Lobby
from e2ecore_channel.tls import client_context, server_context
from e2ecore_channel.watch import SilenceWatch, keep_alive

__all__ = [
    "HAS_EPOLL",
    "BadAddressError",
    "CertificateError",
    "Channel",
    "ChannelClosedError",
    "ChannelError",
    "CloseCode",
    "ConnectError",
    "Framing",
    "FramingError",
    "HandshakeError",
    "Lobby",
    "NameNotFoundError",
    "SilenceWatch",
    "TlsError",
    "UnreachableError",
    "accept",
    "client_context",
    "connect",
    "keep_alive",
    "listen",
    "serve",
    "server_context",
]
