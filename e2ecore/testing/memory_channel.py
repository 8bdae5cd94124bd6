"""A connection without a network: the client's end is a channel, the relay's end a session."""

from dataclasses import dataclass, field
from typing import Protocol

import anyio
import anyio.lowlevel

from e2ecore.transport.blobs import BlobChannel
from e2ecore.transport.errors import ConnectionLostError
from e2ecore_protocol.frames.conversations import DeviceAddress
from e2ecore_protocol.frames.frame import Frame
from e2ecore_protocol.limits import MAX_UNACKED_ENVELOPES


class FrameTaker(Protocol):
    """The relay, as a session sees it."""

    def take(self, session: "Session", data: bytes, /) -> None:
        """Act on one frame of a client."""
        ...

    def forget(self, session: "Session", /) -> None:
        """A connection has ended."""
        ...


@dataclass
class Session:
    """What the relay knows of one connection."""

    relay: FrameTaker
    nonce: bytes
    device: DeviceAddress | None = None
    outbound: list[bytes] = field(default_factory=list)
    wakeup: anyio.Event | None = None
    closed: bool = False
    sent: dict[bytes, int] = field(default_factory=dict)
    """Log id to the highest number that was looked at for this connection."""
    unacked: dict[bytes, list[int]] = field(default_factory=dict)
    caught_up: bool = False
    visit: "Session | None" = None
    """The other side of a rendezvous, once both are there."""
    number: int | None = None
    """Of the rendezvous that it has opened."""

    def push(self, *frames: Frame) -> None:
        """Send frames, in order."""
        self.outbound.extend([frame.encode() for frame in frames])
        if self.wakeup is not None:
            self.wakeup.set()

    def close(self) -> None:
        """End the connection; what was sent can still be received."""
        self.closed = True
        self.relay.forget(self)
        if self.wakeup is not None:
            self.wakeup.set()

    def room(self) -> int:
        """Return how many envelopes may be sent before some are acknowledged."""
        return MAX_UNACKED_ENVELOPES - sum(map(len, self.unacked.values()))


class MemoryChannel:
    """The client's end of a connection to a relay in memory."""

    def __init__(self, session: Session, blobs: BlobChannel) -> None:
        self._session = session
        self.blobs = blobs
        """How bytes come to the relay and back."""

    async def receive(self) -> list[bytes]:
        """Return every frame that has arrived, at least one."""
        session = self._session
        while not session.outbound:
            if session.closed:
                raise ConnectionLostError("the connection was closed")
            session.wakeup = anyio.Event()
            await session.wakeup.wait()
        frames, session.outbound = session.outbound, []
        return frames

    async def send(self, messages: list[bytes], /) -> None:
        """Send frames; the relay acts on them at once."""
        await anyio.lowlevel.checkpoint()
        self.queue(messages)

    def queue(self, messages: list[bytes], /) -> int:
        """Send frames without waiting; nothing is ever pending."""
        for message in messages:
            if self._session.closed:
                raise ConnectionLostError("the connection was closed")
            self._session.relay.take(self._session, message)
        return 0

    async def drain(self) -> None:
        """Return: nothing is ever pending."""
        await anyio.lowlevel.checkpoint()

    async def keep_alive(self) -> None:
        """Memory does not die unnoticed."""
        await anyio.sleep_forever()

    async def aclose(self) -> None:
        """Close."""
        self._session.close()
