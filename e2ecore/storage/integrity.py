"""Looking for damage: every page, then the order of the rows in them."""

from typing import Final, NamedTuple

from e2ecore.storage.errors import CorruptDatabaseError, DiskError
from e2ecore.storage.tx import Tx

_MAX_FAULTS: Final = 100
"""Faults that are counted; what has more is damaged as well."""
_INDEX: Final = "fts5"
"""How SQLite's faults of the search index name it."""


class Findings(NamedTuple):
    """What is wrong with a database."""

    pages: int
    """Pages that fail their authentication, or cannot be read."""
    structure: int
    """Faults in tables and their indexes, up to 100."""
    search: bool
    """Is the search index damaged? It is made anew by itself, and no message is affected."""

    @property
    def is_whole(self) -> bool:
        """Is there nothing wrong with what cannot be made anew?"""
        return not self.pages and not self.structure


def examine(tx: Tx) -> Findings:
    """Read every page and every table. Takes about 3 s per GiB; call it off the event loop."""
    pages = len(tx.rows(tuple, "PRAGMA cipher_integrity_check"))
    try:
        told = tx.rows(lambda row: str(row[0]), f"PRAGMA quick_check({_MAX_FAULTS})")
    except (CorruptDatabaseError, DiskError):
        return Findings(max(pages, 1), 0, search=False)
    faults = [line for line in told if line != "ok"]
    of_index = sum(_INDEX in line.casefold() for line in faults)
    return Findings(pages, len(faults) - of_index, search=bool(of_index))
