"""Randomness and time that a test controls, so that every run can be repeated."""

import hashlib


class SeededRng:
    """Random bytes that depend on a seed only. For tests: never give one to a real engine."""

    def __init__(self, seed: int | str) -> None:
        self._key = hashlib.sha256(str(seed).encode()).digest()
        self._count = 0

    def __call__(self, size: int, /) -> bytes:
        """Return the next ``size`` bytes."""
        self._count += 1
        return hashlib.shake_256(self._key + self._count.to_bytes(8)).digest(size)


class VirtualClock:
    """A wall clock that moves when a test says so."""

    def __init__(self, now_ms: int = 1_800_000_000_000) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        """Return milliseconds since the Unix epoch."""
        return self.now_ms

    def advance(self, *, ms: int = 0, hours: int = 0, days: int = 0) -> None:
        """Move forward, or back with negative numbers."""
        self.now_ms += ms + hours * 3_600_000 + days * 86_400_000
