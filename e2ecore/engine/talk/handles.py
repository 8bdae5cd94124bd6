"""What a call hands back while the relay's answer is still out.

The work is durable, its outcome can be awaited.
"""

import anyio

from e2ecore.ids import MessageId


class Outcome:
    """Something that is settled once, with or without an error, in the event loop."""

    __slots__ = ("_done", "_error", "_event")

    def __init__(self) -> None:
        self._done = False
        self._error: Exception | None = None
        self._event: anyio.Event | None = None

    @property
    def settled(self) -> bool:
        """Is the outcome known?"""
        return self._done

    def settle(self, error: Exception | None = None) -> None:
        """Set the outcome and wake who waits; for the engine."""
        if self._done:
            return
        self._done = True
        self._error = error
        if self._event is not None:
            self._event.set()

    async def wait(self) -> None:
        """Wait for the outcome.

        Raises:
            E2EError: What went wrong.
        """
        if not self._done:
            if self._event is None:
                self._event = anyio.Event()
            await self._event.wait()
        if self._error is not None:
            raise self._error


class SentMessage:
    """A message that survives a crash and is on its way.

    The work goes on whether or not this is kept.
    """

    __slots__ = ("_outcome", "counter", "message_id", "order")

    def __init__(self, message_id: MessageId, counter: int, order: int) -> None:
        self.message_id = message_id
        """Names the message everywhere, from now on."""
        self.counter = counter
        """Our counter in this conversation; compare with ``Delivered.upto_counter``."""
        self.order = order
        """Its place in the conversation, as in ``Message.order``."""
        self._outcome = Outcome()

    @property
    def is_accepted(self) -> bool:
        """Has the relay answered?"""
        return self._outcome.settled

    async def accepted(self) -> None:
        """Wait until the relay has stored the message durably and given it its place.

        While offline this waits as long as it takes; cancelling the wait cancels nothing else.

        Raises:
            MessageRefusedError: The relay refused it for good.
            EngineClosedError: The engine was closed first. The message is sent when it is opened
                again.
        """
        await self._outcome.wait()

    def settle(self, error: Exception | None = None) -> None:
        """For the engine: the relay has answered."""
        self._outcome.settle(error)


class Change:
    """A change to a conversation that survives a crash and is being carried out."""

    __slots__ = ("_outcome", "change_id")

    def __init__(self, change_id: int) -> None:
        self.change_id = change_id
        """As in the events ``ChangeApplied`` and ``IntentFailed``."""
        self._outcome = Outcome()

    @property
    def is_settled(self) -> bool:
        """Is it applied or given up?"""
        return self._outcome.settled

    async def applied(self) -> None:
        """Wait until the change is in force for everybody.

        While offline this waits as long as it takes; cancelling the wait cancels nothing else.

        Raises:
            ChangeFailedError: It was given up: no longer possible, or no longer allowed.
            EngineClosedError: The engine was closed first. It is carried out when it is opened
                again.
        """
        await self._outcome.wait()

    def settle(self, error: Exception | None = None) -> None:
        """For the engine: it is over."""
        self._outcome.settle(error)
