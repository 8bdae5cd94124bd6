"""A result that the writer thread will hand out.

Results of one commit are handed out together by one wake-up of the event loop, or, where no loop
was named, in the writer's own thread. Only the thread that hands out settles a result, so an event
loop needs no lock here; plain threads wait on a ``threading.Event``.
"""

import threading
from typing import Generic, Protocol, TypeVar, cast

import anyio

from e2ecore.errors import UsageError

T = TypeVar("T")


class Notify(Protocol):
    """What wakes a waiter."""

    def set(self) -> object:
        """Wake it."""
        ...


class Pending(Generic[T]):
    """What ``Writer.submit`` returns. Dropping it does not stop the job."""

    __slots__ = ("_error", "_result", "_settled", "_waiters")

    def __init__(self) -> None:
        self._settled = False
        self._result: T | None = None
        self._error: BaseException | None = None
        self._waiters: list[Notify] = []

    @property
    def settled(self) -> bool:
        """Is the outcome known, and durable if it is a success?"""
        return self._settled

    def result(self) -> T:
        """Return what the job returned.

        Raises:
            BaseException: What the job, or the commit that carried it, raised.
            UsageError: It is not settled yet.
        """
        if not self._settled:
            raise UsageError("the result is not there yet: await wait() first")
        if self._error is not None:
            raise self._error
        return cast("T", self._result)

    async def wait(self) -> T:
        """Wait in an event loop until the job is durable; cancelling it does not stop the job."""
        if not self._settled:
            event = anyio.Event()
            self._waiters.append(event)
            await event.wait()
        return self.result()

    def settle(self, result: T | None, error: BaseException | None) -> None:
        """Set the outcome and wake who waits. For the writer, in the handing-out thread only."""
        self._result = result
        self._error = error
        self._settled = True
        for waiter in self._waiters:
            waiter.set()
        self._waiters.clear()


class BlockingPending(Pending[T]):
    """A result for a plain thread."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        super().__init__()
        self._event = threading.Event()
        self._waiters.append(self._event)

    def block(self) -> T:
        """Block the calling thread until the job is durable."""
        self._event.wait()
        return self.result()
