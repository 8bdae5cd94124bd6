"""What the person has agreed to on this device, and withdrawn, with what proves it."""

from typing import Final, NamedTuple

from e2ecore.storage.sql import insert, select
from e2ecore.storage.tx import Tx


class ConsentRow(NamedTuple):
    """A row of ``consents``."""

    consent_id: bytes
    purpose: str
    record: bytes
    salt: bytes
    notice: str
    wanted: int
    """0: withdrawn."""
    settled: int
    """1: the chain says the same."""
    place: int

    def __repr__(self) -> str:
        return f"<ConsentRow {self.consent_id.hex()}, {self.purpose}, salt hidden>"


_SELECT: Final = select("consents", ConsentRow._fields)
_INSERT: Final = insert("consents", ConsentRow._fields)


def add(tx: Tx, row: ConsentRow) -> None:
    """Store a decision.

    Raises:
        ConstraintError: There is one with this id already.
    """
    tx.execute(_INSERT, row)


def all_rows(tx: Tx) -> list[ConsentRow]:
    """Return all, oldest first."""
    return tx.rows(ConsentRow._make, f"{_SELECT} ORDER BY place")


def unsettled(tx: Tx) -> list[ConsentRow]:
    """Return those of which the chain does not say the same yet, oldest first."""
    return tx.rows(ConsentRow._make, f"{_SELECT} WHERE settled = 0 ORDER BY place")


def next_place(tx: Tx) -> int:
    """Return the number behind the newest one."""
    return (tx.value(int, "SELECT max(place) FROM consents") or 0) + 1


def withdraw(tx: Tx, consent_id: bytes) -> bool:
    """Note that it is wanted no longer, and the chain has to be told; False: it is not here."""
    changed = tx.execute(
        "UPDATE consents SET wanted = 0, settled = 0 WHERE consent_id = ?", (consent_id,)
    )
    return changed > 0


def settle(tx: Tx, consent_id: bytes) -> None:
    """Note that the chain says the same."""
    tx.execute("UPDATE consents SET settled = 1 WHERE consent_id = ?", (consent_id,))
