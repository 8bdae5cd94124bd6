"""Either end of a rendezvous: messages to the other side, and what it says.

Spec: protocol/spec/70-linking.md
"""

from collections.abc import Callable
from typing import Protocol

import anyio

from e2ecore.errors import TransientError
from e2ecore.transport.errors import RelayProtocolError
from e2ecore.transport.login import Frames, decode
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.frames.rendezvous import (
    CloseRendezvous,
    JoinRendezvous,
    PassRendezvous,
    RendezvousClosed,
    RendezvousMessage,
)
from e2ecore_protocol.frames.session import GoAway, Ok
from e2ecore_protocol.limits import MAX_RENDEZVOUS_MESSAGES

_JOIN = 1


class RendezvousOverError(TransientError):
    """The other device has ended it, its code is older than ten minutes, or the network broke.

    Nothing was linked. Begin anew with a new code.
    """


class Line(Protocol):
    """One end of a rendezvous."""

    async def pass_on(self, payload: bytes, /) -> None:
        """Say something to the other side."""
        ...

    async def receive(self) -> bytes:
        """Return what the other side says next.

        Raises:
            RendezvousOverError: Nothing more comes.
        """
        ...


class HostLine:
    """The end of a device that is connected anyway."""

    def __init__(self, post: Callable[[Frame], None]) -> None:
        """Begin to wait.

        Args:
            post: Sends a frame over the connection.
        """
        self._post = post
        self._send, self._receive = anyio.create_memory_object_stream[bytes](
            MAX_RENDEZVOUS_MESSAGES
        )
        self._is_over = False

    def met(self, frame: RendezvousMessage | RendezvousClosed) -> None:
        """Take what the relay says."""
        if isinstance(frame, RendezvousClosed):
            self.end()
            return
        try:
            self._send.send_nowait(frame.payload)
        except (anyio.WouldBlock, anyio.ClosedResourceError, anyio.BrokenResourceError):
            self.end()  # more than the relay may pass on

    def end(self) -> None:
        """Nothing more comes. Safe to call twice."""
        self._is_over = True
        self._send.close()

    async def pass_on(self, payload: bytes, /) -> None:
        """See Line."""
        if self._is_over:
            raise RendezvousOverError
        self._post(PassRendezvous(payload))

    async def receive(self) -> bytes:
        """See Line."""
        try:
            return await self._receive.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            raise RendezvousOverError from None

    def close(self) -> None:
        """Tell the other side that it is over."""
        if not self._is_over:
            self._post(CloseRendezvous())
        self.end()
        self._receive.close()


class GuestLine:
    """The end of a device that has no account yet. It has a connection of its own."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames

    async def keep_alive(self) -> None:
        """Notice a dead connection, and show that this one is not."""
        await self._frames.channel.keep_alive()

    async def join(self, number: int) -> None:
        """Come to whoever waits under a number.

        Raises:
            RelayRefusedError: Nobody does, or this was tried too often.
        """
        await self._frames.channel.send([JoinRendezvous(_JOIN, number).encode()])
        await self._frames.next(Ok)

    async def pass_on(self, payload: bytes, /) -> None:
        """See Line."""
        await self._frames.channel.send([PassRendezvous(payload).encode()])

    async def receive(self) -> bytes:
        """See Line."""
        frame = decode(await self._frames.raw())
        if isinstance(frame, RendezvousClosed | GoAway):
            raise RendezvousOverError
        if not isinstance(frame, RendezvousMessage):
            raise RelayProtocolError
        return frame.payload
