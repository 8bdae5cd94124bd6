"""A capture of the wire: every frame that a device sends and receives, as it crosses the channel.

TLS is outside of what is recorded: whoever reads a capture has broken TLS, or is the relay.
"""

import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from e2ecore.transport.blobs import BlobChannel, CarriesBlobs
from e2ecore.transport.login import Dial, FrameChannel
from e2ecore_protocol.frames import decode_client_frame
from e2ecore_protocol.frames.delivery import Envelope, Submit

Sink = Callable[[bytes], None]
"""Takes one frame."""

_SIZE: Final = struct.Struct(">I")


class RecordingChannel:
    """A channel that shows every frame to a sink before it passes it on."""

    def __init__(self, channel: FrameChannel, sent: Sink, received: Sink) -> None:
        self._channel = channel
        self._sent = sent
        self._received = received

    async def receive(self) -> list[bytes]:
        frames = await self._channel.receive()
        for frame in frames:
            self._received(frame)
        return frames

    async def send(self, messages: list[bytes], /) -> None:
        for message in messages:
            self._sent(message)
        await self._channel.send(messages)

    def queue(self, messages: list[bytes], /) -> int:
        for message in messages:
            self._sent(message)
        return self._channel.queue(messages)

    async def drain(self) -> None:
        await self._channel.drain()

    async def keep_alive(self) -> None:
        await self._channel.keep_alive()

    async def aclose(self) -> None:
        await self._channel.aclose()


class CarryingChannel(RecordingChannel):
    """One that also knows the way of the bytes of files. These are not recorded."""

    def __init__(
        self, channel: FrameChannel, sent: Sink, received: Sink, blobs: BlobChannel
    ) -> None:
        super().__init__(channel, sent, received)
        self.blobs = blobs


def recorded(dial: Dial, sent: Sink, received: Sink) -> Dial:
    """Return a way to connect whose channels are recorded."""

    async def dial_recorded() -> FrameChannel:
        channel = await dial()
        if isinstance(channel, CarriesBlobs):
            return CarryingChannel(channel, sent, received, channel.blobs)
        return RecordingChannel(channel, sent, received)

    return dial_recorded


def to_file(path: Path) -> Sink:
    """Return a sink that a SIGKILL cannot take a frame from: one write each."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(frame: bytes) -> None:
        os.write(file, _SIZE.pack(len(frame)) + frame)

    return write


def from_file(path: Path) -> Iterator[bytes]:
    """Return the frames of a file; one that was cut off at the end is left out."""
    data = path.read_bytes()
    at = 0
    while at + _SIZE.size <= len(data):
        (size,) = _SIZE.unpack_from(data, at)
        at += _SIZE.size
        if at + size <= len(data):
            yield data[at : at + size]
        at += size


def submitted(frames: Iterator[bytes]) -> Iterator[Envelope]:
    """Return the envelopes that a device has submitted."""
    for data in frames:
        frame = decode_client_frame(data)
        if isinstance(frame, Submit):
            yield from frame.envelopes
