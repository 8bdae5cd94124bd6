"""Which blobs are on their way now, so that they can be cut off."""

from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager

import anyio


class Transfers:
    """The transfers of one relay, by blob. At most one upload of each."""

    def __init__(self) -> None:
        """Nothing moves yet."""
        self._running: dict[bytes, set[anyio.CancelScope]] = {}
        self._uploads: dict[bytes, anyio.CancelScope] = {}
        self._locks: dict[bytes, anyio.Lock] = {}

    def __len__(self) -> int:
        return sum(map(len, self._running.values()))

    def cut(self, blob_ids: Collection[bytes]) -> None:
        """End all transfers of some blobs."""
        for blob_id in blob_ids:
            for scope in self._running.get(blob_id, ()):
                scope.cancel()

    @contextmanager
    def running(self, blob_id: bytes) -> Iterator[anyio.CancelScope]:
        """A request for a blob runs in this context. The scope tells afterwards whether it was cut.

        It begins before it is looked whether the blob is there: so what is cut after that is cut.
        """
        with anyio.CancelScope() as scope:
            self._running.setdefault(blob_id, set()).add(scope)
            try:
                yield scope
            finally:
                scopes = self._running[blob_id]
                scopes.discard(scope)
                if not scopes:
                    del self._running[blob_id]

    @asynccontextmanager
    async def uploading(self, blob_id: bytes, scope: anyio.CancelScope) -> AsyncIterator[None]:
        """Have the upload of a blob for oneself: one that runs is ended, and waited for.

        Whoever comes later knows better: its connection is the one that the client still has.

        Args:
            blob_id: The blob.
            scope: Of the request, from ``running``; a later one cancels it.
        """
        before = self._uploads.get(blob_id)
        if before is not None:
            before.cancel()
        lock = self._locks.setdefault(blob_id, anyio.Lock())
        try:
            async with lock:
                self._uploads[blob_id] = scope
                try:
                    yield
                finally:
                    if self._uploads.get(blob_id) is scope:
                        del self._uploads[blob_id]
        finally:
            if not lock.statistics().tasks_waiting and not lock.locked():
                self._locks.pop(blob_id, None)
