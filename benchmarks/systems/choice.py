"""Which systems take part in a chat scenario."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from benchmarks.model import OURS, Context
from benchmarks.systems.ours import Ours
from benchmarks.systems.xmpp import NAME as XMPP
from benchmarks.systems.xmpp import Xmpp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.systems.chat import ChatSystem


def chat_systems(context: Context) -> Mapping[str, Callable[[], ChatSystem]]:
    """Return how to make each system, ours first; peers only if they were asked for."""
    systems: dict[str, Callable[[], ChatSystem]] = {OURS: partial(Ours, context.directory(OURS))}
    if context.peers:
        systems[XMPP] = partial(Xmpp, context.directory("xmpp"))
    return systems
