"""Debian's ejabberd, started without its control script: no distribution, no epmd left behind, data
in our directory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks.peers import setup
from benchmarks.peers.server import Server, free_port

if TYPE_CHECKING:
    from pathlib import Path

LIBRARIES: Final = "/usr/lib/x86_64-linux-gnu:/usr/lib/aarch64-linux-gnu"
"""Where Debian puts Erlang libraries that are not part of Erlang."""

CONFIGURATION: Final = """
hosts: [localhost]
loglevel: warning
listen:
  -
    port: {port}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    max_stanza_size: 262144
    access: all
    shaper: none
auth_method: [anonymous]
anonymous_protocol: sasl_anon
allow_multiple_connections: true
default_db: mnesia
modules:
  mod_stream_mgmt:
    max_ack_queue: 100000
    resume_timeout: 0
"""


class Ejabberd:
    """One ejabberd."""

    def __init__(self, home: Path) -> None:
        """Install if needed, and start.

        Raises:
            NotInstalledError: It is not here and cannot be installed.
        """
        setup.debian("ejabberd", "ejabberdctl")
        program = setup.debian("erlang-base", "erl")
        self.port = free_port()
        home.mkdir(parents=True, exist_ok=True)
        configuration = home / "ejabberd.yml"
        configuration.write_text(CONFIGURATION.format(port=self.port))
        environment = {
            "ERL_LIBS": LIBRARIES,
            "EJABBERD_CONFIG_PATH": str(configuration),
            "EJABBERD_LOG_PATH": str(home / "ejabberd.log"),
            "HOME": str(home),
        }
        command = [
            program,
            "+K",
            "true",
            "-noinput",
            "-mnesia",
            "dir",
            f'"{home / "mnesia"}"',
            "-s",
            "ejabberd",
        ]
        self._server = Server("ejabberd", command, home / "output.log", environment)
        self._server.wait_for_port(self.port)

    @staticmethod
    def version() -> str:
        """Debian's version."""
        return f"ejabberd {setup.debian_version('ejabberd')}"

    @property
    def pids(self) -> list[int]:
        """Its processes."""
        return self._server.pids

    def stop(self) -> None:
        """End it."""
        self._server.stop()
