"""Token buckets, as one number per key (GCRA, the generic cell rate algorithm).

A bucket holds ``burst`` tokens and gains ``per_second`` tokens each second. Instead of a count and
a time, the algorithm keeps the time at which the bucket will be full again; a request is granted if
it moves that time no further than one full bucket away. A key whose bucket is full again needs no
entry, so memory follows activity, not the number of devices that ever came.
"""

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

Key = TypeVar("Key")

_MAX_KEYS: Final = 100_000
"""Most buckets kept: 15 MB. Beyond, the fullest are forgotten first."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How much at once, and how much in the long run.

    Attributes:
        burst: Tokens of a full bucket.
        per_second: Tokens gained each second.
    """

    burst: int
    per_second: float


class Limiter(Generic[Key]):
    """One bucket per key, all with the same rate."""

    def __init__(self, rate: Rate, max_keys: int = _MAX_KEYS) -> None:
        """Start with every bucket full."""
        self._token_ms = 1000 / rate.per_second
        self._depth_ms = rate.burst * self._token_ms
        self._max_keys = max_keys
        self._full_at: dict[Key, float] = {}

    def take(self, key: Key, cost: int, now_ms: int) -> int:
        """Take tokens, or nothing at all.

        Args:
            key: Whose bucket.
            cost: Tokens. More than a full bucket is granted when the bucket is full.
            now_ms: Any clock. Where it was set back by more than a bucket takes to fill, the bucket
                is full: nobody is kept out for as long as the clock was ahead.

        Returns:
            0 if granted, else the milliseconds after which the same call would be granted.
        """
        full_at = max(self._full_at.get(key, 0.0), float(now_ms))
        if full_at > now_ms + 2 * self._depth_ms:
            full_at = float(now_ms)
        grown = full_at + min(cost * self._token_ms, self._depth_ms)
        wait_ms = grown - now_ms - self._depth_ms
        if wait_ms > 0:
            return int(wait_ms) + 1
        self._full_at[key] = grown
        if len(self._full_at) > self._max_keys:
            self._forget(now_ms)
        return 0

    def _forget(self, now_ms: int) -> None:
        kept = {key: full_at for key, full_at in self._full_at.items() if full_at > now_ms}
        if len(kept) > self._max_keys * 3 // 4:
            emptiest_first = sorted(kept, key=kept.__getitem__, reverse=True)
            kept = {key: kept[key] for key in emptiest_first[: self._max_keys // 2]}
        self._full_at = kept

    def __len__(self) -> int:
        return len(self._full_at)
