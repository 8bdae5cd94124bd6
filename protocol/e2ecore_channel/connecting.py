"""From a URL to an open channel."""

import os
import socket
import ssl
from typing import Final

import anyio
import anyio.abc

from e2ecore_channel.channel import Channel
from e2ecore_channel.errors import (
    BadAddressError,
    CertificateError,
    ChannelClosedError,
    HandshakeError,
    NameNotFoundError,
    UnreachableError,
)
from e2ecore_channel.handshake import parse_url, request_upgrade
from e2ecore_channel.stream import Stream
from e2ecore_protocol.limits import HANDSHAKE_TIMEOUT_S, MAX_FRAME_BYTES

NEXT_ADDRESS_S: Final = 0.25
"""Seconds after which the next address is tried beside the one before (RFC 8305 section 5)."""

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts to which a connection without TLS may be allowed: it does not leave the machine."""

_Address = tuple[int, tuple[str, int] | tuple[str, int, int, int]]


async def connect(
    url: str,
    context: ssl.SSLContext | None,
    *,
    max_message_bytes: int = MAX_FRAME_BYTES,
    timeout_s: float = HANDSHAKE_TIMEOUT_S,
    allow_plain_loopback: bool = False,
) -> Channel:
    """Connect to a relay: name, TCP, TLS and the WebSocket handshake.

    Args:
        url: ``wss://host[:port][/path]``.
        context: Whom to trust; see ``tls.client_context``. None only for ``ws://``.
        max_message_bytes: Longest message to take.
        timeout_s: Seconds for all of it.
        allow_plain_loopback: Take ``ws://`` too, if the host is this machine.

    Raises:
        BadAddressError: The URL cannot be used.
        NameNotFoundError: The host has no address.
        UnreachableError: Nobody answers, or not in time.
        CertificateError: The certificate is not to be trusted.
        TlsError: No common TLS.
        HandshakeError: It is not a relay.
    """
    target = parse_url(url)
    if target.secure == (context is None):
        raise BadAddressError("wss:// needs certificates to trust, ws:// has none")
    if not target.secure and not (allow_plain_loopback and target.host in LOOPBACK):
        raise BadAddressError(f"without TLS only to this machine, and only when allowed: {url}")
    try:
        with anyio.fail_after(timeout_s):
            stream = await _open(target.host, target.port, context)
            try:
                early = await request_upgrade(stream, target)
            except BaseException:
                stream.close()
                raise
    except TimeoutError:
        raise UnreachableError(f"no answer from {target.host} within {timeout_s:g} s") from None
    except CertificateError as error:
        raise CertificateError(f"{target.host}: {error}") from error
    except ChannelClosedError as error:
        raise HandshakeError(f"{target.host} hung up: {error.reason}") from error
    return Channel(stream, is_client=True, max_message_bytes=max_message_bytes, early=early)


async def open_stream(
    host: str,
    port: int,
    context: ssl.SSLContext | None,
    *,
    timeout_s: float = HANDSHAKE_TIMEOUT_S,
) -> Stream:
    """Connect to a host: name, TCP and TLS.

    Args:
        host: Name or address, checked against the certificate.
        port: TCP port.
        context: Whom to trust. None for no TLS.
        timeout_s: Seconds for all of it.

    Raises:
        NameNotFoundError: The host has no address.
        UnreachableError: Nobody answers, or not in time.
        CertificateError: The certificate is not to be trusted.
        TlsError: No common TLS.
        ChannelClosedError: The other side hung up.
    """
    try:
        with anyio.fail_after(timeout_s):
            return await _open(host, port, context)
    except TimeoutError:
        raise UnreachableError(f"no answer from {host} within {timeout_s:g} s") from None


async def _open(host: str, port: int, context: ssl.SSLContext | None) -> Stream:
    """Connect, with TLS if there is a context; closed again if that fails."""
    stream = Stream(await _open_socket(host, port))
    try:
        if context is not None:
            await stream.start_tls(context, server_side=False, server_name=host)
    except BaseException:
        stream.close()
        raise
    return stream


async def _open_socket(host: str, port: int) -> socket.socket:
    """Connect to the first address that answers; each gets a head start."""
    addresses = await _resolve(host, port)
    connected: list[socket.socket] = []
    reasons: list[str] = []
    try:
        async with anyio.create_task_group() as tasks:
            for address in addresses:
                failed = anyio.Event()
                tasks.start_soon(_attempt, address, connected, reasons, failed, tasks.cancel_scope)
                with anyio.move_on_after(NEXT_ADDRESS_S):
                    await failed.wait()
    except BaseException:
        for one in connected:
            one.close()
        raise
    for late in connected[1:]:
        late.close()
    if not connected:
        raise UnreachableError(f"{host}, port {port}: {', '.join(sorted(set(reasons)))}")
    return connected[0]


async def _resolve(host: str, port: int) -> list[_Address]:
    """Return the host's addresses, its preferred family first, then alternating."""
    try:
        found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NameNotFoundError(f"no address for {host}") from error
    addresses: list[_Address] = [(int(family), address) for family, _, _, _, address in found]
    first = [address for address in addresses if address[0] == addresses[0][0]]
    others = [address for address in addresses if address[0] != addresses[0][0]]
    ordered: list[_Address] = []
    while first or others:
        ordered += first[:1] + others[:1]
        first, others = first[1:], others[1:]
    return ordered


async def _attempt(
    address: _Address,
    connected: list[socket.socket],
    reasons: list[str],
    failed: anyio.Event,
    race: anyio.CancelScope,
) -> None:
    """Try one address; the first that connects ends the race."""
    family, target = address
    attempt = socket.socket(family, socket.SOCK_STREAM)
    try:
        attempt.settimeout(0)
        attempt.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            attempt.connect(target)
        except BlockingIOError:
            await anyio.wait_writable(attempt)
            if code := attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(code, os.strerror(code)) from None
    except OSError as error:
        attempt.close()
        reasons.append((error.strerror or "failed").lower())
        failed.set()
    except BaseException:
        attempt.close()
        raise
    else:
        connected.append(attempt)
        race.cancel()
