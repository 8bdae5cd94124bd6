"""WebSocket frames of an open connection, without I/O: bytes in, messages out, and back.

The protocol is the sans-I/O core of the ``websockets`` library. Here it is narrowed to what
channels carry: whole binary messages, no extensions, a size limit that can be raised while open.
One call takes all bytes of a read and returns all messages that they complete.

Spec: RFC 6455 sections 5 to 7, and protocol/spec/20-relay-frames.md, "Connection"
"""

import logging
from collections.abc import Iterable
from enum import IntEnum
from typing import Final

from websockets.exceptions import PayloadTooBig
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, Protocol, Side

from e2ecore_channel.errors import FramingError


class CloseCode(IntEnum):
    """Why a channel ends, as far as the WebSocket layer knows; relays say more with GoAway."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED = 1003
    NO_CODE = 1005
    ABNORMAL = 1006
    BAD_DATA = 1007
    POLICY = 1008
    TOO_BIG = 1009
    EXTENSION_MISSING = 1010
    INTERNAL = 1011
    RESTART = 1012
    TRY_AGAIN = 1013
    BAD_GATEWAY = 1014


_MAX_REASON_BYTES: Final = 123
"""A close frame has at most 125 bytes, two of which are the code."""

_LOGGER: Final = logging.getLogger("e2ecore_channel")
_LOGGER.setLevel(logging.WARNING)  # the library would describe each frame and each end


class Framing:
    """One open WebSocket connection, seen from one side."""

    __slots__ = ("_farewell", "_fragments", "_protocol", "replies")

    def __init__(self, *, is_client: bool, max_message_bytes: int) -> None:
        side = Side.CLIENT if is_client else Side.SERVER
        self._protocol = Protocol(side, state=OPEN, max_size=max_message_bytes, logger=_LOGGER)
        self._fragments: list[bytes] | None = None
        self._farewell = b""

        self.replies = bytearray()
        """Control frames to send next: answers to pings and to a close frame."""

    @property
    def max_message_bytes(self) -> int:
        """Longest message that is taken, in bytes. May be changed at any time."""
        return self._protocol.max_message_size or 0

    @max_message_bytes.setter
    def max_message_bytes(self, size: int) -> None:
        self._protocol.max_message_size = size

    @property
    def close(self) -> tuple[int, str] | None:
        """Code and reason of the other side's close frame, once it came."""
        close = self._protocol.close_rcvd
        return None if close is None else (close.code, close.reason)

    def feed(self, data: bytes) -> list[bytes]:
        """Take the bytes of one read. Return the messages that are complete now.

        Raises:
            FramingError: The other side broke the protocol, or exceeds ``max_message_bytes``.
        """
        protocol = self._protocol
        protocol.receive_data(data)
        messages: list[bytes] = []
        for event in protocol.events_received():
            if not isinstance(event, Frame):
                continue
            if event.opcode is Opcode.BINARY and event.fin:
                messages.append(bytes(event.data))
            else:
                self._take(event, messages)
        if protocol.parser_exc is not None:
            self._fail(protocol.parser_exc)
        if protocol.writes:
            self.replies += b"".join(protocol.data_to_send())
        return messages

    def _take(self, frame: Frame, messages: list[bytes]) -> None:
        """Take a frame that is not a whole binary message."""
        if frame.opcode is Opcode.TEXT:
            reason = "text messages are not used"
            self._protocol.fail(CloseCode.UNSUPPORTED, reason)
            self._farewell = b"".join(self._protocol.data_to_send())
            raise FramingError(CloseCode.UNSUPPORTED, reason)
        if frame.opcode is Opcode.BINARY:
            self._fragments = [bytes(frame.data)]
        elif frame.opcode is Opcode.CONT and self._fragments is not None:
            self._fragments.append(bytes(frame.data))
            if frame.fin:
                messages.append(b"".join(self._fragments))
                self._fragments = None

    def _fail(self, error: Exception) -> None:
        """Tell what the other side did wrong; ``close_frame`` returns what it is to be told."""
        self._farewell = b"".join(self._protocol.data_to_send())
        sent = self._protocol.close_sent
        code = CloseCode.TOO_BIG if isinstance(error, PayloadTooBig) else CloseCode.PROTOCOL_ERROR
        raise FramingError(sent.code if sent is not None else code, str(error)) from error

    def encode(self, messages: Iterable[bytes]) -> bytes:
        """Return the frames that carry these messages, in one piece."""
        protocol = self._protocol
        for message in messages:
            protocol.send_binary(message)
        return b"".join(protocol.data_to_send())

    def ping(self) -> bytes:
        """Return a ping frame."""
        self._protocol.send_ping(b"")
        return b"".join(self._protocol.data_to_send())

    def close_frame(self, code: int, reason: str = "") -> bytes:
        """Return a close frame. The reason is cut to what fits."""
        if self._protocol.state is not OPEN:
            return self._farewell
        text = reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore")
        self._protocol.send_close(code, text)
        return b"".join(self._protocol.data_to_send())
