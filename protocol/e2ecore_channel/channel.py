"""A channel: whole messages over one connection, the same on both sides.

Two rules for whoever uses it. One task at a time may be in ``receive``. Everything else may be
called by any task of the same event loop, also while another is in ``receive``.

A relay that serves many readers writes inline: ``queue`` from whatever task has something to say,
then look at the returned number. Zero means that the kernel has it all. Otherwise the reader is
slow: start ``drain`` in a task of its own (unless ``is_draining``), and queue no more until it
returns.
"""

from collections.abc import Iterable
from typing import Final

import anyio

from e2ecore_channel.errors import ChannelClosedError, ChannelError, FramingError
from e2ecore_channel.framing import CloseCode, Framing
from e2ecore_channel.stream import Stream
from e2ecore_protocol.limits import KIB

CLOSE_TIMEOUT_S: Final = 2
"""Seconds to wait, when closing, for what is pending and for the other side's goodbye."""

_MAX_REPLY_BYTES: Final = 64 * KIB
"""Pending bytes beyond which a side that floods us with pings is not read from any more."""


class Channel:
    """An open WebSocket connection that carries binary messages."""

    __slots__ = ("_early", "_framing", "_said_goodbye", "_stream")

    def __init__(
        self, stream: Stream, *, is_client: bool, max_message_bytes: int, early: bytes = b""
    ) -> None:
        """Begin after the opening handshake.

        Args:
            stream: The connection; it belongs to the channel from now on.
            is_client: Which side we are.
            max_message_bytes: Longest message to take, for now.
            early: Bytes that came right behind the handshake.
        """
        self._stream = stream
        self._framing = Framing(is_client=is_client, max_message_bytes=max_message_bytes)
        self._early = early
        self._said_goodbye = False

    @property
    def max_message_bytes(self) -> int:
        """Longest message that is taken, in bytes. Raise it once the other side is known."""
        return self._framing.max_message_bytes

    @max_message_bytes.setter
    def max_message_bytes(self, size: int) -> None:
        self._framing.max_message_bytes = size

    @property
    def pending_bytes(self) -> int:
        """Bytes queued that the kernel has not taken yet: how far behind the reader is."""
        return self._stream.pending_bytes

    @property
    def is_draining(self) -> bool:
        """Tell whether a task is in ``drain`` now."""
        return self._stream.is_draining

    @property
    def is_closed(self) -> bool:
        """Tell whether this side has closed the connection."""
        return self._stream.is_closed

    @property
    def reads(self) -> int:
        """How often bytes came in; unchanged means silence."""
        return self._stream.reads

    @property
    def peer_address(self) -> str:
        """The other side's IP address; empty if it is gone."""
        return self._stream.peer_address()

    async def receive(self) -> list[bytes]:
        """Wait for the next read. Return all messages that it completes, at least one.

        Pings are answered here. Cancelling loses nothing.

        Raises:
            ChannelClosedError: The other side closed, or the connection broke.
            FramingError: The other side broke the protocol or a limit. It has been told; close.
        """
        framing = self._framing
        while framing.close is None:
            data, self._early = self._early or await self._stream.read(), b""
            try:
                messages = framing.feed(data)
            except FramingError as error:
                self._goodbye(error.code, error.reason)
                raise
            if framing.replies:
                await self._reply()
            if messages:
                return messages
        raise ChannelClosedError(*framing.close)

    def queue(self, messages: Iterable[bytes]) -> int:
        """Send messages without waiting. What the kernel does not take now stays in memory.

        Returns:
            ``pending_bytes``. If not zero, somebody must ``drain``.

        Raises:
            ChannelClosedError: The channel is closed or broken.
        """
        self._check_open()
        self._stream.put(self._framing.encode(messages))
        return self._stream.pending_bytes

    async def send(self, messages: Iterable[bytes]) -> None:
        """Send messages in one write, and wait until the kernel has them all.

        Cancelling while it waits does not take them back. Does not yield if there is nothing to
        wait for.

        Raises:
            ChannelClosedError: The channel is closed or broken.
        """
        if self.queue(messages):
            await self._stream.drain()

    async def drain(self) -> None:
        """Wait until nothing is pending.

        Raises:
            ChannelClosedError: The channel is closed or broken.
        """
        await self._stream.drain()

    def ping(self) -> None:
        """Ask the other side for a sign of life; it shows in ``reads``. Never waits.

        Raises:
            ChannelClosedError: The channel is closed or broken.
        """
        self._check_open()
        self._stream.put(self._framing.ping())

    async def aclose(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Say goodbye, let what is pending go out, and close. Never raises but Cancelled.

        Takes CLOSE_TIMEOUT_S at most; when cancelled it closes at once.

        Args:
            code: A WebSocket close code.
            reason: For logs; at most 123 bytes of UTF-8.
        """
        if self._stream.is_closed:
            return
        try:
            with anyio.move_on_after(CLOSE_TIMEOUT_S):
                await self._part(code, reason)
        except ChannelError:
            pass  # the other side was faster
        finally:
            self._stream.close()

    def abort(self) -> None:
        """Close at once, without goodbye. For the other side this looks like a broken network."""
        self._stream.close()

    async def _part(self, code: int, reason: str) -> None:
        """Send the close frame, then read on until the other side hangs up.

        Closing a socket with unread data would make the kernel reset the connection, and what we
        said last might never be read.
        """
        self._goodbye(code, reason)
        await self._stream.drain()
        self._stream.end()
        while self._framing.close is None:  # else it has said goodbye: nothing more can come
            await self._stream.read()

    async def _reply(self) -> None:
        framing = self._framing
        replies, framing.replies = bytes(framing.replies), bytearray()
        if framing.close is not None:
            if self._said_goodbye:
                return
            self._said_goodbye = True
        self._stream.put(replies)
        if self._stream.pending_bytes > _MAX_REPLY_BYTES:
            await self._stream.drain()

    def _goodbye(self, code: int, reason: str) -> None:
        if not self._said_goodbye:
            self._said_goodbye = True
            self._stream.put(self._framing.close_frame(code, reason))

    def _check_open(self) -> None:
        if self._framing.close is not None:
            raise ChannelClosedError(*self._framing.close)
        if self._said_goodbye or self._stream.is_closed:
            raise ChannelClosedError(CloseCode.ABNORMAL, "closed on this side")
