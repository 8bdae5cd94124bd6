"""The files of conversations, as the screens see them and act upon them."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import e2ecore
from cli_demo.chat.paths import make_folder
from cli_demo.file_words import description, whereabouts
from cli_demo.text import length, now_ms, visible
from cli_demo.views import FileView, MessageView

_VOICE: Final = e2ecore.AttachmentForm.VOICE
ASKED: Final = 12
"""Files of which the relay is asked at once."""
_PENDING: Final = frozenset({e2ecore.AttachmentState.UPLOADED, e2ecore.AttachmentState.REMOTE})


class Files:
    """Finds files by their numbers, and remembers what the relay said of them."""

    def __init__(self, engine: e2ecore.Engine) -> None:
        self._engine = engine
        self._said: dict[int, e2ecore.FileStatus] = {}

    # -- reading ---------------------------------------------------------------------------------

    def view(self, file: e2ecore.Attachment) -> FileView:
        """One file as the screen shows it."""
        number = file.attachment_id
        where = whereabouts(
            file,
            self._said.get(number),
            now_ms(),
            ask=f"/ask {number}",
            fetch=f"/get {number}",
        )
        return FileView(
            number=number,
            name=file.name,
            about=description(file, visible),
            where=where,
            size=file.size,
            is_pending=file.state in _PENDING and file.deletion is None,
            preview=file.preview,
            shape=(file.width, file.height),
            wave=file.waveform,
            length=length(file.duration_ms) if file.form is _VOICE else "",
        )

    async def find(self, uid: str, order: int, number: int) -> e2ecore.Attachment:
        """A file of a message.

        Raises:
            AttachmentNotHereError: It is not there any more.
        """
        for message in await (await self._get(uid)).messages_at([order]):
            for file in message.attachments:
                if file.attachment_id == number:
                    return file
        raise e2ecore.AttachmentNotHereError

    async def ask(self, uid: str, messages: Iterable[MessageView]) -> list[int]:
        """Ask the relay of the newest files that lie there; return the places of their messages.

        Raises:
            TransientError: It was not reached.
        """
        asked: dict[int, int] = {}
        for message in messages:
            asked.update({one.number: message.order for one in message.files if one.is_pending})
        newest = sorted(asked)[-ASKED:]
        for number in newest:
            try:
                file = await self.find(uid, asked[number], number)
                self._said[number] = await file.status()
            except (e2ecore.AttachmentGoneError, e2ecore.AttachmentNotHereError):
                self._said.pop(number, None)
        return sorted({asked[number] for number in newest})

    async def uploads(self, uid: str) -> list[e2ecore.Upload]:
        """What is on its way to a conversation, the oldest first."""
        return await (await self._get(uid)).uploads()

    async def _get(self, uid: str) -> e2ecore.Conversation:
        return await self._engine.conversations.get(e2ecore.GroupId(bytes.fromhex(uid)))

    # -- doing -----------------------------------------------------------------------------------

    async def send(
        self, uid: str, wanted: Sequence[e2ecore.OutgoingFile], said: str, reading: e2ecore.Reading
    ) -> e2ecore.Upload:
        """Returns when copies of the files are safe on this device."""
        return await (await self._get(uid)).send_files(wanted, said, reading=reading)

    async def forward(
        self, uid: str, order: int, to: str, reading: e2ecore.Reading
    ) -> e2ecore.Upload:
        """Send the files of a message to another conversation; returns as ``send`` does.

        Raises:
            MessageGoneError: It is not there any more.
        """
        found = await (await self._get(uid)).messages_at([order])
        if not found:
            raise e2ecore.MessageGoneError
        return await (await self._get(to)).forward_files(found[0], reading=reading)

    @staticmethod
    async def fetch(
        file: e2ecore.Attachment, folder: Path, on_progress: Callable[[int, int], None]
    ) -> Path:
        """Fetch a file into a folder, under a harmless name that is free; return where it is."""
        make_folder(folder)
        written = await file.download(folder, on_progress=on_progress)
        return folder if written is None else Path(written)
