"""Cut the power at the n-th statement, for every n.

    for power in every_cut():
        ... make a database with ``connect=power.connect``, prepare it ...
        power.arm()
        with suppress(PowerCut):
            ... what must be all or nothing ...
        ... close, open again with an ordinary connection, and look ...

The power fails before the n-th statement; and once more after it but before its caller hears of it
(a COMMIT may be durable although nobody was told), where that leaves something else behind than a
cut before the next one: what only reads, or is undone with its transaction, does not. The loop ends
after the first run that needed no more statements than it was given.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from e2ecore.storage.sql import Connection, Params, Row

T = TypeVar("T")
R = TypeVar("R")


class PowerCut(BaseException):
    """Not an Exception: no handler of ours may take it for an error and go on."""


class Power:
    """Counts the statements of every connection made through it, once armed."""

    def __init__(self, survives: int = 0, *, last_runs: bool = False) -> None:
        """Plan a cut.

        Args:
            survives: Statements that still succeed once armed.
            last_runs: The statement that meets the cut is executed, but its caller never returns.
        """
        self.survives = survives
        self.last_runs = last_runs
        self.was_cut = False
        self.left_nothing = False
        """The statement that met the cut leaves nothing on the disk, executed or not."""
        self._left: int | None = None

    def __repr__(self) -> str:
        return f"Power(survives={self.survives}, last_runs={self.last_runs})"

    def arm(self) -> None:
        """Start to count."""
        self._left = self.survives

    def connect(self, path: Path) -> Connection:
        """Make a connection that dies with the power; for ``connect=``."""
        return FaultyConnection(path, self)

    def spend(self, statement: Callable[[], T], *, leaves_nothing: bool = False) -> T:
        """Run one statement, or die."""
        if self.was_cut:
            raise PowerCut
        if self._left is None:
            return statement()
        if self._left:
            self._left -= 1
            return statement()
        self.was_cut = True
        self.left_nothing = leaves_nothing
        if self.last_runs:
            statement()
        raise PowerCut


class FaultyConnection(Connection):
    """A connection on somebody's power. Closing it needs none."""

    __slots__ = ("_power",)

    def __init__(self, path: Path, power: Power) -> None:
        super().__init__(path)
        self._power = power

    def rekey(self, key: bytes, salt: bytes) -> None:
        self._power.spend(lambda: super(FaultyConnection, self).rekey(key, salt))

    def _spend(self, sql: str, statement: Callable[[], T]) -> T:
        reads = sql.lstrip().upper().startswith("SELECT")
        undone = self.in_transaction and not sql.lstrip().upper().startswith("COMMIT")
        return self._power.spend(statement, leaves_nothing=reads or undone)

    def execute(self, sql: str, params: Params = ()) -> int:
        return self._spend(sql, lambda: super(FaultyConnection, self).execute(sql, params))

    def insert(self, sql: str, params: Params = ()) -> int:
        return self._spend(sql, lambda: super(FaultyConnection, self).insert(sql, params))

    def executemany(self, sql: str, rows: Iterable[Params]) -> None:
        self._spend(sql, lambda: super(FaultyConnection, self).executemany(sql, rows))

    def rows(self, make: Callable[[Row], R], sql: str, params: Params = ()) -> list[R]:
        return self._spend(sql, lambda: super(FaultyConnection, self).rows(make, sql, params))

    def row(self, make: Callable[[Row], R], sql: str, params: Params = ()) -> R | None:
        return self._spend(sql, lambda: super(FaultyConnection, self).row(make, sql, params))

    def value(self, kind: type[T], sql: str, params: Params = ()) -> T | None:
        return self._spend(sql, lambda: super(FaultyConnection, self).value(kind, sql, params))


def every_cut(limit: int = 500) -> Iterator[Power]:
    """Yield planned cuts for every statement, until a run is through without one.

    Args:
        limit: Statements after which something must be wrong with the scenario.
    """
    for survives in range(limit):
        for last_runs in (False, True):
            power = Power(survives, last_runs=last_runs)
            yield power
            if not power.was_cut:
                return
            if power.left_nothing:
                break
    raise AssertionError(f"the scenario needs more than {limit} statements")
