"""A flag that one task waits for and everybody may raise."""

import anyio


class Signal:
    """Raised any number of times, taken once. Belongs to one event loop."""

    __slots__ = ("_event", "_raised")

    def __init__(self) -> None:
        self._raised = False
        self._event: anyio.Event | None = None

    @property
    def is_raised(self) -> bool:
        """Was it raised and not taken yet?"""
        return self._raised

    def set(self) -> None:
        """Raise it."""
        self._raised = True
        if self._event is not None:
            self._event.set()

    async def wait(self) -> None:
        """Wait until it is raised, and take it."""
        while not self._raised:
            self._event = anyio.Event()
            await self._event.wait()
        self._raised = False

    def take(self) -> bool:
        """Take it; answer whether it was raised."""
        raised, self._raised = self._raised, False
        return raised

    async def wait_for(self, seconds: float) -> bool:
        """Wait at most so long; answer whether it was raised."""
        with anyio.move_on_after(seconds):
            await self.wait()
            return True
        return False
