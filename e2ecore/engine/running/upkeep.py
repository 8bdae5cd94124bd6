"""What the tasks beside the messages share while an engine is open, in the event loop."""

from typing import TYPE_CHECKING

import anyio

from e2ecore.engine.running.effects import Effects
from e2ecore.engine.running.signals import Signal
from e2ecore.engine.talk.handles import Outcome
from e2ecore.storage.search_tokens import NO_FOLD, Fold

if TYPE_CHECKING:
    from collections.abc import Callable


class Guarding:
    """What the task that keeps ward and guardian shares with others."""

    __slots__ = ("has_news", "lock", "signal")

    def __init__(self) -> None:
        self.lock = anyio.Lock()
        """Held by whoever talks to the relay about it."""
        self.has_news = False
        """The relay has said that something has changed, and was not asked yet."""
        self.signal = Signal()
        """There may be something to do."""

    def hear(self) -> None:
        """The relay may have news."""
        self.has_news = True
        self.signal.set()


class Move:
    """An account on its way to another device."""

    __slots__ = ("done", "is_done", "to_tell")

    def __init__(self) -> None:
        self.to_tell = Signal()
        """It may be on its way, and the relay can be told."""
        self.is_done = False
        """Is it there?"""
        self.done = Outcome()
        """Settled once it is there, or cannot come there any more."""


class Upkeep:
    """The state of the work that follows behind the messages."""

    __slots__ = (
        "_relay_at",
        "erasing",
        "fold",
        "guarding",
        "importing",
        "index_failed",
        "is_parting",
        "move",
        "on_parting",
        "own_here",
        "rebuilding",
        "settling",
        "to_clean",
        "to_compare",
        "to_give",
        "to_index",
        "to_lapse",
        "to_settle",
        "to_take",
        "to_tell",
        "transfers",
    )

    def __init__(self) -> None:
        self.fold: Fold = NO_FOLD
        """Characters that searches take for others."""
        self.to_index = Signal()
        """There are messages that the search index does not know yet."""
        self.index_failed = False
        """Somebody has met damage in the search index, and nothing was done about it yet."""
        self.rebuilding = False
        """The search index was given up and has not been made anew yet."""
        self.erasing = anyio.Lock()
        """Held by whoever erases messages: one after the other."""
        self.transfers = 0
        """Exports and imports under way: somebody waits for them, and indexing gives way."""
        self.importing = anyio.Lock()
        """Held by whoever imports a file: one after the other."""
        self.is_parting = False
        """Was this device removed? Then the tasks end, and what it holds is erased."""
        self.on_parting: Callable[[], None] | None = None
        """Ends the tasks."""
        self.to_give = Signal()
        """There may be a part of a history to make for another device."""
        self.to_take = Signal()
        """There may be a part of a history to take from another device."""
        self._begin_account()

    def _begin_account(self) -> None:
        """Begin what concerns the account: its chain, its devices, ward and guardian."""
        self.to_settle = Signal()
        """The account chain may have to be told of consents."""
        self.to_lapse = Signal()
        """The consent to several devices may be over, or last longer now."""
        self.guarding = Guarding()
        """What the relay may have to tell, or is to be told, about ward and guardian."""
        self._relay_at = (0, 0.0)
        self.move = Move()
        self.settling = anyio.Lock()
        """Held by whoever tells it."""
        self.to_tell = Signal()
        """Our other devices do not know yet what was done here."""
        self.own_here = Outcome()
        """Settled once we have, or cannot have, what our other devices said while we were away."""
        self.to_compare = Signal()
        """There may be reason to compare with our other devices."""
        self.to_clean = Signal()
        """Messages were erased, and the files still have traces of them."""

    def part(self) -> None:
        """This device was removed, and the app was told: nothing else happens here."""
        self.is_parting = True
        if self.on_parting is not None:
            self.on_parting()

    def logged_in(self, relay_ms: int) -> None:
        """Note what the relay's clock says now."""
        self._relay_at = relay_ms, anyio.current_time()

    def relay_ms(self) -> int:
        """Return the relay's time, by a clock that goes on whatever this machine's is set to."""
        said_ms, since_s = self._relay_at
        return said_ms + int(1000 * (anyio.current_time() - since_s))

    def connected(self) -> None:
        """There is a connection: tell the relay what it may not know yet."""
        self.to_settle.set()
        self.guarding.signal.set()
        self.move.to_tell.set()

    def heard(self, effects: Effects) -> None:
        """See to what a job has found out."""
        if effects.is_parting:
            self.part()
        if effects.guardianship:
            self.guarding.hear()
        self._wake(effects)

    def _wake(self, effects: Effects) -> None:
        """Wake those for whom a committed job has left work."""
        if effects.batch_taken or effects.sent:
            self.to_index.set()
        if effects.own_news:
            self.to_tell.set()
        if effects.past_own:
            self.own_here.settle()
        if effects.own_seats:
            self.to_compare.set()
            self.to_give.set()
        if effects.erased:
            self.to_clean.set()
        if effects.history:
            self.to_take.set()
