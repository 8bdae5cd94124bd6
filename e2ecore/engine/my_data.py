"""What a person may do with their own data: take it along, bring it in, see it, correct it."""

import os
from collections.abc import Collection
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from e2ecore.engine.conversation import Conversation
from e2ecore.engine.exporting import ExportReport, OnProgress, export_history
from e2ecore.engine.importing import ImportReport, import_history
from e2ecore.portability.records import ImportFormat

if TYPE_CHECKING:
    from e2ecore.engine.core import Core


class MyData:
    """This account's data in this database."""

    def __init__(self, core: "Core") -> None:
        self._core = core

    async def export(
        self,
        path: str | os.PathLike[str],
        *,
        conversations: Collection[Conversation] | None = None,
        on_progress: OnProgress | None = None,
    ) -> ExportReport:
        """Write messages and the names of people into one file, to read or to import elsewhere.

        The file is **not encrypted**: tell the user. Only its owner may read it (mode 0600). It is
        signed by the account, so that a change shows. Keys are not in it. Cancelling, or a crash,
        leaves no file of this name. ``docs/portability.md`` describes what is inside.

        Args:
            path: A new file; usually ``.zip``.
            conversations: Only these; None: all.
            on_progress: Called in the event loop, some times a second.

        Raises:
            ExportExistsError: There is a file of that name.
            NotRegisteredError: There is no account yet.
            DiskFullError: No space.
            ReadOnlyError: The directory may not be written.
        """
        chosen = None
        if conversations is not None:
            chosen = frozenset(one.local_number for one in conversations)
        return await export_history(self._core, Path(path), chosen, on_progress)

    async def import_file(
        self,
        path: str | os.PathLike[str],
        *,
        format: ImportFormat | None = None,  # noqa: A002 - the word for it
        me: str = "",
        title: str = "",
        time_zone: tzinfo | None = None,
        on_progress: OnProgress | None = None,
    ) -> ImportReport:
        """Bring in messages from a file: our own export, or what another messenger exports.

        They become read-only conversations of the kind ``ConversationKind.IMPORTED``, found by
        searches, never sent anywhere. What is here already is left alone, so the same file may be
        imported again, and an import that was interrupted is simply begun anew.

        Args:
            path: The file.
            format: What it is; None: look.
            me: What the file calls this person, so that their messages count as their own.
            title: What to call the conversation, where a file has one; empty: as the file says.
            time_zone: Where local times in the file were written; None: in this machine's zone.
            on_progress: Called in the event loop after each thousand messages.

        Raises:
            ImportFileError: The sub-class says what is wrong with the file.
            NotRegisteredError: There is no account yet.
            TransientError: The disk said no. What was stored stays; call again.
        """
        return await import_history(
            self._core,
            Path(path),
            format_=format,
            me=me,
            title=title,
            time_zone=time_zone,
            on_progress=on_progress,
        )
