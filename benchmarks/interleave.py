"""Run systems in turn: A, B, A, B ... so that a busy neighbour on the machine hits all of them
alike.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from benchmarks import machine
from benchmarks.model import OURS, Context, Result
from benchmarks.peers.server import ServerError
from benchmarks.peers.setup import NotInstalledError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.model import Sample
    from benchmarks.systems.chat import ChatSystem


def chats(
    context: Context,
    systems: Mapping[str, Callable[[], ChatSystem]],
    workload: Callable[[ChatSystem, int], Sample],
    size: int,
) -> Result:
    """Run a chat workload on each system in turn.

    A peer that is not installed is left out with its reason. Our own system is never left out: its
    errors are raised.
    """
    result = Result()
    with ExitStack() as stack:
        started: list[ChatSystem] = []
        for name, make in systems.items():
            try:
                system = stack.enter_context(make())
            except (NotInstalledError, ServerError) as error:
                if name == OURS:
                    raise
                result.skipped[name] = str(error)
                continue
            started.append(system)
            result.versions[name] = system.version()
        for run in range(context.runs):
            for system in started:
                disk = {"disk_sync_ms": machine.sync_p50_ms(context.home)}
                sample = {**workload(system, size), **disk}
                result.add(system.name, sample)
                shown = ", ".join(f"{key} {value:.4g}" for key, value in sample.items())
                context.say(f"run {run + 1}/{context.runs} {system.name}: {shown}")
    return result
