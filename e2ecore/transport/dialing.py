"""From the relay's address to a channel that carries frames, with errors that users understand."""

from pathlib import Path

from e2ecore.errors import E2EError
from e2ecore.transport.blobs import BlobChannel
from e2ecore.transport.errors import (
    BadRelayAddressError,
    ConnectionLostError,
    NotARelayError,
    RelayCertificateError,
    RelayProtocolError,
    RelayUnreachableError,
)
from e2ecore.transport.http_blobs import HttpBlobs
from e2ecore_channel import (
    BadAddressError,
    CertificateError,
    Channel,
    ChannelError,
    CloseCode,
    ConnectError,
    FramingError,
    NameNotFoundError,
    UnreachableError,
    client_context,
    connect,
    keep_alive,
)
from e2ecore_channel.handshake import parse_url

_PLAIN = "ws://"


class RelayChannel:
    """A connection to a relay: frames in and out, errors from the tree of ``e2ecore.errors``."""

    def __init__(self, channel: Channel, blobs: BlobChannel) -> None:
        self._channel = channel
        self.blobs = blobs
        """The way of attachments, beside this connection."""

    async def receive(self) -> list[bytes]:
        """Return every frame that one read brought, at least one.

        Raises:
            ConnectionLostError: The connection ended or broke.
            RelayProtocolError: The relay broke the WebSocket protocol or a limit.
        """
        try:
            return await self._channel.receive()
        except ChannelError as error:
            raise _lost(error) from error

    async def send(self, messages: list[bytes], /) -> None:
        """Send frames in one write; wait until the operating system has them.

        Raises:
            ConnectionLostError: The connection ended or broke.
        """
        try:
            await self._channel.send(messages)
        except ChannelError as error:
            raise _lost(error) from error

    def queue(self, messages: list[bytes], /) -> int:
        """Send frames without waiting; return how many bytes are pending then.

        Raises:
            ConnectionLostError: The connection ended or broke.
        """
        try:
            return self._channel.queue(messages)
        except ChannelError as error:
            raise _lost(error) from error

    async def drain(self) -> None:
        """Wait until nothing is pending.

        Raises:
            ConnectionLostError: The connection ended or broke.
        """
        try:
            await self._channel.drain()
        except ChannelError as error:
            raise _lost(error) from error

    async def keep_alive(self) -> None:
        """Ping while the relay is silent, give up when it stays so. Ends with the connection."""
        await keep_alive(self._channel)

    async def aclose(self) -> None:
        """Say goodbye and close. Safe to call twice."""
        await self._channel.aclose(CloseCode.NORMAL)


async def dial(
    url: str, *, ca_file: str | Path | None = None, allow_plain_loopback: bool = False
) -> RelayChannel:
    """Connect to a relay, up to the point where it sends its Challenge.

    Args:
        url: ``wss://host[:port]``; ``ws://`` only to this machine, and only when allowed.
        ca_file: PEM file with the certificates to trust; None for the system's.
        allow_plain_loopback: Take ``ws://127.0.0.1`` and the like, for tests.

    Raises:
        BadRelayAddressError: The address, or ``ca_file``, cannot be used.
        RelayUnreachableError: Nobody answers.
        RelayCertificateError: Somebody answers whom we must not trust.
        NotARelayError: Somebody answers who is not a relay.
    """
    try:
        context = None if url.lower().startswith(_PLAIN) else client_context(ca_file)
        channel = await connect(url, context, allow_plain_loopback=allow_plain_loopback)
    except ConnectError as error:
        raise _not_connected(error) from error
    return RelayChannel(channel, HttpBlobs(parse_url(url).host, context))


def _not_connected(error: ConnectError) -> E2EError:
    match error:
        case BadAddressError():
            return BadRelayAddressError(str(error))
        case NameNotFoundError() | UnreachableError():
            return RelayUnreachableError(str(error))
        case CertificateError():
            return RelayCertificateError(str(error))
        case _:
            return NotARelayError(str(error))


def _lost(error: ChannelError) -> E2EError:
    if isinstance(error, FramingError):
        return RelayProtocolError(str(error))
    return ConnectionLostError(str(error))
