"""Connections that only read. They see the last commit and never wait for the writer."""

import threading
from collections.abc import Callable
from typing import Final, TypeVar

from e2ecore.storage.errors import ClosedError
from e2ecore.storage.sql import Connection
from e2ecore.storage.tx import Tx

T = TypeVar("T")

MAX_READERS: Final = 2
"""Connections kept open. Each holds its own page cache; a further reader waits its turn."""


class Readers:
    """A small pool; the connection used last is used next, because its cache is warm."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        """Connections are opened when first needed, by ``connect``."""
        self._connect = connect
        self._idle: list[Connection] = []
        self._places = threading.Semaphore(MAX_READERS)
        self._gate = threading.Lock()
        self._closed = False

    def read(self, work: Callable[[Tx], T]) -> T:
        """Run ``work`` on one snapshot of the database, in the calling thread.

        A page of history takes less than the way to another thread and back.

        Raises:
            ClosedError: The database was closed.
        """
        with self._places:
            connection = self._take()
            try:
                connection.execute("BEGIN")
                result = work(Tx(connection))
                connection.execute("COMMIT")
            except BaseException:
                connection.close()  # a damaged page poisons a connection: the next one is fresh
                raise
            self._give_back(connection)
            return result

    def close(self) -> None:
        """Refuse new reads and close what is idle; reads under way close their own."""
        with self._gate:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> Connection:
        with self._gate:
            if self._closed:
                raise ClosedError
            if self._idle:
                return self._idle.pop()
        return self._connect()

    def _give_back(self, connection: Connection) -> None:
        with self._gate:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()
