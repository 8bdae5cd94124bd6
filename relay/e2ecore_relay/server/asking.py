"""Wait for what the writer does."""

from collections.abc import Callable
from typing import TypeVar

import anyio

from e2ecore_relay.backends.sqlite.store import SqliteStore
from e2ecore_relay.domain.exchange import Turn

Result = TypeVar("Result")


async def ask(store: SqliteStore, work: Callable[[Turn], Result]) -> Result:
    """Run ``work`` in the writer's next transaction. Return its result after the commit.

    Raises:
        RefusedError: As ``work`` does; nothing was changed.
        StoreError: The transaction failed.
    """
    outcomes: list[Result | Exception] = []
    done = anyio.Event()

    def finish(outcome: Result | Exception) -> None:
        outcomes.append(outcome)
        done.set()

    store.call(work, finish)
    await done.wait()
    (outcome,) = outcomes
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


async def scrubbed(store: SqliteStore) -> bool:
    """Scrub the database's files. Return False if a reader was in the way."""
    outcomes: list[bool] = []
    done = anyio.Event()

    def finish(is_done: bool) -> None:  # noqa: FBT001  the store calls it so
        outcomes.append(is_done)
        done.set()

    store.scrub(finish)
    await done.wait()
    return outcomes[0]
