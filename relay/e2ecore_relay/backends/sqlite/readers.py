"""Connections that only read: opened when one is needed, used again, closed with the store."""

from collections.abc import Callable
from typing import TypeVar

from e2ecore_relay.backends.sqlite.connection import Connection
from e2ecore_relay.backends.sqlite.journal import Journal
from e2ecore_relay.backends.sqlite.ledger import SqliteLedger

Result = TypeVar("Result")


class Readers:
    """As many connections of one kind as threads read at once."""

    def __init__(self, connect: Callable[[], Connection], journal: Journal) -> None:
        """Open each with ``connect``."""
        self._connect = connect
        self._journal = journal
        self._idle: list[SqliteLedger] = []

    def read(self, work: Callable[[SqliteLedger], Result]) -> Result:
        """Run a function that only reads, in the calling thread, on a connection of its own.

        Raises:
            StoreError: As the function, or as opening does.
        """
        try:
            ledger = self._idle.pop()
        except IndexError:
            ledger = SqliteLedger(self._connect(), self._journal)
        try:
            return work(ledger)
        finally:
            self._idle.append(ledger)

    def close(self) -> None:
        """Close them. Nobody may read any more."""
        while self._idle:
            self._idle.pop().connection.close()
