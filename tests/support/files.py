"""Two devices that send each other files, and the way of the bytes, counted and bent."""

import io
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Final

import anyio

import e2ecore
from e2ecore import Attachment, Conversation, Engine, Message, Upload
from e2ecore.engine.engine import system_clock_ms
from e2ecore.testing import MemoryRelay, devices
from e2ecore.transport.blobs import BlobChannel, BlobTicket, UploadState
from tests.support.engines import PATIENCE_S, pair, until

DATA: Final = bytes(range(256)) * 4096 + b"the end"
"""A megabyte: several runs, the last one short."""


class Way:
    """The way of bytes to the relay in memory, counted and bent."""

    def __init__(self, inner: BlobChannel) -> None:
        self._inner = inner
        self.served = 0
        self.uploaded = 0
        self.alter: Callable[[bytes, int], bytes] | None = None
        self.tell: Callable[[UploadState], UploadState] = lambda state: state
        """What the relay says of an upload, given how it is."""

    async def upload_state(self, ticket: BlobTicket, /) -> UploadState:
        return self.tell(await self._inner.upload_state(ticket))

    async def upload(
        self, ticket: BlobTicket, offset: int, data: AsyncIterable[bytes], *, completes: bool
    ) -> UploadState:
        async def counted() -> AsyncGenerator[bytes, None]:
            async for block in data:
                self.uploaded += len(block)
                yield block

        async with aclosing(counted()) as blocks:
            state = await self._inner.upload(ticket, offset, blocks, completes=completes)
        return self.tell(state)

    @asynccontextmanager
    async def download(
        self, ticket: BlobTicket, start: int = 0, stop: int | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        async def bent(blocks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
            at = start
            async for block in blocks:
                self.served += len(block)
                yield block if self.alter is None else self.alter(block, at)
                at += len(block)

        async with (
            self._inner.download(ticket, start, stop) as inner,
            aclosing(bent(inner)) as blocks,
        ):
            yield blocks


class Scene:
    """Alice and Bob in their conversation."""

    def __init__(
        self, relay: MemoryRelay, alice: Engine, bob: Engine, chats: tuple[Conversation, ...]
    ) -> None:
        self.relay, self.alice, self.bob = relay, alice, bob
        self.chat, self.other = chats
        self.at_alice, self.at_bob = alice.events(), bob.events()
        self.way = Way(relay.blob_channel)
        self.got: list[Message] = []
        """For a test: what bob has."""
        for one in (alice, bob):
            one._core.desk.channel = self.way

    async def send(self, data: bytes = DATA, name: str = "report.pdf") -> tuple[Message, Message]:
        """Alice sends a file; return the message as she and as Bob sees it."""
        upload = await self.chat.send_file(io.BytesIO(data), "look", name=name)
        with anyio.fail_after(PATIENCE_S):
            sent = await upload.sent()
        received = await until(self.at_bob, e2ecore.MessageReceived)
        (own,) = await self.chat.messages_at([sent.order])
        return own, received.message

    async def now(self, chat: Conversation, message: Message) -> Attachment:
        """The first file of a message as it is now."""
        (found,) = await chat.messages_at([message.order])
        return found.attachment

    async def acknowledged(self) -> None:
        """Wait until the relay has nothing left."""
        with anyio.fail_after(PATIENCE_S):
            while self.relay.blobs.live:  # noqa: ASYNC110  nobody sets an event for it
                await anyio.sleep(0.005)


@asynccontextmanager
async def scene(
    folder: Path, *, clock_ms: Callable[[], int] = system_clock_ms
) -> AsyncIterator[Scene]:
    async with devices(folder, "alice", "bob", clock_ms=clock_ms) as (relay, (alice, bob)):
        yield Scene(relay, alice, bob, await pair(alice, bob))


async def troubled(upload: Upload) -> Exception:
    """Wait until something is in an upload's way; return what."""
    with anyio.fail_after(PATIENCE_S):
        while upload.trouble is None:  # noqa: ASYNC110 - nobody sets an event for it
            await anyio.sleep(0.005)
    return upload.trouble
