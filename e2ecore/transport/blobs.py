"""The way of a blob's bytes, as the engine sees it: one port, over HTTP or in memory.

Frames ask for leave (``CreateBlob``, ``FetchBlob``); their answers hold what a ``BlobTicket``
needs.
Spec: protocol/spec/40-blobs.md, "The bytes: HTTP"
"""

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol, runtime_checkable


class BlobTicket(NamedTuple):
    """Leave to upload or to fetch one blob.

    Attributes:
        blob_id: 16 bytes.
        token: 32 bytes, from BlobCreated or BlobGranted. A secret.
        port: Where the relay serves bytes, from the same answer.
    """

    blob_id: bytes
    token: bytes
    port: int

    def __repr__(self) -> str:
        return f"BlobTicket({self.blob_id.hex()})"


class UploadState(NamedTuple):
    """How far an upload has come.

    Attributes:
        offset: Bytes that the relay holds durably; go on from here.
        is_complete: Nothing more is wanted.
    """

    offset: int
    is_complete: bool


class BlobChannel(Protocol):
    """Moves bytes between a device and the relay. Every call stands for itself; any may be cut off.

    All raise BlobRefusedError when the relay says no, ConnectionLostError, RelayUnreachableError or
    RelayCertificateError when the way to it is broken, RelayProtocolError when it makes no sense.
    """

    async def upload_state(self, ticket: BlobTicket, /) -> UploadState:
        """Ask how far an upload has come. Ends one that still seems to run."""
        ...

    async def upload(
        self, ticket: BlobTicket, offset: int, data: AsyncIterable[bytes], *, completes: bool
    ) -> UploadState:
        """Append bytes; what arrived of a call that is cut off is kept.

        Args:
            ticket: With the upload token.
            offset: Where ``data`` begins; must be the relay's own offset.
            data: The bytes, in blocks of any length.
            completes: These are the last ones.
        """
        ...

    def download(
        self, ticket: BlobTicket, start: int = 0, stop: int | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open a stream of bytes ``start`` (inclusive) to ``stop`` (exclusive; None: the end).

        The bytes are as the relay sent them: not checked in any way.
        """
        ...


@runtime_checkable
class CarriesBlobs(Protocol):
    """A connection that also knows the way of the bytes."""

    @property
    def blobs(self) -> BlobChannel:
        """How bytes come to this relay and back."""
        ...
