"""What the writer thread is given to do."""

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeAlias, TypeVar

from e2ecore_protocol.frames.delivery import Envelope
from e2ecore_relay.backends.sqlite.connection import StoreError
from e2ecore_relay.domain.exchange import Answer, Turn

Result = TypeVar("Result")


class Job(Protocol):
    """Something to do in a transaction, and whom to tell."""

    def finish(self) -> None:
        """Report, on the event loop, after the commit."""
        ...

    def fail(self, error: Exception) -> None:
        """Take note that the transaction failed. ``finish`` follows."""
        ...


class SubmitJob:
    """Envelopes of one device."""

    __slots__ = ("_done", "_error", "_results", "device", "envelopes", "size")

    def __init__(
        self,
        device: int,
        envelopes: Sequence[Envelope],
        size: int,
        done: Callable[[list[Answer] | Exception], None],
    ) -> None:
        """Append ``envelopes``, ``size`` payload bytes, for ``device``; then call ``done``."""
        self.device = device
        self.envelopes = envelopes
        self.size = size
        self._done = done
        self._results: list[Answer] = []
        self._error: Exception | None = None

    def run(self, turn: Turn) -> None:
        """Append."""
        self._results = turn.exchange.submit(turn.ledger, self.device, self.envelopes, turn.now_ms)

    def fail(self, error: Exception) -> None:
        """See Job."""
        self._error = error

    def finish(self) -> None:
        """See Job."""
        self._done(self._error or self._results)


class CallJob(Generic[Result]):
    """Anything else: a domain function, in a savepoint of its own."""

    __slots__ = ("_done", "_outcome", "_work")

    def __init__(
        self,
        work: Callable[[Turn], Result],
        done: Callable[[Result | Exception], None],
    ) -> None:
        """Call ``work(turn)``; then ``done`` with what it returned or raised."""
        self._work = work
        self._done = done
        self._outcome: Result | Exception = StoreError("not run")

    def run(self, turn: Turn) -> None:
        """Do the work."""
        self._outcome = self._work(turn)

    def fail(self, error: Exception) -> None:
        """See Job."""
        self._outcome = error

    def finish(self) -> None:
        """See Job."""
        self._done(self._outcome)


AnyJob: TypeAlias = SubmitJob | CallJob[object]
"""What stands in the writer's queue."""


class Statistics:
    """Counters of the writer. Read by anybody, written by the writer thread."""

    __slots__ = ("commit_s", "commits", "envelopes", "failures", "jobs")

    def __init__(self) -> None:
        """Start at zero."""
        self.commits = 0
        self.failures = 0
        self.jobs = 0
        self.envelopes = 0
        self.commit_s = 0.0
