"""What the relay counts. Catalogue: docs/operating-the-relay.md; a test compares the names."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class Metrics:
    """Counters, and gauges that are read when somebody asks."""

    def __init__(self) -> None:
        """Start at zero, in a registry of their own."""
        self.registry = CollectorRegistry()
        self.accepted = self._counter("envelopes_accepted", "Envelopes durably stored.")
        self.bytes = self._counter("envelope_bytes", "Ciphertext in submitted envelopes.")
        self.delivered = self._counter("envelopes_delivered", "Envelopes sent to readers.")
        self.refused = self._counter("refused", "Requests and envelopes refused, by code.", "code")
        self.connections = self._counter("connections_opened", "TCP connections accepted.")
        self.closed = self._counter("connections_closed", "Connections ended, by reason.", "reason")
        self.authenticated = self._counter("authentications", "Devices that proved who they are.")
        self.registered = self._counter("registrations", "Accounts made.")
        self.expired = self._counter("envelopes_expired", "Envelopes that expired unread.")
        self.paged = self._counter("pages_read", "Pages read from the store for slow readers.")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"e2ecore_relay_{name}", text, labels, registry=self.registry)

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Add a gauge."""
        self.registry.register(_Gauge(f"e2ecore_relay_{name}", text, value))

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)


class _Gauge(Collector):
    def __init__(self, name: str, text: str, value: Callable[[], float]) -> None:
        self._name, self._text, self._value = name, text, value

    def collect(self) -> Iterable[Metric]:
        gauge = GaugeMetricFamily(self._name, self._text)
        gauge.add_metric([], self._value())
        yield gauge
