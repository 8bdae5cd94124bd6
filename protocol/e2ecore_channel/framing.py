"""WebSocket frames of an open connection, without I/O: bytes in, messages out, and back.

The protocol is the sans-I/O core of the ``websockets`` library. Here it is narrowed to what
channels carry: whole binary messages, no extensions, a size limit that can be raised while open.
One call takes all bytes of a read and returns all messages that they complete.

Nearly every frame is a whole binary message within the limit. Those are taken out and made here;
every other frame, byte for byte, is the library's, and so is everything that is wrong.

Spec: RFC 6455 sections 5 to 7, and protocol/spec/20-relay-frames.md, "Connection"
"""

import logging
import os
from collections.abc import Iterable
from enum import IntEnum
from struct import Struct
from typing import Final

from websockets.exceptions import PayloadTooBig
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, Protocol, Side

from e2ecore_channel.errors import FramingError

try:
    from websockets.speedups import apply_mask
except ImportError:  # a platform for which the library has no compiled part
    from websockets.utils import apply_mask


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

_WHOLE: Final = 0x82
"""First byte of a binary message in one frame."""
_MASKED: Final = 0x80
_MASK_BYTES: Final = 4
_SHORT: Final = Struct(">BBH")
_LONG: Final = Struct(">BBQ")
_IN_16_BITS: Final = 126
"""From here on a length does not fit beside the mask bit; as a length: two bytes of it follow."""
_IN_64_BITS: Final = 127

_LOGGER: Final = logging.getLogger("e2ecore_channel")
_LOGGER.setLevel(logging.WARNING)  # the library would describe each frame and each end


class Framing:
    """One open WebSocket connection, seen from one side."""

    __slots__ = (
        "_begun",
        "_farewell",
        "_fragments",
        "_limit",
        "_mask_bit",
        "_missing",
        "_passing",
        "_protocol",
        "replies",
    )

    def __init__(self, *, is_client: bool, max_message_bytes: int) -> None:
        side = Side.CLIENT if is_client else Side.SERVER
        self._protocol = Protocol(side, state=OPEN, max_size=max_message_bytes, logger=_LOGGER)
        self._limit = max_message_bytes
        self._mask_bit = 0 if is_client else _MASKED
        """Of what comes: clients mask, servers do not."""
        self._begun = bytearray()
        """The beginning of a frame of which more has to come."""
        self._missing = 0
        """How many bytes at least."""
        self._passing = 0
        """Bytes that are still to come of a frame that is the library's."""
        self._fragments: list[bytes] | None = None
        self._farewell = b""

        self.replies = bytearray()
        """Control frames to send next: answers to pings and to a close frame."""

    @property
    def max_message_bytes(self) -> int:
        """Longest message that is taken, in bytes. May be changed at any time."""
        return self._limit

    @max_message_bytes.setter
    def max_message_bytes(self, size: int) -> None:
        self._limit = self._protocol.max_message_size = size

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
        if self._begun:
            self._begun += data
            self._missing -= len(data)
            if self._missing > 0:
                return []
            data = bytes(self._begun)
            self._begun = bytearray()
        messages: list[bytes] = []
        at, size = min(self._passing, len(data)), len(data)
        if at:
            self._passing -= at
            self._pass_on(data[:at], messages)
        while at < size:
            at = self._next(data, at, messages)
        return messages

    def _next(self, data: bytes, at: int, messages: list[bytes]) -> int:
        """Take the frame that begins at ``at``, or what is there of it. Return where it ends."""
        size = len(data)
        start, end = _extent(data, at)
        if not start:
            return self._wait(data, at, end)
        mask_bit = self._mask_bit
        if (
            data[at] != _WHOLE
            or data[at + 1] & _MASKED != mask_bit
            or end - start > self._limit
            or self._fragments is not None
            or self._protocol.state is not OPEN
        ):
            self._passing = max(0, end - size)
            self._pass_on(data[at:end], messages)
        elif end > size:
            return self._wait(data, at, end)
        else:
            body = data[start:end]
            messages.append(
                apply_mask(body, data[start - _MASK_BYTES : start]) if mask_bit else body
            )
        return end

    def _wait(self, data: bytes, at: int, end: int) -> int:
        self._begun += data[at:]
        self._missing = end - len(data)
        return end

    def _pass_on(self, data: bytes, messages: list[bytes]) -> None:
        """Have the library take what is not a whole binary message."""
        protocol = self._protocol
        protocol.receive_data(data)
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
        parts: list[bytes] = []
        masked = _MASKED ^ self._mask_bit
        for message in messages:
            size = len(message)
            if size < _IN_16_BITS:
                parts.append(bytes((_WHOLE, masked | size)))
            elif size < 1 << 16:
                parts.append(_SHORT.pack(_WHOLE, masked | _IN_16_BITS, size))
            else:
                parts.append(_LONG.pack(_WHOLE, masked | _IN_64_BITS, size))
            if masked:
                mask = os.urandom(_MASK_BYTES)
                parts += (mask, apply_mask(message, mask))
            else:
                parts.append(message)
        return b"".join(parts)

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


def _extent(data: bytes, at: int) -> tuple[int, int]:
    """Return where the payload of a frame begins and ends; 0 and where that is told if unknown."""
    size = len(data)
    if at + 1 >= size:
        return 0, at + 2
    second = data[at + 1]
    length, start = second & ~_MASKED, at + 2
    if length >= _IN_16_BITS:
        end = start + (2 if length == _IN_16_BITS else 8)
        if end > size:
            return 0, end
        length, start = int.from_bytes(data[start:end], "big"), end
    if second & _MASKED:
        start += _MASK_BYTES
    return start, start + length
