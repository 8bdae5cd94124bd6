"""Conversations: the list of them, and how one is begun. What one can do is in ``conversation``."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from e2ecore.engine.account.blocks import unwelcome
from e2ecore.engine.account.contacts import Contact
from e2ecore.engine.account.names import check_title
from e2ecore.engine.errors import UnknownConversationError
from e2ecore.engine.membership.beginning import begin_direct, begin_group
from e2ecore.engine.running.job import Job
from e2ecore.engine.talk.conversation import Conversation
from e2ecore.engine.talk.history import newest_of, newest_of_all, own_id_of
from e2ecore.ids import GroupId
from e2ecore.storage import overview
from e2ecore.storage.tx import Tx

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core


class Conversations:
    """All conversations of this account."""

    def __init__(self, core: "Core") -> None:
        self._core = core

    async def direct(self, contact: Contact) -> Conversation:
        """Return the conversation with one other person; begin it if there is none.

        Returns when it survives a crash. What is sent before the relay knows the conversation
        waits; ``Conversation.ready`` waits for that.

        Raises:
            NotRegisteredError: There is no account yet.
        """
        core, peer = self._core, contact.account_id

        def work(job: Job) -> tuple[int, int]:
            return begin_direct(job, peer)

        cid, iid = await core.jobs.run(work)
        return self._begun(cid, iid)

    async def create_group(self, title: str, contacts: Sequence[Contact]) -> Conversation:
        """Begin a group with these people; this account owns it.

        Returns when it survives a crash; ``Conversation.ready`` waits for the relay.

        Raises:
            TitleTooLongError: More than 128 characters.
            NotRegisteredError: There is no account yet.
        """
        core = self._core
        check_title(title)
        accounts = tuple(sorted({one.account_id for one in contacts} - {core.account_id}))

        def work(job: Job) -> tuple[int, int]:
            return begin_group(job, title, accounts)

        cid, iid = await core.jobs.run(work)
        return self._begun(cid, iid)

    def _begun(self, cid: int, iid: int) -> Conversation:
        if iid:
            self._core.change(iid)
        return self._one(lambda tx: overview.get(tx, cid))

    async def list(self) -> list[Conversation]:
        """Return every conversation, the one with the newest message first.

        Pinned ones come before all others, the last one pinned at the top, and those put away
        behind all others. Each with its number of unread messages, its ``last_message`` and its
        ``draft``, by as many queries for five as for five hundred. What people who are blocked have
        begun since is left out.
        """
        core, own_id = self._core, own_id_of(self._core)

        def work(tx: Tx) -> list[Conversation]:
            hidden = unwelcome(tx)
            rows = [row for row in overview.all_rows(tx) if not hidden(row)]
            newest = newest_of_all(tx, rows, own_id)
            return [Conversation(core, row, one) for row, one in zip(rows, newest, strict=True)]

        return core.read(work)

    async def get(self, conversation_id: GroupId) -> Conversation:
        """Return one conversation.

        Raises:
            UnknownConversationError: There is none with this id.
        """
        return self._one(lambda tx: overview.by_uid(tx, conversation_id))

    def _one(self, find: Callable[[Tx], overview.OverviewRow | None]) -> Conversation:
        core, own_id = self._core, own_id_of(self._core)

        def work(tx: Tx) -> Conversation | None:
            row = find(tx)
            if row is None:
                return None
            return Conversation(core, row, newest_of(tx, row, own_id))

        found = core.read(work)
        if found is None:
            raise UnknownConversationError
        return found
