"""How much work strangers may cause: so much at once, and so much again in each second.

What comes beyond it is dropped before anything is looked up or opened.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

_MS: Final = 1000


class Allowance:
    """One supply for each key, full at first. Those longest unused are forgotten: full again."""

    __slots__ = ("_burst", "_keys", "_per_s", "_supplies")

    def __init__(self, burst: int, per_s: int, keys: int) -> None:
        """Begin.

        Args:
            burst: What there is at once.
            per_s: What comes again in each second, up to that.
            keys: Supplies that are kept.
        """
        self._burst: Final = burst * _MS
        self._per_s: Final = per_s
        self._keys: Final = keys
        self._supplies: OrderedDict[Hashable, tuple[int, int]] = OrderedDict()

    def has(self, key: Hashable, now_ms: int) -> bool:
        """Is anything left?"""
        return self._left(key, now_ms) >= _MS

    def take(self, key: Hashable, now_ms: int) -> bool:
        """Take one; return whether there was one."""
        left = self._left(key, now_ms)
        is_there = left >= _MS
        self._supplies[key] = left - _MS * is_there, now_ms
        self._supplies.move_to_end(key)
        if len(self._supplies) > self._keys:
            self._supplies.popitem(last=False)
        return is_there

    def _left(self, key: Hashable, now_ms: int) -> int:
        """Return how much is left, in thousandths."""
        left, since_ms = self._supplies.get(key, (self._burst, now_ms))
        passed = max(0, now_ms - since_ms)  # clocks are put right at times
        return min(self._burst, left + passed * self._per_s)
