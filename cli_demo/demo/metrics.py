"""The relay's counters, as its ``/metrics`` page tells them (Prometheus text format)."""

import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

_TIMEOUT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Metrics:
    """Sums over all labels, by name."""

    sums: Mapping[str, float]

    @classmethod
    def parse(cls, page: str) -> Self:
        """Read a page; comments and lines that are no samples are skipped."""
        sums: dict[str, float] = {}
        for line in page.splitlines():
            if line.startswith("#"):
                continue
            left, _, value = line.rpartition(" ")
            name = left.partition("{")[0].strip()
            try:
                sums[name] = sums.get(name, 0.0) + float(value)
            except ValueError:
                continue
        return cls(sums)

    def since(self, earlier: Self, name: str) -> int:
        """How much a counter grew; 0 if the relay does not count it."""
        return round(self.sums.get(name, 0.0) - earlier.sums.get(name, 0.0))

    def ciphertext_since(self, earlier: Self) -> int | None:
        """The size of the one envelope that the relay took, in bytes; None if there were others."""
        if self.since(earlier, "e2ecore_relay_envelopes_submitted_total") != 1:
            return None
        return self.since(earlier, "e2ecore_relay_envelope_bytes_total")


def read_metrics(base: str) -> Metrics:
    """Fetch ``/metrics``. Blocking: call it in a thread."""
    with urllib.request.urlopen(f"{base}/metrics", timeout=_TIMEOUT_S) as answer:  # noqa: S310
        return Metrics.parse(answer.read().decode())
