"""WebSocket frames of an open connection, without I/O: bytes in, messages out, and back.

The opening handshake is left to the ``websockets`` library. What follows is little, and passes
once per message on both sides; so it is done here, on whole reads: one call takes all bytes of a
read and returns all messages that they complete. Differences to a general library are deliberate:
no extensions, binary messages only, and a size limit that can be raised while open.

Spec: RFC 6455 sections 5 to 7, and protocol/spec/20-relay-frames.md, "Connection"
"""

import os
from collections.abc import Iterable
from enum import IntEnum
from typing import Final

from e2ecore_channel.errors import FramingError

try:
    from websockets.speedups import apply_mask
except ImportError:  # built without its C extension: slower, the same result
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


_FIN: Final = 0x80
_MASKED: Final = 0x80
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_WHOLE_BINARY: Final = _FIN | _BINARY
_LENGTH_16, _LENGTH_64 = 126, 127
_MAX_CONTROL_BYTES: Final = 125
_MASK_BYTES: Final = 4
_FIRST_PRIVATE_CODE, _LAST_PRIVATE_CODE = 3000, 4999
_KNOWN_CODES: Final = frozenset(set(CloseCode) - {CloseCode.NO_CODE, CloseCode.ABNORMAL})
_HEADS: Final = tuple(bytes((_WHOLE_BINARY, size)) for size in range(_LENGTH_16))


class Framing:
    """One open WebSocket connection, seen from one side."""

    __slots__ = (
        "_fragments",
        "_masks_incoming",
        "_need",
        "_rest",
        "close",
        "max_message_bytes",
        "replies",
    )

    def __init__(self, *, is_client: bool, max_message_bytes: int) -> None:
        self._masks_incoming = 0 if is_client else _MASKED
        self._rest = bytearray()
        self._need = 0
        self._fragments: bytearray | None = None
        self.max_message_bytes = max_message_bytes
        """Longest message that is taken, in bytes. May be changed at any time."""

        self.replies = bytearray()
        """Control frames to send next: answers to pings and to a close frame."""

        self.close: tuple[int, str] | None = None
        """Code and reason of the other side's close frame, once it came."""

    def feed(self, data: bytes) -> list[bytes]:
        """Take the bytes of one read. Return the messages that are complete now.

        Raises:
            FramingError: The other side broke the protocol, or exceeds ``max_message_bytes``.
        """
        if self._rest:
            self._rest += data
            if len(self._rest) < self._need:
                return []
            data = bytes(self._rest)
            self._rest = bytearray()
        messages: list[bytes] = []
        at, end = 0, len(data)
        while self.close is None:
            start, stop = self._head(data, at, end)
            if stop > end:
                self._need = stop - at
                self._rest += data[at:]
                break
            payload = data[start:stop]
            if self._masks_incoming:
                payload = apply_mask(payload, data[start - _MASK_BYTES : start])
            if data[at] == _WHOLE_BINARY and self._fragments is None:
                messages.append(payload)
            else:
                self._take(data[at], payload, messages)
            at = stop
        return messages

    def _head(self, data: bytes, at: int, end: int) -> tuple[int, int]:
        """Return where the payload at ``at`` begins and ends; beyond ``end`` if more is needed."""
        start = at + 2
        if end < start:
            return start, start
        length = data[at + 1] & ~_MASKED
        if length >= _LENGTH_16:
            size, smallest = (2, _LENGTH_16) if length == _LENGTH_16 else (8, 1 << 16)
            start += size
            if end < start:
                return start, start
            length = int.from_bytes(data[at + 2 : start])
            if length < smallest:
                raise FramingError(CloseCode.PROTOCOL_ERROR, "length not in its shortest form")
        if data[at + 1] & _MASKED != self._masks_incoming:
            raise FramingError(CloseCode.PROTOCOL_ERROR, "wrong masking")
        if length + len(self._fragments or b"") > self.max_message_bytes:
            raise FramingError(CloseCode.TOO_BIG, "message too big")
        if self._masks_incoming:
            start += _MASK_BYTES
        return start, start + length

    def _take(self, first: int, payload: bytes, messages: list[bytes]) -> None:
        """Take a frame that is not a whole binary message."""
        opcode = first & 0x0F
        if first & 0x70:
            raise FramingError(CloseCode.PROTOCOL_ERROR, "reserved bits are set")
        if opcode >= _CLOSE:
            self._control(first, opcode, payload)
        elif opcode == _TEXT:
            raise FramingError(CloseCode.UNSUPPORTED, "text messages are not used")
        elif opcode > _BINARY or (opcode == _CONTINUATION) != (self._fragments is not None):
            raise FramingError(CloseCode.PROTOCOL_ERROR, "unexpected kind of frame")
        else:
            self._fragment(payload, messages, is_last=bool(first & _FIN))

    def _fragment(self, payload: bytes, messages: list[bytes], *, is_last: bool) -> None:
        if self._fragments is None:
            self._fragments = bytearray()
        self._fragments += payload
        if is_last:
            messages.append(bytes(self._fragments))
            self._fragments = None

    def _control(self, first: int, opcode: int, payload: bytes) -> None:
        if not first & _FIN or len(payload) > _MAX_CONTROL_BYTES:
            raise FramingError(CloseCode.PROTOCOL_ERROR, "control frame fragmented or too long")
        if opcode == _PING:
            self.replies += self._frame(_PONG, payload)
        elif opcode == _CLOSE:
            self.close = _parse_close(payload)
            self.replies += self._frame(_CLOSE, payload[:2])
        elif opcode != _PONG:
            raise FramingError(CloseCode.PROTOCOL_ERROR, "unknown kind of control frame")

    def encode(self, messages: Iterable[bytes]) -> bytes:
        """Return the frames that carry these messages, in one piece."""
        if not self._masks_incoming:
            return b"".join([self._frame(_BINARY, message) for message in messages])
        parts: list[bytes] = []
        for message in messages:
            size = len(message)
            parts.append(_HEADS[size] if size < _LENGTH_16 else _long_head(_WHOLE_BINARY, size, 0))
            parts.append(message)
        return b"".join(parts)

    def ping(self) -> bytes:
        """Return a ping frame."""
        return self._frame(_PING, b"")

    def close_frame(self, code: int, reason: str = "") -> bytes:
        """Return a close frame. The reason is cut to what fits."""
        text = reason.encode()[: _MAX_CONTROL_BYTES - 2].decode(errors="ignore").encode()
        return self._frame(_CLOSE, code.to_bytes(2) + text)

    def _frame(self, opcode: int, payload: bytes) -> bytes:
        """Return one whole frame; masked if we are the client."""
        masked = 0 if self._masks_incoming else _MASKED
        size = len(payload)
        if size < _LENGTH_16:
            head = bytes((_FIN | opcode, masked | size))
        else:
            head = _long_head(_FIN | opcode, size, masked)
        if not masked:
            return head + payload
        mask = os.urandom(_MASK_BYTES)
        return head + mask + apply_mask(payload, mask)


def _long_head(first: int, size: int, masked: int) -> bytes:
    if size < 1 << 16:
        return bytes((first, masked | _LENGTH_16)) + size.to_bytes(2)
    return bytes((first, masked | _LENGTH_64)) + size.to_bytes(8)


def _parse_close(payload: bytes) -> tuple[int, str]:
    if not payload:
        return CloseCode.NO_CODE, ""
    code = int.from_bytes(payload[:2])
    if len(payload) == 1 or not (
        code in _KNOWN_CODES or _FIRST_PRIVATE_CODE <= code <= _LAST_PRIVATE_CODE
    ):
        raise FramingError(CloseCode.PROTOCOL_ERROR, "close frame with a forbidden code")
    try:
        return code, payload[2:].decode()
    except UnicodeDecodeError:
        raise FramingError(CloseCode.BAD_DATA, "close reason is not UTF-8") from None
