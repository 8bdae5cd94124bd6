"""Messages that all members of a conversation have at hand."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from e2ecore.engine.arrival.remarks import Remark
from e2ecore.engine.errors import NotAllowedError
from e2ecore.engine.running.job import Job
from e2ecore.engine.talk.handles import SentMessage
from e2ecore.engine.talk.referring import Which, row_of
from e2ecore.engine.talk.showing import show_one
from e2ecore.engine.values import Message
from e2ecore.messaging.pins import may_pin
from e2ecore.messaging.stamps import Stamp, next_ms
from e2ecore.storage import messages, pins
from e2ecore.storage.conversations import ConversationRow
from e2ecore.storage.messages import MessageRow
from e2ecore.storage.tx import Tx
from e2ecore_protocol.content.pins import PINNED, UNPINNED, Pin
from e2ecore_protocol.limits import MAX_PINS

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core

T = TypeVar("T")


class Pinned:
    """The part of ``Conversation`` that deals with pinned messages."""

    _core: "Core"
    _row: ConversationRow
    _say: Callable[[Job, MessageRow, Remark], SentMessage]

    async def pin_message(self, message: Which) -> SentMessage:
        """Have all members see a message among the pinned ones, at the top.

        Raises:
            NotAllowedError: This account is neither admin nor owner of the group.
            MessageGoneError: It is not here.
            NotATextError: It is a notice, of which others know nothing.
            UsageError: As ``send``.
        """
        return await self._set_pin(message, PINNED)

    async def unpin_message(self, message: Which) -> SentMessage:
        """Have it pinned for nobody any more, whoever has pinned it. As ``pin_message``."""
        return await self._set_pin(message, UNPINNED)

    async def pinned_messages(self) -> list[Message]:
        """Return the pinned messages, the one pinned last first: 32 at most.

        If more are pinned they are those pinned last.
        """
        core, row = self._core, self._row

        def work(tx: Tx) -> list[Message]:
            ids = [one.message for one in pins.pinned(tx, row.cid, MAX_PINS)]
            return [
                show_one(tx, row.uid, one, core.account_id, core.desk)
                for one in messages.pick(tx, ids)
            ]

        return core.read(work)

    async def _set_pin(self, message: Which, state: int) -> SentMessage:
        core, cid = self._core, self._row.cid

        def work(job: Job) -> SentMessage:
            if not may_pin(job.mirror(cid).roster(), job.own.account_id):
                raise NotAllowedError
            row = row_of(job, cid, message)
            known = pins.get(job.tx, row.id)
            stamp = None if known is None else Stamp(known.changed_ms, known.device_id)
            changed_ms = next_ms(job.now_ms, stamp)
            return self._say(job, row, Pin(row.uid, row.account_id, changed_ms, state))

        core.check_open()
        return await core.jobs.run(work)
