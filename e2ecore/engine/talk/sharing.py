"""Sending files in a conversation."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from e2ecore.engine.files import offering
from e2ecore.engine.files.file_errors import AttachmentNotHereError
from e2ecore.engine.files.file_values import OutgoingFile, Progress, Source
from e2ecore.engine.files.offering import Upload
from e2ecore.engine.files.reading import Reading
from e2ecore.engine.talk.history import listed
from e2ecore.engine.values import Message
from e2ecore.storage import attachments
from e2ecore.storage.conversations import ConversationRow
from e2ecore.storage.messages import MAX_PAGE, ORDER_MASK, message_row_id
from e2ecore_protocol.limits import MAX_FORWARDS

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core


class Sharing:
    """What can be done with files in a conversation; a part of ``Conversation``."""

    _core: "Core"
    _row: ConversationRow

    async def send_file(
        self,
        source: Source | OutgoingFile,
        caption: str = "",
        *,
        name: str | None = None,
        on_progress: Progress | None = None,
        reading: Reading | None = None,
    ) -> Upload:
        """Send a file. Returns when a copy of it is safe here; the rest happens by itself.

        The others get a message when all of it is at the relay. From pictures, places, times and
        devices are taken out first; see ``OutgoingFile.keep_metadata``.

        Args:
            source: A path, something open for reading, or an ``OutgoingFile``.
            caption: What is said of it.
            name: What it is called; needed for something open.
            on_progress: Called with bytes that the relay has, and bytes in all.
            reading: By which the copying can be stopped and given up meanwhile.

        Raises:
            FileChangedError: It was changed while it was read.
            AttachmentTooLargeError: More than 4 GiB.
            BadFileError: It cannot be read.
            BadAttachmentNameError: Nobody could store it under this name.
            UnknownPictureError: Metadata cannot be taken out of this picture.
            UploadCancelledError: It was given up by ``reading``.
            DiskFullError: There is no room for the copy. Nothing was stored.
            UsageError: As ``Conversation.send``.
        """
        wanted = source if isinstance(source, OutgoingFile) else OutgoingFile(source, name)
        return await self.send_files((wanted,), caption, on_progress=on_progress, reading=reading)

    async def send_files(
        self,
        files: Sequence[OutgoingFile],
        caption: str = "",
        *,
        on_progress: Progress | None = None,
        reading: Reading | None = None,
    ) -> Upload:
        """Send up to 32 files as one message, an album. As ``send_file``.

        Raises:
            TooManyFilesError: More than 32, or none.
            CaptionTooLongError: More than 64 KiB.
            UsageError: As ``send_file``.
        """
        return await offering.send_files(
            self._core, self._row.cid, files, caption, on_progress=on_progress, reading=reading
        )

    async def forward_files(
        self,
        message: Message,
        caption: str | None = None,
        *,
        on_progress: Progress | None = None,
        reading: Reading | None = None,
    ) -> Upload:
        """Send the files of a message of any conversation here, marked as forwarded.

        Who sent them is not told.

        Files that are not on this device are fetched first. Each is sealed anew, under a key of its
        own, and uploaded for those who are here: nothing at the relay or in the messages says that
        it is the same file, but for its content.

        Args:
            message: Of any conversation.
            caption: What is said of them; None: what was said there.
            on_progress: Called with bytes that the relay has, and bytes in all.
            reading: By which the copying can be stopped and given up meanwhile.

        Raises:
            AttachmentNotHereError: It has no files, or was deleted.
            AttachmentGoneError: One is neither here, nor at the relay any more. Nothing was sent;
                see ``Attachment.ask_again``.
            AttachmentDamagedError: What the relay has of one is not what was sealed.
            TransientError: One is not here, and the relay was not reached.
            UsageError: As ``send_files``.
        """
        if not message.attachments:
            raise AttachmentNotHereError
        said = message.text if caption is None else caption
        aids = [one.attachment_id for one in message.attachments]
        return await offering.forward_files(
            self._core, self._row.cid, aids, said,
            forwards=min(message.forwards + 1, MAX_FORWARDS), on_progress=on_progress,
            reading=reading,
        )  # fmt: skip

    async def messages_with_files(
        self, before: int | None = None, limit: int = 100
    ) -> list[Message]:
        """Return the newest messages that have files, the oldest first.

        Args:
            before: ``Message.order``: only those that are older; None: from the newest on.
            limit: How many at most, up to 1,000.
        """
        cid = self._row.cid
        end = message_row_id(cid + 1, 0) if before is None else message_row_id(cid, before)
        size = max(1, min(limit, MAX_PAGE))
        ids = self._core.read(
            lambda tx: attachments.messages_before(tx, message_row_id(cid, 0), end, size)
        )
        return listed(self._core, self._row, [one & ORDER_MASK for one in ids])

    async def uploads(self) -> list[Upload]:
        """Return what is on its way here and no message yet, the oldest first."""
        return offering.uploads(self._core, self._row.cid)
