"""Debian's Mosquitto with QoS 1 and without persistence to disk: it acknowledges before anything is
durable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks.peers import setup
from benchmarks.peers.server import Server, free_port

if TYPE_CHECKING:
    from pathlib import Path

CONFIGURATION: Final = """
listener {port} 127.0.0.1
allow_anonymous true
persistence false
max_inflight_messages 0
max_queued_messages 0
set_tcp_nodelay true
log_type error
"""


class Mosquitto:
    """One Mosquitto."""

    def __init__(self, home: Path) -> None:
        """Install if needed, and start.

        Raises:
            NotInstalledError: It is not here and cannot be installed.
        """
        program = setup.debian("mosquitto", "mosquitto")
        self.port = free_port()
        home.mkdir(parents=True, exist_ok=True)
        configuration = home / "mosquitto.conf"
        configuration.write_text(CONFIGURATION.format(port=self.port))
        self._server = Server("mosquitto", [program, "-c", str(configuration)], home / "output.log")
        self._server.wait_for_port(self.port)

    @staticmethod
    def version() -> str:
        """Debian's version."""
        return f"mosquitto {setup.debian_version('mosquitto')}"

    @property
    def pids(self) -> list[int]:
        """Its processes."""
        return self._server.pids

    def stop(self) -> None:
        """End it."""
        self._server.stop()
