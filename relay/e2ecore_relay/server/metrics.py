"""What the relay counts. Catalogue: docs/operating-the-relay.md; a test compares the names.

Counts are plain attributes of the event loop's thread, because every message changes some; they
become Prometheus metrics when somebody asks.
"""

from collections import Counter
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_PREFIX = "e2ecore_relay_"


class Metrics(Collector):
    """Counters, and gauges that are read when somebody asks."""

    def __init__(self) -> None:
        """Start at zero, in a registry of their own."""
        self.submitted = 0
        self.bytes = 0
        self.accepted = 0
        self.delivered = 0
        self.refused: Counter[str] = Counter()
        self.connections = 0
        self.closed: Counter[str] = Counter()
        self.authenticated = 0
        self.registered = 0
        self.expired = 0
        self.paged = 0
        self.blobs_created = 0
        self.blobs_completed = 0
        self.blob_bytes_received = 0
        self.blob_bytes_sent = 0
        self.blob_orphans = 0
        self.blobs_deleted: Counter[str] = Counter()
        self.blob_answers: Counter[str] = Counter()
        self.signals_forwarded = 0
        self.signals_dropped: Counter[str] = Counter()
        self._gauges: list[tuple[str, str, Callable[[], float]]] = []
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Add a gauge."""
        self._gauges.append((name, text, value))

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics as they are now. Called by Prometheus' client."""
        plain = (
            ("envelopes_accepted", "Envelopes durably stored.", self.accepted),
            ("envelopes_submitted", "Envelopes that clients sent.", self.submitted),
            ("envelope_bytes", "Ciphertext in submitted envelopes.", self.bytes),
            ("envelopes_delivered", "Envelopes sent to readers.", self.delivered),
            ("envelopes_expired", "Envelopes that expired unread.", self.expired),
            ("connections_opened", "TCP connections accepted.", self.connections),
            ("authentications", "Devices that proved who they are.", self.authenticated),
            ("registrations", "Accounts made.", self.registered),
            ("pages_read", "Reads of the store for devices that are behind.", self.paged),
            ("blobs_created", "Attachments for which room was made.", self.blobs_created),
            ("blobs_completed", "Attachments that came in whole.", self.blobs_completed),
            ("blob_bytes_received", "Bytes of attachments taken.", self.blob_bytes_received),
            ("blob_bytes_sent", "Bytes of attachments given.", self.blob_bytes_sent),
            ("blob_orphans", "Files found without a row, and deleted.", self.blob_orphans),
            ("signals_forwarded", "Signals written to readers.", self.signals_forwarded),
        )
        for name, text, count in plain:
            yield CounterMetricFamily(_PREFIX + name, text, value=count)
        yield _labelled("refused", "Requests and envelopes refused, by code.", "code", self.refused)
        yield _labelled("connections_closed", "Connections ended.", "reason", self.closed)
        dropped = self.signals_dropped
        yield _labelled("signals_dropped", "Signals not forwarded, by reason.", "reason", dropped)
        deleted, answers = self.blobs_deleted, self.blob_answers
        yield _labelled("blobs_deleted", "Attachments deleted, by reason.", "reason", deleted)
        yield _labelled("blob_answers", "Answers about bytes, by status.", "status", answers)
        for name, text, value in self._gauges:
            yield GaugeMetricFamily(_PREFIX + name, text, value=value())


def _labelled(name: str, text: str, label: str, counts: Counter[str]) -> Metric:
    family = CounterMetricFamily(_PREFIX + name, text, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family
