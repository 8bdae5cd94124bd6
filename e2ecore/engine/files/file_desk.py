"""What all work with files shares while an engine is open, in the event loop."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import anyio

from e2ecore.engine.errors import MessageGoneError
from e2ecore.engine.files import fetching, file_status, offering
from e2ecore.engine.files.file_errors import NoFileChannelError
from e2ecore.engine.files.file_values import FileStatus, Progress
from e2ecore.engine.running.defects import log_defect
from e2ecore.engine.running.signals import Signal
from e2ecore.engine.talk.handles import Outcome, SentMessage
from e2ecore.storage import attachments
from e2ecore.storage.file_cache import FileCache
from e2ecore.transport.blobs import BlobChannel

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core
    from e2ecore.errors import E2EError

_MAX_ENDED: Final = 256
"""Parcels whose end is remembered, for callers that ask late."""


class Sending:
    """What becomes of one parcel."""

    __slots__ = (
        *("ahead", "done", "is_closing", "message", "on_progress", "outcome", "renewed", "rooms"),
        *("scope", "total", "trouble"),
    )

    def __init__(self) -> None:
        self.outcome = Outcome()
        """Settled when the message is written, or never will be."""
        self.message: SentMessage | None = None
        self.on_progress: Progress | None = None
        self.scope: anyio.CancelScope | None = None
        """Of the upload that runs now."""
        self.trouble: E2EError | None = None
        """Why it does not go on just now."""
        self.rooms: dict[bytes, tuple[int, int]] = {}
        """Epoch and time in which room was last asked for, by blob, since the engine's start."""
        self.ahead = 0
        """Bytes of files that have become messages already, while others still come."""
        self.renewed: set[int] = set()
        """Files that are uploaded once more, because the relay would not have kept them."""
        self.is_closing = False
        """Whoever ends the parcel says itself what became of it."""
        self.done = 0
        self.total = 0

    @contextmanager
    def closing(self) -> Iterator[None]:
        """While the parcel is ended by who says so."""
        self.is_closing = True
        try:
            yield
        finally:
            self.is_closing = False

    def progressed(self, done: int) -> None:
        """So many bytes of all are at the relay.

        An app whose callback fails is not called again; the upload goes on.
        """
        self.done = done
        self.trouble = None
        if self.on_progress is not None:
            try:
                self.on_progress(done, self.total)
            except Exception as error:  # noqa: BLE001 - nobody is there to be told
                self.on_progress = None
                log_defect("telling the app of an upload", error)


class FileDesk:
    """Local copies, the way of the bytes, and who waits for what. See ``file_values.Files``."""

    def __init__(self, core: "Core") -> None:
        self._core = core
        self.cache = FileCache(core.database.path)
        self.channel: BlobChannel | None = None
        """How bytes come to the relay and back; None while there is no connection."""
        self.upload_signal = Signal()
        """There may be something to upload, or a way to do it."""
        self.duty_signal = Signal()
        """There may be something to tell the relay."""
        self.tidy_signal = Signal()
        """There may be local copies whose rows are gone."""
        self.sendings: dict[int, Sending] = {}
        self.fetches: dict[int, anyio.Lock] = {}
        """One download of a file at a time."""
        self.storing = anyio.Lock()
        """Held while a copy gets its row and name, and while what has no row is swept."""
        self._copying = 0

    @contextmanager
    def making_copies(self) -> Iterator[None]:
        """While copies are made, which have no rows yet: none of them is swept."""
        self._copying += 1
        try:
            yield
        finally:
            self._copying -= 1

    def is_copying(self) -> bool:
        """Are copies being made?"""
        return self._copying > 0

    def sending(self, pid: int) -> Sending:
        """Return what is known of a parcel."""
        found = self.sendings.get(pid)
        if found is None:
            found = self.sendings[pid] = Sending()
        return found

    def ended(self, pid: int, error: Exception | None = None) -> None:
        """A parcel became a message, or was given up."""
        self.sending(pid).outcome.settle(error)
        self._core.upkeep.to_give.set()
        settled = [one for one, known in self.sendings.items() if known.outcome.settled]
        for one in settled[:-_MAX_ENDED]:
            del self.sendings[one]

    def need_channel(self) -> BlobChannel:
        """Return the way of the bytes.

        Raises:
            NoFileChannelError: This connection has none.
        """
        if self.channel is None:
            raise NoFileChannelError
        return self.channel

    def is_fetching(self, aid: int) -> bool:
        """Is this file being downloaded?"""
        fetch = self.fetches.get(aid)
        return fetch is not None and fetch.locked()

    def connected(self) -> None:
        """There is a connection: see to everything that waits for one."""
        self.upload_signal.set()
        self.duty_signal.set()
        self._core.upkeep.to_take.set()

    def files_left(self) -> None:
        """Rows of files are gone: copies and uploads may be left that belong to nothing."""
        self.tidy_signal.set()
        self.duty_signal.set()

    def end_orphans(self) -> None:
        """End uploads whose files were erased; before the relay is told to delete its part."""
        for pid, known in list(self.sendings.items()):
            if known.outcome.settled or self._has_parcel(pid):
                continue
            if known.scope is not None:
                known.scope.cancel()
            if not known.is_closing:
                self.ended(pid, MessageGoneError())

    def _has_parcel(self, pid: int) -> bool:
        return self._core.read(lambda tx: attachments.parcel(tx, pid)) is not None

    def close(self, error: Exception) -> None:
        """The engine is closed: tell who waits."""
        for known in self.sendings.values():
            known.outcome.settle(error)

    async def download(
        self, aid: int, to: str | os.PathLike[str] | None, on_progress: Progress | None
    ) -> os.PathLike[str] | None:
        """See ``Attachment.download``."""
        try:
            async with self.fetches.setdefault(aid, anyio.Lock()):
                return await fetching.download(self._core, aid, to, on_progress)
        finally:
            await fetching.evict(self._core, keep=aid if to is None else 0)

    async def read(self, aid: int, offset: int, size: int) -> bytes:
        """See ``Attachment.read``."""
        return await fetching.read(self._core, aid, offset, size)

    async def status(self, aid: int) -> FileStatus:
        """See ``Attachment.status``."""
        return await file_status.status(self._core, aid)

    async def ask_again(self, aid: int) -> None:
        """See ``Attachment.ask_again``."""
        await offering.ask_again(self._core, aid)

    async def upload_again(self, aid: int) -> None:
        """See ``Attachment.upload_again``."""
        await offering.upload_again(self._core, aid)

    async def discard(self, aid: int) -> None:
        """See ``Attachment.discard``."""
        async with self.fetches.setdefault(aid, anyio.Lock()):
            await fetching.discard(self._core, aid)
