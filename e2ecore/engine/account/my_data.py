"""What a person may do with their own data: take it along, bring it in, see it, correct it."""

import os
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from e2ecore.engine.account.agreeing import is_young
from e2ecore.engine.erasure.erasing import choose_revisions
from e2ecore.engine.errors import NotRegisteredError
from e2ecore.engine.taking_along.exporting import ExportReport, OnProgress, export_history
from e2ecore.engine.taking_along.importing import ImportReport, import_history
from e2ecore.engine.talk.conversation import Conversation
from e2ecore.portability.records import ImportFormat
from e2ecore.storage import account, chains, conversations, revisions, slot_changes
from e2ecore.storage.inventory import GENERAL, SENSITIVE, DataItem, items
from e2ecore.storage.tx import Tx

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core


_SHOWN: Final = 1
_MASK: Final = "•••"


@dataclass(frozen=True, slots=True)
class OwnProfile:
    """What is stored of the person whose database this is."""

    handle: str | None
    display_name: str | None
    account_id: str
    """In hexadecimal."""
    device_id: str
    """In hexadecimal."""
    created_ms: int
    """When the keys were made."""
    contacts: int
    conversations: int
    is_masked: bool
    """Personal fields show only how they begin."""


class MyData:
    """This account's data in this database."""

    def __init__(self, core: "Core") -> None:
        self._core = core

    async def keep_earlier_texts(self, *, on: bool) -> None:
        """Keep what edited messages said before, or erase it and keep no more.

        For all conversations but those where ``Conversation.keep_earlier_texts`` says otherwise.

        Raises:
            ErasureDelayedError: It is erased, and the log could not be emptied yet.
        """
        await choose_revisions(self._core, revisions.EVERYWHERE, on)

    async def keeps_earlier_texts(self) -> bool:
        """Is kept what edited messages said before, where nothing else was said?"""
        return self._core.read(lambda tx: revisions.are_kept(tx, revisions.EVERYWHERE))

    async def export(
        self,
        path: str | os.PathLike[str],
        *,
        conversations: Collection[Conversation] | None = None,
        on_progress: OnProgress | None = None,
    ) -> ExportReport:
        """Write all that a person wrote and got into one file, to read or to import elsewhere.

        Messages with everything that was said of them, files that are on this device, the names of
        people, drafts, how conversations are arranged, who is blocked, and what was agreed to.

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
        imported again, and an import that was interrupted is simply begun anew. Files of messages
        come along from our own exports, as far as there is room for local copies; drafts, mutes,
        pins and retention with the conversations that are new here; blocks, and the names that the
        user gave to people who are known here, from an export of this very account; consents to be
        looked at (``Consents.imported``), never in force.

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

    def inventory(self) -> tuple[DataItem, ...]:
        """Return what is stored where, of which class, what for and for how long; no values.

        In youth mode, and of somebody under 14, everything about a person is sensitive.
        """
        core = self._core
        core.check_open()
        of_young = core.read(lambda tx: is_young(tx, core.clock_ms()))
        return tuple(map(_of_young_people, items())) if of_young else items()

    async def profile(self, passphrase: str | None = None) -> OwnProfile:
        """Return what is stored of this person. ``Engine.set_display_name`` corrects it.

        Args:
            passphrase: As for ``open``: who asks must show again that they may. None: personal
                fields show only how they begin.

        Raises:
            NotRegisteredError: There is no account yet.
            WrongPassphraseError: It does not open this database.
        """
        core = self._core
        core.check_open()
        if passphrase is not None:
            await anyio.to_thread.run_sync(slot_changes.verify, core.database.path, passphrase)
        profile = core.read(_profile)
        return profile if passphrase is not None else _masked(profile)


def _of_young_people(item: DataItem) -> DataItem:
    one = item.data_class
    is_general = one.sensitivity == GENERAL
    return item._replace(data_class=one._replace(sensitivity=SENSITIVE)) if is_general else item


def _profile(tx: Tx) -> OwnProfile:
    row = account.load(tx)
    if row is None:
        raise NotRegisteredError
    return OwnProfile(
        row.handle or None,
        row.display_name or None,
        row.account_id.hex(),
        row.device_id.hex(),
        row.created_ms,
        len(chains.contacts(tx)),
        len(conversations.shown(tx)),
        is_masked=False,
    )


def _masked(profile: OwnProfile) -> OwnProfile:
    return replace(
        profile,
        handle=_mask(profile.handle),
        display_name=_mask(profile.display_name),
        account_id=_mask(profile.account_id) or "",
        device_id=_mask(profile.device_id) or "",
        is_masked=True,
    )


def _mask(text: str | None) -> str | None:
    return None if text is None else text[:_SHOWN] + _MASK
