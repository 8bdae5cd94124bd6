"""What can go wrong on the way to the relay. The docstrings are the user's text."""

from e2ecore.errors import PeerError, TransientError, UsageError
from e2ecore_protocol.errors import CODES, ErrorCode


class BadRelayAddressError(UsageError):
    """The relay's address cannot be used. It looks like wss://relay.example or wss://host:port."""


class RelayUnreachableError(TransientError):
    """Nothing answers at the relay's address. Check the network; it is tried again by itself."""


class RelayCertificateError(TransientError):
    """The relay's certificate is not trusted, not valid now, or for another name. Do not go on."""


class NotARelayError(TransientError):
    """What answers at this address is not a relay. Check the address."""


class ConnectionLostError(TransientError):
    """The connection to the relay broke. It is made again by itself; nothing was lost."""


class ClockSkewError(TransientError):
    """This machine's clock and the relay's are more than 15 minutes apart. Set the clock."""


class VersionError(UsageError):
    """This program and the relay speak no common version. Update the older one."""


class RelayProtocolError(PeerError):
    """The relay sent something that breaks the protocol. The connection was closed."""


class RelayRefusedError(TransientError):
    """The relay said no. ``code`` says why, ``can_retry`` whether trying again may help."""

    def __init__(
        self, code: ErrorCode, detail: str = "", retry_after_ms: int = 0, data: object = None
    ) -> None:
        super().__init__(f"{code.value}: {detail or CODES[code].meaning}")
        self.code = code
        self.can_retry = CODES[code].retry
        self.retry_after_ms = retry_after_ms
        self.data = data


class RemovalShownError(RelayRefusedError):
    """The relay sends this device away, and shows entries of its account chain that say why."""

    def __init__(self, refusal: RelayRefusedError, entries: tuple[bytes, ...]) -> None:
        super().__init__(refusal.code, "", refusal.retry_after_ms)
        self.entries = entries
        """As the relay sent them: to be checked before anything is believed."""


class BlobRefusedError(TransientError):
    """The relay does not take or give the bytes of an attachment. ``code`` says why."""

    def __init__(self, code: str, status: int, offset: int | None = None) -> None:
        super().__init__(f"{code} ({status})")
        self.code = code
        """One of the codes of protocol/spec/40-blobs.md, [BLB-64]."""
        self.status = status
        """The HTTP status that goes with it."""
        self.offset = offset
        """The relay's own offset, with offset_mismatch."""
