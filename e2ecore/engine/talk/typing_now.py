"""What members of a conversation let each other know for the moment: who is typing."""

from typing import TYPE_CHECKING

from e2ecore.ids import AccountId
from e2ecore.storage.conversations import ConversationRow

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core


class Signalling:
    """The part of ``Conversation`` that is true for seconds and stored nowhere."""

    _core: "Core"
    _row: ConversationRow

    async def typing(self, *, on: bool = True) -> bool:
        """Let the others know that this user is typing, or has stopped without sending.

        Call it for each change of what is being written, ``on`` while there is something. It is
        told every 3 seconds at most, and a message says by itself that its writer has stopped.
        Nothing is told without a consent to ``typing``, nor while offline, nor to somebody who is
        blocked, nor in a conversation of more than 256 devices, nor while a verified member's
        devices have changed.

        Returns:
            Was it told, or are the others up to date? It may get lost all the same.
        """
        self._core.check_open()
        return self._core.signals.tell(self._row.cid, self._row.uid, is_typing=on)

    @property
    def typists(self) -> tuple[AccountId, ...]:
        """Who of the others is typing now and lets us know, who began first.

        As of this moment: it needs no ``refresh``. ``TypingChanged`` tells when it changes.
        """
        return self._core.signals.typists(self._row.uid)
