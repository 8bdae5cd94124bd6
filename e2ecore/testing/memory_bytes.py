"""The way of bytes to and from a relay in memory, in place of HTTP.

Spec: protocol/spec/40-blobs.md
"""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from typing import Final

import anyio.lowlevel

from e2ecore.testing.memory_blobs import MemoryBlobs, refusal
from e2ecore.transport.blobs import BlobTicket, UploadState
from e2ecore.transport.errors import ConnectionLostError
from e2ecore_protocol.blob_http import BlobProblem

BLOCK_BYTES: Final = 1 << 16
"""Bytes that a download yields at once."""


class MemoryBlobChannel:
    """The way of bytes to a relay in memory. See e2ecore.transport.blobs.BlobChannel."""

    def __init__(self, blobs: MemoryBlobs, is_offline: Callable[[], bool]) -> None:
        self._blobs = blobs
        self._is_offline = is_offline

    async def upload_state(self, ticket: BlobTicket, /) -> UploadState:
        """See BlobChannel."""
        await self._reach()
        blob = self._blobs.for_upload(ticket)
        return UploadState(len(blob.data), blob.complete)

    async def upload(
        self, ticket: BlobTicket, offset: int, data: AsyncIterable[bytes], *, completes: bool
    ) -> UploadState:
        """See BlobChannel."""
        await self._reach()
        blob = self._blobs.for_upload(ticket)
        if blob.complete:
            raise refusal(BlobProblem.UPLOAD_COMPLETE)
        if offset != len(blob.data):
            raise refusal(BlobProblem.OFFSET_MISMATCH, len(blob.data))
        async for part in data:
            await self._reach()
            self._blobs.for_upload(ticket)
            if len(blob.data) + len(part) > blob.size:
                raise refusal(BlobProblem.TOO_LARGE)
            passed = self._blobs.room(len(part))
            self._blobs.keep(blob, part[:passed])
            self._check_whole(passed, len(part))
        if completes and len(blob.data) != blob.size:
            raise refusal(BlobProblem.BAD_REQUEST)
        if completes:
            self._blobs.completed(blob)
        return UploadState(len(blob.data), blob.complete)

    @asynccontextmanager
    async def download(
        self, ticket: BlobTicket, start: int = 0, stop: int | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """See BlobChannel."""
        await self._reach()
        blob = self._blobs.for_fetch(ticket)
        end = len(blob.data) if stop is None else min(stop, len(blob.data))
        if start >= end:
            raise refusal(BlobProblem.BAD_RANGE)
        async with aclosing(self._blocks(ticket, range(start, end, BLOCK_BYTES), end)) as blocks:
            yield blocks

    async def _blocks(
        self, ticket: BlobTicket, starts: Iterable[int], end: int
    ) -> AsyncGenerator[bytes, None]:
        for at in starts:
            await self._reach()
            data = self._blobs.for_fetch(ticket).data
            block = bytes(data[at : min(at + BLOCK_BYTES, end)])
            passed = self._blobs.room(len(block))
            if passed:
                yield block[:passed]
            self._check_whole(passed, len(block))

    def _check_whole(self, passed: int, wanted: int) -> None:
        if passed < wanted:
            self._blobs.cut_after = None
            raise ConnectionLostError("the connection for bytes was cut")

    async def _reach(self) -> None:
        await anyio.lowlevel.checkpoint()
        if self._is_offline():
            raise ConnectionLostError("the relay in memory is set to be offline")
