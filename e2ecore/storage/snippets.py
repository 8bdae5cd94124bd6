"""The part of a text around what was found in it.

A text is found in its normal form, which may be longer or shorter than the text as it was written.
To mark the place in what people see, each character is normalised together with the marks that
belong to it, and the lengths are added up. Where that does not give the normal form of the whole,
the snippet is the start of the text with nothing marked.
"""

import unicodedata
from dataclasses import dataclass
from typing import Final

from e2ecore.storage.search_tokens import Query, normal, occurs

ELLIPSIS: Final = "\u2026"
_LEAD: Final = 3
"""One part in so many of a snippet lies before the first hit."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """A part of a text."""

    text: str
    """In one line; an ellipsis stands for what was left out before and after."""
    marks: tuple[tuple[int, int], ...]
    """Start and end of each place that was found, in characters of ``text``; ascending, apart."""


def make_snippet(body: str, query: Query, characters: int) -> Snippet:
    """Return the part of a text around the first place where a term occurs."""
    places = _places(body, query)
    first = places[0][0] if places else 0
    size = max(1, characters)
    start = max(0, min(first - size // _LEAD, len(body) - size))
    end = min(len(body), start + size)
    before, after = ELLIPSIS if start else "", ELLIPSIS if end < len(body) else ""
    shift = len(before) - start
    marks = [
        (max(low, start) + shift, min(high, end) + shift)
        for low, high in places
        if low < end and high > start
    ]
    line = "".join(" " if one.isspace() else one for one in body[start:end])
    return Snippet(f"{before}{line}{after}", tuple(marks))


def _places(body: str, query: Query) -> list[tuple[int, int]]:
    """Return where terms first occur in the text as it was written, merged and in order."""
    form = normal(body, query.fold)
    starts = _origins(body, query)
    if len(starts) != len(form):
        return []
    found: list[tuple[int, int]] = []
    for term in query.terms:
        at = occurs(term, form)
        if at >= 0:
            found.append((starts[at][0], starts[at + len(term) - 1][1]))
    merged: list[tuple[int, int]] = []
    for low, high in sorted(found):
        if merged and low < merged[-1][1]:
            merged[-1] = merged[-1][0], max(high, merged[-1][1])
        else:
            merged.append((low, high))
    return merged


def _origins(body: str, query: Query) -> list[tuple[int, int]]:
    """Return for each character of the normal form from where to where it comes in the text."""
    origins: list[tuple[int, int]] = []
    whole = ""
    for low, high in _clusters(body):
        form = normal(body[low:high], query.fold)
        whole += form
        origins.extend([(low, high)] * len(form))
    return origins if whole == normal(body, query.fold) else []


def _clusters(body: str) -> list[tuple[int, int]]:
    """Return the characters of a text, each with the marks that follow it."""
    starts = [
        at
        for at, one in enumerate(body)
        if at == 0 or not (unicodedata.combining(one) or one in "\uff9e\uff9f")
    ]
    return list(zip(starts, [*starts[1:], len(body)], strict=True))
