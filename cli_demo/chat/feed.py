"""What the engine tells, collected for a moment: a burst of a thousand messages is one batch."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import e2ecore

_BURST_S: Final = 0.05
"""How long news is collected before it is shown: too short to be felt, enough for a burst."""


@dataclass(slots=True)
class Batch:
    """All that came in one such moment, in order."""

    events: list[e2ecore.Event] = field(default_factory=list)
    changes: list[e2ecore.ConversationChanged] = field(default_factory=list)


async def follow(
    events: e2ecore.EventReader,
    changes: e2ecore.ChangeReader,
    show: Callable[[Batch], Awaitable[None]],
) -> None:
    """Hand over one batch after the other, until the engine is closed.

    Args:
        events: What happened.
        changes: Which rows of the history are different.
        show: Called with each batch; the next one is collected meanwhile.
    """
    waiting = Batch()
    fresh = asyncio.Event()

    async def listen() -> None:
        async for event in events:
            waiting.events.append(event)
            fresh.set()

    async def watch() -> None:
        async for change in changes:
            waiting.changes.append(change)
            fresh.set()

    async def both() -> None:
        async with asyncio.TaskGroup() as readers:
            readers.create_task(listen())
            readers.create_task(watch())
        fresh.set()

    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(both())
        while not reading.done() or fresh.is_set():
            await fresh.wait()
            await asyncio.sleep(_BURST_S)
            fresh.clear()
            batch, waiting = waiting, Batch()
            await show(batch)
