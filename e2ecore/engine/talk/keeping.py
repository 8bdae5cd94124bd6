"""How long the messages of a conversation stay: here, and at everybody's."""

from abc import abstractmethod
from typing import TYPE_CHECKING

from e2ecore.engine.erasure.erasing import MIN_RETENTION_MS, choose_revisions, sweep
from e2ecore.engine.errors import BadPolicyError, BadRetentionError
from e2ecore.engine.own_talk.oplog import say
from e2ecore.engine.running.job import Job
from e2ecore.engine.talk.handles import Change
from e2ecore.messaging.intents import IntentKind, Wish
from e2ecore.messaging.lifetimes import lifetime_of
from e2ecore.storage import erasure, revisions
from e2ecore.storage.conversations import ConversationRow
from e2ecore_protocol.content.conversation import ConversationInfo
from e2ecore_protocol.content.op_bodies import Retention
from e2ecore_protocol.limits import MAX_ENVELOPE_LIFETIME_S

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core


class Kept:
    """The part of ``Conversation`` that says how long messages stay."""

    _core: "Core"
    _row: ConversationRow

    @abstractmethod
    async def _wish(self, wish: Wish) -> Change:
        """Have something done by a commit."""

    async def keeps_earlier_texts(self) -> bool:
        """Is kept what edited messages of this conversation said before?"""
        cid = self._row.cid
        return self._core.read(lambda tx: revisions.are_kept(tx, cid))

    async def keep_earlier_texts(self, *, on: bool | None) -> None:
        """Keep on this device what edited messages said before, or erase it and keep no more.

        Args:
            on: False: when the call returns, nothing of what was kept is in the files. None: as in
                all conversations; see ``MyData.keep_earlier_texts``.

        Raises:
            ErasureDelayedError: It is erased, and the log could not be emptied yet.
        """
        await choose_revisions(self._core, self._row.cid, on)

    @property
    def lifetime_s(self) -> int | None:
        """After how many seconds messages erase themselves at everybody's; None: never."""
        info = self._row.info
        return lifetime_of(ConversationInfo.decode(info).policy) if info else None

    async def set_lifetime(self, lifetime_s: int | None) -> Change:
        """Have messages that are sent from now on erase themselves, on every device.

        Counted from when a device has stored a message; a message may go sooner if its sender
        wishes. Whoever wants to keep one can. What was there before stays.

        Args:
            lifetime_s: Seconds, less than 30 days; None: messages stay.

        Raises:
            BadPolicyError: Less than a second, or 30 days and more.
            NotAllowedError: This account is neither owner nor admin of the group.
            ConversationReadOnlyError: This account is no longer in the conversation.
        """
        if lifetime_s is not None and not 1 <= lifetime_s < MAX_ENVELOPE_LIFETIME_S:
            raise BadPolicyError
        chosen = MAX_ENVELOPE_LIFETIME_S if lifetime_s is None else lifetime_s
        return await self._wish(Wish(IntentKind.SET_LIFETIME, lifetime_s=chosen))

    async def set_retention(self, keep_ms: int | None) -> None:
        """Have messages erased on our devices after a time. Others keep theirs as they like.

        Args:
            keep_ms: Milliseconds after a message was stored here, at least 1,000; looked at every
                minute while the engine is open, and when it is opened. None: keep all.

        Raises:
            BadRetentionError: Less than a second.
        """
        if keep_ms is not None and keep_ms < MIN_RETENTION_MS:
            raise BadRetentionError
        cid = self._row.cid

        def work(job: Job) -> None:
            erasure.retain(job.tx, cid, keep_ms)
            say(job, self._row.uid, Retention(keep_ms))

        await self._core.jobs.run(work)
        await sweep(self._core)

    async def retention(self) -> int | None:
        """Return how long messages are kept here, in milliseconds; None: for ever."""
        cid = self._row.cid
        return self._core.read(lambda tx: erasure.retention(tx, cid))
