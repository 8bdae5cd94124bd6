"""What the app sees of files: frozen values that can be asked to fetch what they stand for."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import BinaryIO, Protocol, TypeAlias

from e2ecore_protocol.content.attachments import AttachmentForm
from e2ecore_protocol.frames.blobs import DeletionReason

Progress: TypeAlias = Callable[[int, int], object]
"""Called with bytes done and bytes in all, in the event loop. It must not take long."""
Source: TypeAlias = str | os.PathLike[str] | BinaryIO
"""A file by its path, or something open that is read to its end, from where it stands."""


class AttachmentState(Enum):
    """Where a file is."""

    WAITING = "waiting"
    """Of ours; not uploaded yet."""
    UPLOADED = "uploaded"
    """Of ours; the relay had all of it."""
    REMOTE = "at the relay"
    """Of somebody else; ``download`` fetches it."""
    STORED = "stored"
    """Of somebody else; here, encrypted, checked."""
    EXPIRED = "expired"
    """Of somebody else; the relay has it no more. ``ask_again`` asks its sender."""
    FAILED = "failed"
    """Of ours; it was given up."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """The relay's signed word that it has destroyed its share and deleted a file.

    It proves what the relay said, not what it did.
    """

    reason: DeletionReason
    time_ms: int
    """The relay's clock."""


@dataclass(frozen=True, slots=True)
class FileStatus:
    """What the relay says of a file now."""

    recipients: int
    """Devices that it is for."""
    waiting: int
    """... of which so many have not stored it yet."""
    expires_ms: int
    """When the relay deletes it at the latest, by its clock."""
    is_complete: bool
    deletion: Deletion | None
    """It is gone, and the relay has signed that; None: not yet, or not known any more."""


@dataclass(frozen=True, slots=True)
class OutgoingFile:
    """A file to be sent, with what a reader should know of it.

    Attributes:
        source: Where it is.
        name: What it is called; None: as the file is.
        media_type: None: guessed by its name.
        form: What it is to people; None: guessed by its media type.
        duration_ms: Milliseconds of sound or moving pictures.
        waveform: Of a voice note: loudness of equal parts, 0 to 255, 128 of them at most.
        keep_metadata: Leave in pictures what cameras write: place, time, device.
    """

    source: Source
    name: str | None = None
    media_type: str | None = None
    form: AttachmentForm | None = None
    duration_ms: int = 0
    waveform: bytes = b""
    keep_metadata: bool = False


class Files(Protocol):
    """Whoever can do something with a file; the engine."""

    async def download(
        self, aid: int, to: str | os.PathLike[str] | None, on_progress: Progress | None
    ) -> os.PathLike[str] | None:
        """See ``Attachment.download``."""
        ...

    async def read(self, aid: int, offset: int, size: int) -> bytes:
        """See ``Attachment.read``."""
        ...

    async def status(self, aid: int) -> FileStatus:
        """See ``Attachment.status``."""
        ...

    async def ask_again(self, aid: int) -> None:
        """See ``Attachment.ask_again``."""
        ...

    async def upload_again(self, aid: int) -> None:
        """See ``Attachment.upload_again``."""
        ...

    async def discard(self, aid: int) -> None:
        """See ``Attachment.discard``."""
        ...


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a message, as it was when the message was read."""

    attachment_id: int
    """Its number in this database."""
    name: str
    """What its sender calls it: a name without a path. Ask before using it for a file."""
    media_type: str
    """What its sender takes it for. Never trust it."""
    form: AttachmentForm
    size: int
    """Bytes."""
    digest: bytes
    """SHA-256, 32 bytes."""
    width: int
    """Pixels; 0: not known."""
    height: int
    duration_ms: int
    waveform: bytes
    preview: bytes
    """A JPEG of at most 320 x 320 pixels, whose head was checked; or empty."""
    state: AttachmentState
    is_stored: bool
    """Is it here? Then reading it needs no relay."""
    expires_ms: int | None
    """When the relay deletes it at the latest; None: it has not said so to this device."""
    deletion: Deletion | None
    """Of own files: the relay's receipt."""
    files: Files = field(repr=False, compare=False)
    """For the engine."""

    async def download(
        self,
        to: str | os.PathLike[str] | None = None,
        *,
        on_progress: Progress | None = None,
    ) -> os.PathLike[str] | None:
        """Fetch it, check it, keep it here encrypted; and write it to a file if one is named.

        Cancelling the call pauses it: the next one goes on where this one was, also after a
        restart. What is here already is not fetched again.

        Args:
            to: A file that does not exist yet, or a folder: then the name is made harmless, and
                numbered if it is taken. None: only keep it here.
            on_progress: Called with bytes done and bytes in all.

        Returns:
            The file that was written; None without ``to``.

        Raises:
            AttachmentGoneError: The relay has it no more. See ``ask_again``.
            AttachmentDamagedError: What the relay has is not what was sealed; sub-classes say how.
            AttachmentNotHereError: Its message was deleted.
            FileExistsHereError: ``to`` exists.
            BadTargetError: No file can be there.
            DiskFullError: There is no room. What was fetched is kept.
            TransientError: The relay was not reached. Call again.
        """
        return await self.files.download(self.attachment_id, to, on_progress)

    async def read(self, offset: int = 0, size: int = -1) -> bytes:
        """Return part of a file that is here; it is decrypted in memory only.

        Args:
            offset: First byte.
            size: Bytes; -1: all that follow.

        Raises:
            AttachmentNotHereError: It is not stored; download it first.
        """
        return await self.files.read(
            self.attachment_id, offset, self.size - offset if size < 0 else size
        )

    async def status(self) -> FileStatus:
        """Ask the relay how far it is: who has fetched it, when it expires.

        Raises:
            AttachmentGoneError: The relay does not know it any more.
            TransientError: The relay was not reached.
        """
        return await self.files.status(self.attachment_id)

    async def ask_again(self) -> None:
        """Ask for a file that has expired: its sender, and the other own devices.

        Those that have it get an ``AttachmentAsked``.

        Raises:
            UsageError: As ``Conversation.send``.
        """
        await self.files.ask_again(self.attachment_id)

    async def upload_again(self) -> None:
        """Upload a file once more, for those who asked. They get an ``AttachmentOffered``.

        Of a message of this account all members hear, whichever of its devices uploads; of somebody
        else's message only the other devices of this account do.

        Raises:
            AttachmentNotHereError: There is no local copy, or it is being uploaded already.
        """
        await self.files.upload_again(self.attachment_id)

    async def discard(self) -> None:
        """Remove the local copy for good. The message stays."""
        await self.files.discard(self.attachment_id)
