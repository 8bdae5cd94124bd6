"""TLS without I/O: plaintext in, records out, and back. One object per connection."""

import ssl
from contextlib import suppress
from typing import Final

from e2ecore_channel.errors import CertificateError, ChannelClosedError, TlsError
from e2ecore_channel.framing import CloseCode

_RECORD_BYTES: Final = 1 << 14
"""Most plaintext of one TLS record."""


class TlsPump:
    """One side of a TLS connection on memory buffers."""

    __slots__ = ("_incoming", "_outgoing", "_tls")

    def __init__(
        self, context: ssl.SSLContext, *, server_side: bool, server_name: str | None
    ) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_name
        )

    def shake_hands(self, data: bytes) -> bool:
        """Take what came. Return whether the handshake is done; ``take`` what is to be sent.

        Raises:
            TlsError: It failed.
            CertificateError: The other side's certificate is not to be trusted.
        """
        self._incoming.write(data)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLCertVerificationError as error:
            raise CertificateError(str(error.verify_message)) from error
        except ssl.SSLError as error:
            raise TlsError(f"no TLS: {error.reason or error}") from error
        return True

    def take(self) -> bytes:
        """Return records that wait to be sent; usually none."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def seal(self, plain: bytes | memoryview) -> bytes:
        """Encrypt.

        Raises:
            ChannelClosedError: TLS has ended.
        """
        try:
            self._tls.write(plain)
        except ssl.SSLError as error:
            raise _broken(error) from error
        return self._outgoing.read()

    def open(self, data: bytes) -> bytes:
        """Take what came. Return the plaintext of all records that are complete now.

        Raises:
            ChannelClosedError: It was tampered with, or TLS has ended.
        """
        tls, incoming = self._tls, self._incoming
        incoming.write(data)
        parts: list[bytes] = []
        try:
            while incoming.pending or tls.pending():
                part = tls.read(_RECORD_BYTES)
                if not part:  # the other side said that it will send no more
                    break
                parts.append(part)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            raise _broken(error) from error
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def end(self) -> bytes:
        """Return the record that says we will send no more."""
        with suppress(ssl.SSLError):  # it would wait for the same from the other side
            self._tls.unwrap()
        return self.take()


def _broken(error: ssl.SSLError) -> ChannelClosedError:
    return ChannelClosedError(CloseCode.ABNORMAL, f"TLS: {error.reason or 'ended'}".lower())
