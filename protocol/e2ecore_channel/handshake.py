"""The opening handshake of both sides, by the sans-I/O core of the ``websockets`` library.

Only the HTTP head goes through the library; what follows the head belongs to the channel.
"""

from typing import Final

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidURI
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI, parse_uri

from e2ecore_channel.errors import BadAddressError, HandshakeError
from e2ecore_channel.stream import Stream
from e2ecore_protocol.limits import KIB, SUBPROTOCOL

_MAX_HEAD_BYTES: Final = 16 * KIB
"""Longest HTTP head: ours have 200 bytes; proxies add some."""

_END_OF_HEAD: Final = b"\r\n\r\n"
_SUBPROTOCOLS: Final = (Subprotocol(SUBPROTOCOL),)


def parse_url(url: str) -> WebSocketURI:
    """Take a WebSocket URL apart.

    Raises:
        BadAddressError: It is not one, or it holds a user name or password.
    """
    try:
        parsed = parse_uri(url)
    except (InvalidURI, ValueError) as error:
        raise BadAddressError(f"not a ws:// or wss:// address: {url}") from error
    if parsed.user_info:
        raise BadAddressError("a relay's address holds no user name and no password")
    return parsed


async def request_upgrade(stream: Stream, url: WebSocketURI) -> bytes:
    """Do the client's side. Return the bytes that came right behind the relay's head.

    Raises:
        HandshakeError: The other side is not a relay.
        ChannelClosedError: It hung up.
    """
    protocol = ClientProtocol(url, subprotocols=_SUBPROTOCOLS)
    protocol.send_request(protocol.connect())
    stream.put(b"".join(protocol.data_to_send()))
    head, early = await _read_head(stream)
    status = head.split(b" ", 2)[1:2]
    if head.startswith(b"HTTP/1.") and status != [b"101"]:
        raise HandshakeError(f"the server answered with HTTP status {status[0].decode('latin-1')}")
    protocol.receive_data(head)
    if protocol.state is not OPEN:
        raise HandshakeError(f"the server does not speak WebSocket: {protocol.handshake_exc}")
    if protocol.subprotocol != SUBPROTOCOL:
        raise HandshakeError(f"the server does not speak {SUBPROTOCOL}")
    return early


async def accept_upgrade(stream: Stream) -> bytes:
    """Do the server's side. Return the bytes that came right behind the client's head.

    Raises:
        HandshakeError: The other side is not a client of ours; it has got an HTTP error.
        ChannelClosedError: It hung up.
    """
    protocol = ServerProtocol(subprotocols=_SUBPROTOCOLS)
    head, early = await _read_head(stream)
    protocol.receive_data(head)
    for event in protocol.events_received():
        if isinstance(event, Request):
            protocol.send_response(protocol.accept(event))
    stream.put(b"".join(protocol.data_to_send()))
    await stream.drain()
    if protocol.state is not OPEN:
        raise HandshakeError(f"not a client: {protocol.handshake_exc}")
    return early


async def _read_head(stream: Stream) -> tuple[bytes, bytes]:
    """Read an HTTP head. Return it, with its empty line, and what follows it."""
    head = b""
    while (end := head.find(_END_OF_HEAD)) < 0:
        if len(head) > _MAX_HEAD_BYTES:
            raise HandshakeError("the HTTP head is too long")
        head += await stream.read()
    end += len(_END_OF_HEAD)
    return head[:end], head[end:]
