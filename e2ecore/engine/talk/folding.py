"""Traditional and simplified Chinese characters, for searches that take them for the same.

The table comes from OpenCC, whose people keep it; it is asked once, character by character, because
an index entry has no neighbours to judge by.
"""

import sys
from functools import cache

from e2ecore.errors import UsageError
from e2ecore.storage.search_tokens import Fold

_RANGES = ((0x3400, 0x4DC0), (0x4E00, 0xA000), (0xF900, 0xFB00), (0x20000, 0x32000))
"""The blocks of Han characters, ends not included."""


class FoldingMissingError(UsageError):
    """The table of Chinese characters is not installed. Run ``pip install e2ecore[chinese]``."""


@cache
def chinese_fold() -> Fold:
    """Return the simplified form of every character that has one, for ``str.translate``.

    Applying it twice changes nothing more. About 4,000 entries, made in some 20 ms, then kept.

    Raises:
        FoldingMissingError: OpenCC is not there.
    """
    try:
        from opencc import OpenCC
    except ImportError:
        raise FoldingMissingError from None
    characters = [chr(number) for low, high in _RANGES for number in range(low, high)]
    converted = OpenCC("t2s").convert("\n".join(characters)).split("\n")
    simpler = {
        one: sys.intern(to) for one, to in zip(characters, converted, strict=True) if one != to
    }
    return {ord(one): _settled(simpler, to) for one, to in simpler.items() if len(to) == 1}


def _settled(simpler: dict[str, str], one: str) -> str:
    """Follow the table to its end; it has no circles, or the first of one is taken."""
    seen = [one]
    while (to := simpler.get(seen[-1])) is not None and to not in seen:
        seen.append(to)
    return seen[-1] if to is None else min(seen[seen.index(to) :])
