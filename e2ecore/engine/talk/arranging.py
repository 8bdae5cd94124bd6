"""What one person does with a conversation for themselves: drafts, and its place in the list.

Nobody else gets to know of it but this account's other devices.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from e2ecore.engine.erasure.erasing import purge
from e2ecore.engine.own_talk.op_state import say_arranged
from e2ecore.engine.running.job import Job
from e2ecore.engine.talk.drafting import (
    check_draft,
    discard,
    draft_of,
    keep,
    other_drafts,
    send_draft,
)
from e2ecore.engine.talk.handles import SentMessage
from e2ecore.engine.values import Draft, Mention, Message
from e2ecore.storage import arrangements
from e2ecore.storage.arrangements import ArrangementRow
from e2ecore.storage.conversations import ConversationRow
from e2ecore.storage.drafts import DraftRow
from e2ecore_protocol.limits import MAX_INTEGER

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

T = TypeVar("T")
FOREVER_MS: Final = MAX_INTEGER
"""Muted until somebody unmutes it."""


class Arranged:
    """The part of ``Conversation`` that nobody else gets to know."""

    _core: "Core"
    _row: ConversationRow
    _draft: DraftRow | None
    _arrangement: ArrangementRow

    @property
    def draft(self) -> Draft | None:
        """What was begun to be written; None: nothing."""
        return None if self._draft is None else draft_of(self._draft)

    async def other_drafts(self) -> list[Draft]:
        """Return what was begun on other devices without knowledge of ``draft``, newest first.

        The next ``set_draft`` or ``send_draft`` on any device replaces them all: show them first.
        """
        row = self._row
        return self._core.read(lambda tx: other_drafts(tx, row.cid, row.uid))

    @property
    def pinned(self) -> bool:
        """Is it pinned to the top of the list?"""
        return bool(self._arrangement.pinned_ms)

    @property
    def archived(self) -> bool:
        """Is it put away, to the end of the list?"""
        return bool(self._arrangement.archived)

    @property
    def muted_until_ms(self) -> int | None:
        """Until when it shall not disturb, in milliseconds since the Unix epoch; None: it may.

        A time that has passed means nothing any more.
        """
        return self._arrangement.muted_ms or None

    @abstractmethod
    async def refresh(self) -> None:
        """Reload the properties from the database."""

    async def set_draft(
        self, text: str, *, reply_to: Message | int | None = None, mentions: Sequence[Mention] = ()
    ) -> None:
        """Keep what was begun to be written, instead of what was begun before.

        Returns when it survives a crash: call it when the user pauses, not for each letter.

        Args:
            text: The words so far. Empty, with nothing to answer: discard the draft; when the call
                returns, nothing of it is in the files.
            reply_to: The message that it will answer.
            mentions: Parts of the text that name somebody.

        Raises:
            TextTooLongError: More than 1 MiB.
            BadTextError: Not Unicode.
            BadMentionError: A part is not in the text, or overlaps another one.
            MessageGoneError: What it answers is not here.
            NotATextError: What it answers cannot be answered.
            ErasureDelayedError: It is discarded, and the log could not be emptied yet.
        """
        cid = self._row.cid
        if not text and reply_to is None:
            if await self._arrange(lambda job: discard(job, cid)):
                await purge(self._core)
        else:
            check_draft(text, mentions)
            await self._arrange(lambda job: keep(job, cid, text, reply_to, mentions))
        await self.refresh()

    async def send_draft(self) -> SentMessage:
        """Send what was begun to be written, and forget it, as one step. As ``send``.

        Raises:
            NoDraftError: There is none, or it has no words.
            MessageGoneError: What it answers is not here any more; ``set_draft`` without it.
            UsageError: As ``send``. The draft stays.
        """
        cid = self._row.cid
        sent = await self._arrange(lambda job: send_draft(job, cid))
        await self.refresh()
        return sent

    async def set_pinned(self, *, on: bool) -> None:
        """Pin it to the top of the list, above those pinned before, or not any more."""
        pinned_ms = max(1, self._core.clock_ms()) if on else 0
        await self._change(lambda row: row._replace(pinned_ms=pinned_ms))

    async def set_archived(self, *, on: bool) -> None:
        """Put it away to the end of the list, or back. New messages do not bring it back."""
        await self._change(lambda row: row._replace(archived=int(on)))

    async def mute(self, until_ms: int = FOREVER_MS) -> None:
        """Note that it shall not disturb. What that means is the app's: messages come as before.

        Args:
            until_ms: Milliseconds since the Unix epoch; as it is: until ``unmute``.
        """
        muted_ms = max(0, min(until_ms, FOREVER_MS))
        await self._change(lambda row: row._replace(muted_ms=muted_ms))

    async def unmute(self) -> None:
        """Note that it may disturb again."""
        await self._change(lambda row: row._replace(muted_ms=0))

    async def _change(self, change: Callable[[ArrangementRow], ArrangementRow]) -> None:
        cid = self._row.cid

        def work(job: Job) -> None:
            before = arrangements.get(job.tx, cid)
            after = change(before)
            arrangements.save(job.tx, after)
            say_arranged(job, self._row.uid, before, after)

        await self._arrange(work)
        await self.refresh()

    async def _arrange(self, work: Callable[[Job], T]) -> T:
        self._core.check_open()
        return await self._core.jobs.run(work)
