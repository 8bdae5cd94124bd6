"""Randomness that repeats."""

import hashlib


class SeededRng:
    """An ``Rng`` whose output follows from its seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._calls = 0

    def __call__(self, size: int, /) -> bytes:
        self._calls += 1
        return hashlib.shake_256(f"{self._seed} {self._calls}".encode()).digest(size)
