"""Damage in the database: looked for on suspicion, and told once. Nothing is repaired by itself."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio.to_thread

from e2ecore.engine.running.defects import LOG
from e2ecore.engine.telling.events import Event
from e2ecore.storage import integrity

if TYPE_CHECKING:
    from e2ecore.engine.running.core import Core
    from e2ecore.storage.integrity import Findings


@dataclass(frozen=True, slots=True)
class DatabaseDamaged(Event):
    """Something in the database could not be read, and every page was looked at then.

    What is not concerned goes on to work. Close the engine and call ``e2ecore.repair`` (``e2e
    repair``), which saves everything that can be read and sets the damaged file aside; or restore a
    copy. Look after the disk: it will happen again.
    """

    pages: int
    """Pages of 4096 bytes that cannot be read."""
    faults: int
    """Other faults: rows that contradict each other."""


async def watch_damage(core: "Core") -> None:
    """Look at every page whenever something could not be read."""
    told: Findings | None = None
    while True:
        await core.jobs.damage.wait()
        found = await anyio.to_thread.run_sync(core.read, integrity.examine)
        if found.search and not core.upkeep.rebuilding:
            core.upkeep.index_failed = True
            core.upkeep.to_index.set()
        if not found.is_whole and found != told:
            told = found
            LOG.error("the database is damaged: %d pages", found.pages)
            core.emit(DatabaseDamaged(found.pages, found.structure))
