"""Events to everybody who listens. A slow reader loses events, never the engine its pace."""

from collections import deque
from collections.abc import AsyncIterator, Container, Iterable, Sequence
from typing import Final

import anyio

from e2ecore.engine.telling.events import Event, EventsDropped

MAX_WAITING_EVENTS: Final = 20_000
"""Events kept for one reader that does not come to read.

About 10 MB. All of them are in the database, too.
"""

MAX_EARLY_EVENTS: Final = 1_000
"""Events kept for the first reader, from before it came."""


class EventReader(AsyncIterator[Event]):
    """One reader's view of the events, from the moment it was made. Iterate over it."""

    __slots__ = ("_closed", "_dropped", "_hub", "_waiting", "_wakeup")

    def __init__(self, hub: "EventHub") -> None:
        self._hub = hub
        self._waiting: deque[Event] = deque()
        self._wakeup: anyio.Event | None = None
        self._dropped = 0
        self._closed = False

    def __aiter__(self) -> "EventReader":
        return self

    async def __anext__(self) -> Event:
        """Return the next event; ends when the engine is closed."""
        while not self._waiting:
            if self._dropped:
                count, self._dropped = self._dropped, 0
                return EventsDropped(count)
            if self._closed:
                raise StopAsyncIteration
            self._wakeup = anyio.Event()
            await self._wakeup.wait()
        return self._waiting.popleft()

    def close(self) -> None:
        """Stop listening. What waits can still be read."""
        self._closed = True
        self._hub.forget(self)
        self._wake()

    def put(self, events: Iterable[Event]) -> None:
        """Add events; for the hub."""
        self._waiting.extend(events)
        while len(self._waiting) > MAX_WAITING_EVENTS:
            self._waiting.popleft()
            self._dropped += 1
        self._wake()

    def _wake(self) -> None:
        if self._wakeup is not None:
            self._wakeup.set()
            self._wakeup = None


class EventHub:
    """Hands every event to every reader."""

    __slots__ = ("_closed", "_early", "_readers")

    def __init__(self) -> None:
        self._readers: list[EventReader] = []
        self._early: deque[Event] | None = deque(maxlen=MAX_EARLY_EVENTS)
        self._closed = False

    def reader(self) -> EventReader:
        """Return a new reader."""
        reader = EventReader(self)
        if self._early is not None:
            reader.put(self._early)
            self._early = None
        if self._closed:
            reader.close()
        else:
            self._readers.append(reader)
        return reader

    def emit(self, *events: Event) -> None:
        """Hand out events, in order."""
        if self._early is not None:
            self._early.extend(events)
        for reader in self._readers:
            reader.put(events)

    def forget(self, reader: EventReader) -> None:
        """Stop handing events to a reader."""
        if reader in self._readers:
            self._readers.remove(reader)

    def close(self) -> None:
        """End every iteration."""
        self._closed = True
        for reader in list(self._readers):
            reader.close()


def visible(events: Sequence[Event], hidden: Container[bytes]) -> list[Event]:
    """Return the events but for those of conversations that are never shown."""
    return [one for one in events if getattr(one, "conversation_id", None) not in hidden]
