"""One piece of work in the writer's thread.

Its transaction, its effects, and what is remembered.
"""

from dataclasses import dataclass

from e2ecore.engine.running.effects import Effects
from e2ecore.engine.running.mirror import Mirror
from e2ecore.engine.running.state import Own, State
from e2ecore.storage.tx import Tx


@dataclass(slots=True)
class Job:
    """What every function of the writer's thread works with.

    Attributes:
        tx: Everything it does is committed together, or never happened.
        effects: What the event loop learns once that is durable.
        state: The writer thread's memory.
    """

    tx: Tx
    effects: Effects
    state: State

    @property
    def own(self) -> Own:
        """Who we are.

        Raises:
            NotRegisteredError: There is no account yet.
        """
        return self.state.own(self.tx)

    @property
    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        return self.state.clock_ms()

    @property
    def relay_ms(self) -> int:
        """The relay's clock as far as it is known, else ours: what our devices agree by."""
        return self.now_ms + self.state.ahead_ms

    def mirror(self, cid: int) -> Mirror:
        """Return a conversation by its local number.

        Raises:
            UnknownConversationError: There is none.
        """
        return self.state.mirror(self.tx, cid)


def nothing(_job: Job) -> None:
    """Do nothing. Every job also notes what the relay has accepted; this one does only that."""
