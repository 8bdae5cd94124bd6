"""The relay's rate limits: token buckets per device, account and address."""

import socket

from e2ecore_relay.domain.rates import Limiter
from e2ecore_relay.server.config import RelayConfig


class Limits:
    """All buckets."""

    def __init__(self, config: RelayConfig) -> None:
        """Start with every bucket full."""
        self.connections: Limiter[str] = Limiter(config.connections_per_address)
        self.registrations: Limiter[str] = Limiter(config.registrations_per_address)
        self.device_envelopes: Limiter[int] = Limiter(config.envelopes_per_device)
        self.account_envelopes: Limiter[int] = Limiter(config.envelopes_per_account)
        self.requests: Limiter[int] = Limiter(config.requests_per_account)
        self.commits: Limiter[tuple[int, bytes]] = Limiter(config.commits_per_conversation)
        self.rendezvous: Limiter[int] = Limiter(config.rendezvous_per_account)
        self.visits: Limiter[str] = Limiter(config.visits_per_address)
        self.key_packages: Limiter[int] = Limiter(config.key_packages_per_account)
        self.signals: Limiter[int] = Limiter(config.signals_per_device)
        self.signals_there: Limiter[tuple[int, bytes]] = Limiter(config.signals_per_conversation)

    def admits(self, connected: socket.socket, now_ms: int) -> bool:
        """Take from the bucket of a new connection's address; False: it is empty, or it is gone."""
        try:
            address = network(str(connected.getpeername()[0]))
        except OSError:
            return False
        return not self.connections.take(address, 1, now_ms)

    def take_envelopes(self, device: int, account: int, count: int, now_ms: int) -> int:
        """Take from a device's and its account's bucket. Return 0, or the milliseconds to wait."""
        return self.device_envelopes.take(device, count, now_ms) or self.account_envelopes.take(
            account, count, now_ms
        )

    def takes_signal(self, device: int, conversation: bytes, now_ms: int) -> bool:
        """Take from the buckets of a device, here and in all conversations; False: one is empty."""
        return not (
            self.signals_there.take((device, conversation), 1, now_ms)
            or self.signals.take(device, 1, now_ms)
        )


def network(address: str) -> str:
    """Return what shares a bucket: an IPv4 address, or the /64 of an IPv6 address."""
    if ":" not in address or address.startswith("::ffff:"):
        return address
    return ":".join(address.split("%")[0].split(":")[:4])
