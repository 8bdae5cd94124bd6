"""What all Python peers that protect messages have in common: rounds of messages in order, CPU time
of each. Standard library only.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from importlib.metadata import version
from statistics import median
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from benchmarks import wire

if TYPE_CHECKING:
    from benchmarks.wire import JsonObject

M = TypeVar("M")

PLAINTEXT: Final = bytes(range(256))

ROUND: Final = 50
"""Messages of the sender before it is the receiver's turn, as on our side."""

NO_FIGURES: Final[JsonObject] = {}
"""Of a work that a peer cannot do."""


class Messages(ABC, Generic[M]):
    """A sender and a receiver. `service.serve` calls the verbs by name."""

    distribution = ""
    """Name on PyPI."""

    @abstractmethod
    async def protect(self, data: bytes) -> M:
        """Encrypt."""

    @abstractmethod
    async def receive(self, message: M) -> bytes:
        """Decrypt and verify."""

    @abstractmethod
    def size(self, message: M) -> int:
        """Return the size of a message in bytes."""

    async def version(self, _request: JsonObject) -> JsonObject:
        """Verb: say what runs."""
        return {"version": f"{self.distribution} {version(self.distribution)}"}

    async def measure(self, request: JsonObject) -> JsonObject:
        """Verb: return the figures of one work."""
        work, size = wire.text(request, "work"), wire.integer(request, "size")
        if work == "mls_messages":
            return await self._measure_messages(size)
        return await self.measure_group(work, size)

    async def measure_group(self, _work: str, _size: int) -> JsonObject:
        """Return the figures of a work with large groups."""
        return NO_FIGURES

    async def _measure_messages(self, size: int) -> JsonObject:
        protect, receive, length = [], [], 0
        for _ in range(max(1, size // ROUND)):
            before = time.process_time_ns()
            sent = [await self.protect(PLAINTEXT) for _ in range(ROUND)]
            between = time.process_time_ns()
            received = [await self.receive(message) for message in sent]
            after = time.process_time_ns()
            if received != [PLAINTEXT] * ROUND:
                raise ValueError("the receiver got something else")
            protect.append((between - before) / ROUND / 1000)
            receive.append((after - between) / ROUND / 1000)
            length = self.size(sent[0])
        return {"protect": median(protect), "receive": median(receive), "bytes": length}
