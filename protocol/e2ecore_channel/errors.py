"""What can go wrong between two ends of a channel, named by cause."""


class ChannelError(Exception):
    """Root of all errors of a channel. The text is for people and holds no content."""


class ChannelClosedError(ChannelError):
    """The channel is closed; nothing more can be sent or received.

    ``code`` and ``reason`` are the other side's close frame, or 1006 and why, if there was none.
    """

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"closed with code {code}" + (f": {reason}" if reason else ""))
        self.code = code
        self.reason = reason


class FramingError(ChannelError):
    """The other side broke the WebSocket protocol. ``code`` is the close code to answer with."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class ConnectError(ChannelError):
    """No connection came about; see the sub-class."""


class BadAddressError(ConnectError):
    """The relay's URL cannot be used. Correct it."""


class NameNotFoundError(ConnectError):
    """The relay's name has no address: mistyped, or no network."""


class UnreachableError(ConnectError):
    """Nothing answers at the relay's address: refused, no route, or no answer in time."""


class CertificateError(ConnectError):
    """The relay's certificate is not trusted, not valid now, or for another name."""


class TlsError(ConnectError):
    """No common TLS: the other side does not speak it, or only versions we refuse."""


class HandshakeError(ConnectError):
    """What answered is not a relay: it does not speak our WebSocket subprotocol."""
