"""What can be done with the messages of a conversation besides sending plain ones.

Everything here is stored when the call returns, and goes out by itself, also later.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from e2ecore.consent.purposes import Purpose
from e2ecore.engine.account.agreeing import in_force
from e2ecore.engine.account.contacts import Contact
from e2ecore.engine.account.names import check_text
from e2ecore.engine.arrival.listed import Listed
from e2ecore.engine.arrival.remarks import Remark, apply_remark
from e2ecore.engine.erasure.erasing import purge
from e2ecore.engine.errors import (
    BadReactionError,
    ConsentRequiredError,
    EditWindowOverError,
    NotATextError,
)
from e2ecore.engine.running.job import Job
from e2ecore.engine.talk import quoting
from e2ecore.engine.talk.handles import SentMessage
from e2ecore.engine.talk.likenesses import card_like, poll_like
from e2ecore.engine.talk.referring import (
    Which,
    check_own,
    check_rich,
    is_place,
    order_of,
    row_of,
    text_row,
    wire_mentions,
)
from e2ecore.engine.talk.sharing import Sharing
from e2ecore.engine.talk.showing import show_one
from e2ecore.engine.talk.speaker import Speaker
from e2ecore.engine.talk.writing import (
    Written,
    check_writable,
    write_listed,
    write_rich_text,
    write_unlisted,
)
from e2ecore.engine.values import ContactCard, Mention, Message, MessageKind, Revision
from e2ecore.ids import DeviceId, MessageId
from e2ecore.messaging.marks import decode_marks
from e2ecore.messaging.revisions import is_in_window
from e2ecore.messaging.stamps import Stamp, next_ms
from e2ecore.storage import message_names, messages, reading, remarks
from e2ecore.storage.conversations import ConversationRow
from e2ecore.storage.messages import MessageRow, message_row_id
from e2ecore.storage.tx import Tx
from e2ecore_protocol.content import rich_text
from e2ecore_protocol.content.reactions import Reaction
from e2ecore_protocol.content.revisions import Edit, Recall
from e2ecore_protocol.limits import MAX_FORWARDS, MAX_REACTION_BYTES, MAX_REACTIONS

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

T = TypeVar("T")


class Talk(Sharing):
    """The part of ``Conversation`` that deals with single messages."""

    _core: "Core"
    _row: ConversationRow

    async def send_rich(
        self,
        text: str,
        *,
        reply_to: Which | None = None,
        mentions: Sequence[Mention] = (),
        lifetime_s: int | None = None,
    ) -> SentMessage:
        """Send a text that answers another one, names people, or erases itself. As ``send``.

        Args:
            text: The words.
            reply_to: The message that it answers; others see whether that still says the same.
            mentions: Parts of the text that name somebody.
            lifetime_s: Seconds after which each device erases it, counted from when that device
                stored it, up to a year; None: never. Whoever wants to keep it can.

        Raises:
            MessageGoneError: What it answers is not here.
            NotATextError: What it answers is a notice, or of a newer version.
            BadMentionError: A part is not in the text, or overlaps another one.
            BadLifetimeError: Less than a second or more than a year.
            UsageError: As ``send``.
        """
        check_rich(text, mentions, lifetime_s)

        def extras(job: Job) -> rich_text.Extras:
            reply = None
            if reply_to is not None:
                reply = quoting.reply_to(job, quoting.answered_row(job, self._row.cid, reply_to))
            named = wire_mentions(mentions)
            return rich_text.Extras(reply, named, 0, lifetime_s)

        return await self._send(text, extras)

    async def forward(self, message: Message) -> SentMessage:
        """Send a text of any conversation here, marked as forwarded. Who wrote it is not told.

        A card is sent on as it is: its names are this account's word then. Of a poll a new one is
        begun with the same question, which somebody has to close: votes stay where they were given.

        Raises:
            NotATextError: It is neither text nor card nor poll; see ``forward_files``.
            UsageError: As ``send``.
        """
        if message.card is not None:
            return await self._list(card_like(message.card))
        if message.poll is not None:
            return await self._list(poll_like(message.poll))
        if message.kind is not MessageKind.TEXT:
            raise NotATextError
        hops = min(message.forwards + 1, MAX_FORWARDS)
        return await self._send(message.text, lambda _job: rich_text.Extras(forwards=hops))

    async def share_contact(self, contact: Contact) -> SentMessage:
        """Show somebody to the others, so that they can write to them. As ``send``.

        They get the account's id and the names that it has here. Nobody is verified by that.

        Raises:
            UsageError: As ``send``.
        """
        shown = ContactCard(contact.account_id, contact.handle, contact.display_name)
        return await self._list(card_like(shown))

    async def find_message(self, message_id: MessageId) -> Message | None:
        """Return the message of an id, with everything that was said of it; None: there is none."""
        core, row = self._core, self._row

        def work(tx: Tx) -> Message | None:
            for author in message_names.authors(tx, row.cid, message_id):
                found = message_names.look(tx, row.cid, message_id, author)
                if found is not None:
                    return show_one(tx, row.uid, found, core.account_id, core.desk)
            return None

        return core.read(work)

    async def react(self, message: Which, *signs: str) -> SentMessage:
        """Let all see what this user thinks of a message, instead of what they thought before.

        Args:
            message: Anybody's.
            signs: Usually one emoji, up to 8 different ones; none: take the reaction back.

        Raises:
            BadReactionError: Too many, too long, empty, or one twice.
            MessageGoneError: It is not here.
            UsageError: As ``send``.
        """
        _check_signs(signs)

        def work(job: Job) -> SentMessage:
            row = row_of(job, self._row.cid, message)
            known = remarks.reaction(job.tx, row.id, job.own.account_id)
            stamp = None if known is None else Stamp(known.changed_ms, known.device_id)
            changed_ms = next_ms(job.now_ms, stamp)
            return self._say(job, row, Reaction(row.uid, row.account_id, changed_ms, signs))

        return await self._run(work)

    async def edit(
        self, message: Which, text: str, mentions: Sequence[Mention] = ()
    ) -> SentMessage:
        """Put an own message in other words. Others see that it was edited, and what it said.

        Raises:
            EditWindowOverError: It was sent more than 24 hours ago.
            NotYourMessageError: Somebody else wrote it.
            NotATextError: It is no text.
            MessageGoneError: It is not here.
            BadMentionError: A part is not in the text, or overlaps another one.
            UsageError: As ``send``.
        """
        check_rich(text, mentions, None)

        def work(job: Job) -> SentMessage:
            row = text_row(job, self._row.cid, message)
            check_own(job, row)
            changed_ms = next_ms(job.now_ms, decode_marks(row.ext).edited)
            if not is_in_window(row.sent_ms, changed_ms):
                raise EditWindowOverError
            named = wire_mentions(mentions)
            return self._say(job, row, Edit(row.uid, changed_ms, text, named))

        return await self._run(work)

    async def earlier_texts(self, message: Which) -> list[str]:
        """Return what an edited message said before, the first words first; 32 at most."""
        return [one.text for one in await self.revisions(message)]

    async def revisions(self, message: Which) -> list[Revision]:
        """Return the same with when and where each was said."""
        cid, order = self._row.cid, order_of(self._row.uid, message)
        if not is_place(order):
            return []

        def work(tx: Tx) -> list[Revision]:
            return [
                Revision(one.body, one.changed_ms, DeviceId(one.device_id))
                for one in remarks.revisions(tx, message_row_id(cid, order))
            ]

        return self._core.read(work)

    async def recall(self, message: Which) -> SentMessage:
        """Have everybody erase an own message. Returns when it is erased here.

        Others erase it when they are online. Nothing proves that they do, and who has read it has
        read it.

        Raises:
            NotYourMessageError: Somebody else wrote it.
            MessageGoneError: It is not here.
            ErasureDelayedError: It is erased, and the log could not be emptied yet.
            UsageError: As ``send``.
        """

        def work(job: Job) -> SentMessage:
            row = row_of(job, self._row.cid, message)
            check_own(job, row)
            return self._say(job, row, Recall(row.uid, job.now_ms))

        async with self._core.upkeep.erasing:
            said = await self._run(work)
            await purge(self._core)
        return said

    async def share_reading(self, *, on: bool) -> None:
        """Let the others of this conversation know what this user has read, or not any more.

        Off until it is turned on, which needs a consent to ``read_receipts``; withdrawing that
        turns it off in all conversations. ``mark_read`` is told to them, some messages at a time.

        Raises:
            ConsentRequiredError: The person has not agreed to that.
        """
        cid = self._row.cid

        def work(job: Job) -> None:
            if on and not in_force(job, Purpose.READ_RECEIPTS):
                raise ConsentRequiredError(Purpose.READ_RECEIPTS)
            reading.share(job.tx, cid, on=on)
            if on:
                job.effects.receipts[cid] = 0

        await self._run(work)

    async def shares_reading(self) -> bool:
        """Do the others get to know what this user has read?"""
        cid = self._row.cid
        return self._core.read(lambda tx: reading.told(tx, cid)) is not None

    def _say(self, job: Job, row: MessageRow, content: Remark) -> SentMessage:
        mirror = job.mirror(self._row.cid)
        check_writable(job, mirror)
        queued = write_unlisted(job, mirror, content)
        by = Speaker(job.own.account_id, job.own.device_id, queued.counter, is_self=True)
        apply_remark(job, mirror, row, by, content)
        order = row.id & messages.ORDER_MASK
        said = SentMessage(MessageId(row.uid), queued.counter, order)
        job.effects.sent.append((queued.oid, said))
        return said

    async def _run(self, work: Callable[[Job], T]) -> T:
        self._core.check_open()
        return await self._core.jobs.run(work)

    async def _send(self, text: str, extras: Callable[[Job], rich_text.Extras]) -> SentMessage:
        return await self._run(
            lambda job: noted(job, write_rich_text(job, self._row.cid, text, extras(job)))
        )

    async def _list(self, make: Callable[[bytes, int], Listed]) -> SentMessage:
        return await self._run(lambda job: noted(job, write_listed(job, self._row.cid, make)))


def noted(job: Job, one: Written) -> SentMessage:
    """Hand out a message that was just written; somebody may wait for its acceptance."""
    sent = SentMessage(one.message_id, one.counter, one.order)
    job.effects.sent.append((one.oid, sent))
    return sent


def _check_signs(signs: Sequence[str]) -> None:
    sizes = [len(one.encode("utf-8", "surrogatepass")) for one in signs]
    if len(signs) > MAX_REACTIONS or len(set(signs)) < len(signs):
        raise BadReactionError
    if any(not 1 <= size <= MAX_REACTION_BYTES for size in sizes):
        raise BadReactionError
    for one in signs:
        check_text(one)
