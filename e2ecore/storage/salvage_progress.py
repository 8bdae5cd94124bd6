"""How far the repair of one table is, as it is stored with the rows that it has saved."""

import json
from dataclasses import dataclass, field
from typing import cast

from e2ecore.storage.salvage_tables import Place
from e2ecore.storage.salvage_trees import Gap

_PlainPlace = list["int | str | dict[str, str] | None"] | None
_Plain = tuple[int, int, list[tuple[_PlainPlace, _PlainPlace]]]


@dataclass(slots=True)
class Progress:
    """How far the repair of one table is."""

    pages: int = 0
    """Pages of the table that are done, in the order of its tree."""
    saved: int = 0
    """Rows saved."""
    gaps: list[Gap] = field(default_factory=list)
    """Rows that could not be read, on pages that can be."""

    def encode(self) -> str:
        """Return it as text."""
        gaps = [(_plain(gap.after), _plain(gap.before)) for gap in self.gaps]
        return json.dumps((self.pages, self.saved, gaps))

    @classmethod
    def decode(cls, text: str) -> "Progress":
        """Read what ``encode`` wrote."""
        pages, saved, gaps = cast("_Plain", json.loads(text))
        return cls(pages, saved, [Gap(_place(a), _place(b)) for a, b in gaps])


def _plain(place: Place | None) -> _PlainPlace:
    if place is None:
        return None
    return [{"hex": one.hex()} if isinstance(one, bytes) else one for one in place]


def _place(plain: _PlainPlace) -> Place | None:
    if plain is None:
        return None
    return tuple(bytes.fromhex(one["hex"]) if isinstance(one, dict) else one for one in plain)
