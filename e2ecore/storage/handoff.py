"""How the writer's thread reaches an event loop."""

import asyncio

import trio

from e2ecore.storage.writer import Wake


def wake_for_current_loop() -> Wake:
    """Return what runs a function soon, from any thread, in the event loop that runs here.

    Raises:
        RuntimeError: No event loop runs here.
    """
    if trio.lowlevel.in_trio_run():
        return trio.lowlevel.current_trio_token().run_sync_soon
    return asyncio.get_running_loop().call_soon_threadsafe
