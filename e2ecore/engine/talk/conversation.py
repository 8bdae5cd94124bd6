"""One conversation: read it, write to it, change who is in it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from e2ecore.engine.account.contacts import Contact
from e2ecore.engine.account.names import check_text, check_title
from e2ecore.engine.erasure.erasing import (
    clear,
    erase_below,
    erase_listed,
    erase_named,
)
from e2ecore.engine.errors import (
    ConversationReadOnlyError,
    NotAllowedError,
)
from e2ecore.engine.membership.beginning import add_wish
from e2ecore.engine.own_talk.op_marks import is_used_up, tell_cleared, tell_erased
from e2ecore.engine.running.job import Job
from e2ecore.engine.running.jobs import SMALL_BYTES
from e2ecore.engine.talk.arranging import Arranged
from e2ecore.engine.talk.handles import Change, SentMessage
from e2ecore.engine.talk.history import (
    Cursor,
    list_members,
    listed,
    mark_read,
    newest_of,
    own_id_of,
    page,
    place_of,
)
from e2ecore.engine.talk.keeping import Kept
from e2ecore.engine.talk.pinning import Pinned
from e2ecore.engine.talk.polling import Polling
from e2ecore.engine.talk.referring import order_of
from e2ecore.engine.talk.typing_now import Signalling
from e2ecore.engine.talk.writing import write_texts
from e2ecore.engine.values import (
    ConversationKind,
    ConversationState,
    Member,
    Message,
)
from e2ecore.ids import AccountId, GroupId
from e2ecore.messaging.intents import Impossible, IntentKind, Wish, plan
from e2ecore.storage import intents, overview
from e2ecore.storage.messages import message_row_id
from e2ecore.storage.overview import OverviewRow
from e2ecore.storage.tx import Tx
from e2ecore_protocol.content.conversation import Role

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

_OVER = frozenset(
    {
        ConversationState.LEFT,
        ConversationState.REMOVED,
        ConversationState.FAILED,
        ConversationState.LOST,
    }
)


class Conversation(Polling, Pinned, Arranged, Kept, Signalling):
    """A conversation. Its properties are as of the last ``refresh``, or as when it was got."""

    def __init__(self, core: "Core", listed: OverviewRow, newest: Message | None) -> None:
        self._core = core
        self._take(listed, newest)

    def _take(self, listed: OverviewRow, newest: Message | None) -> None:
        self._row, self._newest = listed.conversation, newest
        self._draft, self._arrangement = listed.draft, listed.arrangement

    @property
    def conversation_id(self) -> GroupId:
        """16 bytes, the same for all members and at the relay."""
        return GroupId(self._row.uid)

    @property
    def local_number(self) -> int:
        """Its number in this database. For the engine."""
        return self._row.cid

    @property
    def kind(self) -> ConversationKind:
        """Direct or group."""
        return ConversationKind(self._row.kind)

    @property
    def title(self) -> str:
        """The title of a group; empty for direct conversations."""
        return self._row.title

    @property
    def state(self) -> ConversationState:
        """Whether it can be written to."""
        return ConversationState(self._row.state)

    @property
    def unread(self) -> int:
        """Messages of others behind the read mark."""
        return self._row.unread

    @property
    def last_message(self) -> Message | None:
        """The newest message; None if there is none."""
        return self._newest

    @property
    def peer(self) -> AccountId | None:
        """The other account of a direct conversation; None for groups."""
        return AccountId(self._row.peer) if self._row.peer else None

    @property
    def epoch(self) -> int:
        """How often the members' keys were renewed. For diagnosis."""
        return self._row.epoch

    async def refresh(self) -> None:
        """Reload the properties from the database."""
        cid, own_id = self._row.cid, own_id_of(self._core)

        def work(tx: Tx) -> None:
            fresh = overview.get(tx, cid)
            if fresh is not None:
                self._take(fresh, newest_of(tx, fresh, own_id))

        self._core.read(work)

    async def send(self, text: str) -> SentMessage:
        """Send a text. Returns when it survives a crash; it goes out by itself, also later.

        Cancelling the call does not take the message back once it is being stored.

        Raises:
            TextTooLongError: More than 1 MiB.
            BadTextError: Not Unicode.
            EmptyTextError: Nothing to send.
            ConversationReadOnlyError: This account is no longer in the conversation.
            ContactChangedError: A verified member's devices have changed.
            TransientError: The disk said no; nothing was stored.
        """
        return (await self.send_many((text,)))[0]

    async def send_many(self, texts: Sequence[str]) -> list[SentMessage]:
        """Send texts in this order, all of them or none stored. As ``send``, and cheaper."""
        core, cid = self._core, self._row.cid
        core.check_open()
        for text in texts:
            check_text(text)
        sent: list[SentMessage] = []

        def work(job: Job) -> None:
            for one in write_texts(job, cid, texts):
                message = SentMessage(one.message_id, one.counter, one.order)
                sent.append(message)
                job.effects.sent.append((one.oid, message))

        small = len(texts) == 1 and len(texts[0]) <= SMALL_BYTES and core.state.is_at_hand(cid)
        await core.jobs.run(work, small=small)
        return sent

    async def messages(
        self,
        before: int | None = None,
        limit: int = 50,
        *,
        after: int | None = None,
        around: int | None = None,
        at_ms: int | None = None,
    ) -> list[Message]:
        """Return a page of the history, the oldest message of the page first.

        Without a place it is the newest page. Erasing messages between two pages neither skips nor
        repeats others: a place need not have a message any more.

        Args:
            before: What is just older than this ``Message.order``, usually that of the oldest
                message already shown.
            limit: At most so many messages, up to 1,000.
            after: What is just younger than this ``Message.order``.
            around: The page that has this ``Message.order`` in its middle, where there is as much
                on both sides.
            at_ms: The page around the first message sent at that time or later, in milliseconds
                since the Unix epoch, by the senders' clocks. Where they disagree it is one of the
                places where the messages reach that time.

        Raises:
            TwoCursorsError: More than one place was given.
        """
        return page(self._core, self._row, Cursor(before, after, around, at_ms), limit)

    async def messages_at(self, orders: Sequence[int]) -> list[Message]:
        """Return those of these messages that still exist, the oldest first.

        Args:
            orders: ``Message.order`` of each, up to 1,000; see ``ConversationChanged``.

        Raises:
            TooManyMessagesError: More than 1,000.
        """
        return listed(self._core, self._row, orders)

    async def members(self) -> list[Member]:
        """Return who is in it now, by account id."""
        return list_members(self._core, self._row)

    async def mark_read(self) -> None:
        """Everything that is stored now has been read by the user."""
        core, cid = self._core, self._row.cid
        await core.jobs.run(lambda job: mark_read(job, cid))
        await self.refresh()

    async def delete_messages(self, messages: Sequence[Message | int]) -> int:
        """Erase messages from this device. When the call returns, nothing of them is in its files.

        The account's other devices erase them as well, and never show them again. Other people
        keep what they have. An own message that has not left yet does not leave any more,
        unless it is on its way just now.

        Args:
            messages: Messages of this conversation, or their ``Message.order``; up to 1,000.

        Returns:
            How many there were. Others are gone already.

        Raises:
            MessageElsewhereError: One is in another conversation; nothing was erased.
            TooManyMessagesError: More than 1,000.
            ErasureDelayedError: They are deleted, and the log could not be emptied yet.
            TransientError: The disk said no. Some may be erased; call again.
        """
        orders = [order_of(self._row.uid, one) for one in messages]
        count = await erase_listed(self._core, self._row.cid, orders, tell_erased)
        await self.refresh()
        return count

    async def delete_before(self, order: int) -> int:
        """Erase everything older than a place in the conversation; as ``delete_messages``.

        Erasing much takes seconds; messages are received meanwhile. After a crash it goes on.

        Args:
            order: ``Message.order`` of the oldest message to be kept.
        """
        below = place_of(self._row.cid, order)
        count = await self._erase_named(below)
        count += await erase_below(self._core, self._row.cid, below, tell_cleared)
        await self.refresh()
        return count

    async def clear(self) -> int:
        """Erase all messages of this conversation, and its draft; as ``delete_before``.

        What is being uploaded here is cancelled. The conversation stays.
        """
        count = await self._erase_named(message_row_id(self._row.cid + 1, 0))
        count += await clear(self._core, self._row.cid, tell_cleared)
        await self.refresh()
        return count

    async def _erase_named(self, below: int) -> int:
        """Erase by name where a mark would say nothing to our other devices."""
        cid = self._row.cid
        if not await self._core.jobs.run(lambda job: is_used_up(job, cid)):
            return 0
        return await erase_named(self._core, cid, below, tell_erased)

    async def ready(self) -> None:
        """Wait until the relay knows the conversation. Returns at once if it does.

        Raises:
            ChangeFailedError: It could not be made.
        """
        cid = self._row.cid
        rows = self._core.read(lambda tx: intents.of_conversation(tx, cid))
        for row in rows:
            if row.kind == IntentKind.CREATE:
                await self._core.change(row.iid).applied()
        await self.refresh()

    async def add(self, contact: Contact) -> Change:
        """Add somebody to a group, as a member.

        Raises:
            NotAllowedError: This account is neither owner nor admin, or it is no group.
            ConversationReadOnlyError: This account is no longer in the conversation.
        """
        return await self._wish(Wish(IntentKind.ADD, (contact.account_id,)))

    async def remove(self, contact: Contact | Member) -> Change:
        """Remove somebody from a group. They read nothing that is sent afterwards.

        Raises:
            NotAllowedError: This account has not the right.
            ConversationReadOnlyError: This account is no longer in the conversation.
        """
        return await self._wish(Wish(IntentKind.REMOVE, (contact.account_id,)))

    async def leave(self) -> Change:
        """Leave. Nothing more is shown from now on; another member's device completes it.

        Raises:
            ConversationReadOnlyError: This account is not in it any more.
        """
        core, cid = self._core, self._row.cid

        def work(job: Job) -> int:
            core.state.begin(job.tx)
            mirror = core.state.mirror(job.tx, cid)
            if mirror.state in _OVER:
                raise ConversationReadOnlyError
            mirror.state = ConversationState.LEFT
            mirror.dirty = True
            mirror.save(job.tx)
            return add_wish(job, cid, Wish(IntentKind.LEAVE))

        change = core.change(await core.jobs.run(work))
        await self.refresh()
        return change

    async def rename(self, title: str) -> Change:
        """Give a group another title.

        Raises:
            TitleTooLongError: More than 128 characters.
            NotAllowedError: This account is neither owner nor admin, or it is no group.
            ConversationReadOnlyError: This account is no longer in the conversation.
        """
        check_title(title)
        return await self._wish(Wish(IntentKind.RENAME, title=title))

    async def set_role(self, contact: Contact | Member, role: Role) -> Change:
        """Give a member another role.

        Raises:
            NotAllowedError: This account is not the owner, or it is no group.
            ConversationReadOnlyError: This account is no longer in the conversation.
        """
        return await self._wish(Wish(IntentKind.SET_ROLE, (contact.account_id,), role=role))

    async def renew_keys(self) -> Change:
        """Renew this device's keys: whoever stole them earlier reads nothing from then on.

        Raises:
            ConversationReadOnlyError: This account is no longer in the conversation.
        """
        return await self._wish(Wish(IntentKind.UPDATE))

    async def _wish(self, wish: Wish) -> Change:
        core, cid = self._core, self._row.cid

        def work(job: Job) -> int:
            state = core.state
            mirror = state.mirror(job.tx, cid)
            if mirror.state in _OVER:
                raise ConversationReadOnlyError
            if mirror.state == ConversationState.ACTIVE:
                try:
                    plan(wish, mirror.roster(), state.own(job.tx).account_id)
                except Impossible as error:
                    raise NotAllowedError(str(error)) from error
            return add_wish(job, cid, wish)

        return core.change(await core.jobs.run(work))
