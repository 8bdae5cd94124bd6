"""Tells a silent connection from a dead one: pings, and an end to those that do not answer."""

from typing import Final

import anyio

from e2ecore_channel.channel import Channel
from e2ecore_channel.errors import ChannelClosedError
from e2ecore_protocol.limits import IDLE_TIMEOUT_S, PING_INTERVAL_S

_SWEEPS: Final = 3
"""Silent sweeps after which a connection is dead."""


async def keep_alive(
    channel: Channel,
    *,
    interval_s: float = PING_INTERVAL_S,
    timeout_s: float = IDLE_TIMEOUT_S,
) -> None:
    """Ping whenever the other side was silent for a while; abort if it stays silent. For clients.

    Args:
        channel: Watched until it is closed.
        interval_s: Seconds of silence before a ping.
        timeout_s: Seconds of silence before the end.
    """
    silent_s = 0.0
    while not channel.is_closed:
        reads = channel.reads
        await anyio.sleep(interval_s)
        silent_s = 0.0 if channel.reads != reads else silent_s + interval_s
        if silent_s >= timeout_s:
            channel.abort()
        elif silent_s:
            try:
                channel.ping()
            except ChannelClosedError:
                return


class SilenceWatch:
    """Aborts channels on which nothing came for a while: one task for any number. For relays."""

    def __init__(self, timeout_s: float = IDLE_TIMEOUT_S) -> None:
        """Make a watch without channels.

        Args:
            timeout_s: Seconds of silence before the end; noticed up to a third later.
        """
        self._timeout_s = timeout_s
        self._seen: dict[Channel, tuple[int, int]] = {}

    def add(self, channel: Channel) -> None:
        """Watch a channel from now on."""
        self._seen[channel] = (channel.reads, 0)

    def discard(self, channel: Channel) -> None:
        """Forget a channel, if it is known."""
        self._seen.pop(channel, None)

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await anyio.sleep(self._timeout_s / _SWEEPS)
            for channel, (reads, silent) in list(self._seen.items()):
                if channel.reads != reads:
                    self._seen[channel] = (channel.reads, 0)
                elif silent + 1 < _SWEEPS:
                    self._seen[channel] = (reads, silent + 1)
                else:
                    self.discard(channel)
                    channel.abort()
