"""Local copies of files, as a whole: how much room they take, and how much they may."""

from typing import TYPE_CHECKING, Final

from e2ecore.engine.files import fetching
from e2ecore.engine.files.file_status import keep_receipts, keep_telling, keep_tidy
from e2ecore.engine.files.uploading import keep_uploading
from e2ecore.storage import attachments

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

FILE_CHORES: Final = (keep_uploading, keep_telling, keep_receipts, keep_tidy)
"""What runs for files for the life of the engine."""


class FileStore:
    """Local copies of files, each encrypted under a key of its own. See ``Engine.files``."""

    def __init__(self, core: "Core") -> None:
        self._core = core
        self._desk = core.desk  # from here on messages can be shown with their files

    async def size(self) -> int:
        """Return how many bytes the files have that are here."""
        return self._core.read(attachments.kept_bytes)

    async def limit(self) -> int:
        """Return how many bytes they may have: 2 GiB unless the app has said otherwise."""
        return await fetching.limit(self._core)

    async def set_limit(self, size: int) -> None:
        """Set how many bytes they may have. What was not used for longest goes first.

        Files that are still to be uploaded stay. What goes can be fetched again only as long as the
        relay has it.

        Args:
            size: Bytes; 0: keep none.
        """
        await fetching.set_limit(self._core, max(0, size))
