"""Debian's Prosody with a configuration of its own: file storage, no "
"archive, no limits, STARTTLS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks.peers import setup
from benchmarks.peers.server import Server, free_port

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.peers.certificates import Certificates

PASSWORD: Final = "benchmark"  # noqa: S105 - accounts of a throw-away server on loopback
"""Of every account. Kept in plain text, so that log-in costs the server nothing extra."""

CONFIGURATION: Final = """
run_as_root = true
pidfile = "{home}/prosody.pid"
data_path = "{home}/data"
certificates = "{home}"
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
s2s_ports = {{ }}
http_ports = {{ }}
https_ports = {{ }}
modules_enabled = {{ {modules} }}
modules_disabled = {{ "s2s" }}
authentication = "{authentication}"
storage = "internal"
allow_unencrypted_plain_auth = true
c2s_require_encryption = {require_encryption}
log = {{ warn = "{home}/prosody.log" }}

VirtualHost "localhost"
    ssl = {{ certificate = "{certificate}"; key = "{key}" }}

Component "conference.localhost" "muc"
    muc_room_locking = false
    muc_room_default_public_jids = true
    muc_room_default_history_length = 0
"""


MODULES: Final = ("disco", "roster", "saslauth", "tls", "smacks", "presence", "message", "iq")
"""What a server needs for messages between people who are online."""

MODULES_FOR_CLIENTS: Final = ("pep", "carbons", "offline")
"""What clients with OMEMO need besides: key directory, several devices, people who are offline."""


class Prosody:
    """One Prosody process."""

    def __init__(self, home: Path, certificates: Certificates, *, anonymous: bool) -> None:
        """Install if needed, and start.

        Args:
            home: Empty directory for its data.
            certificates: For `localhost`.
            anonymous: Anybody may log in, and without TLS: only for the comparison of servers
            alone.

        Raises:
            NotInstalledError: It is not here and cannot be installed.
        """
        program = setup.debian("prosody", "prosody")
        self.port = free_port()
        home.mkdir(parents=True, exist_ok=True)
        self._accounts = home / "data" / "localhost" / "accounts"
        self._accounts.mkdir(parents=True)
        configuration = home / "prosody.cfg.lua"
        modules = MODULES if anonymous else (*MODULES, *MODULES_FOR_CLIENTS)
        configuration.write_text(
            CONFIGURATION.format(
                home=home,
                port=self.port,
                certificate=certificates.chain,
                key=certificates.key,
                modules=", ".join(f'"{module}"' for module in modules),
                authentication="anonymous" if anonymous else "internal_plain",
                require_encryption="false" if anonymous else "true",
            )
        )
        self._server = Server(
            "prosody", [program, "-F", "--config", str(configuration)], home / "output.log"
        )
        self._server.wait_for_port(self.port)

    @staticmethod
    def version() -> str:
        """Debian's version."""
        return f"prosody {setup.debian_version('prosody')}"

    def add_account(self, name: str) -> None:
        """Make an account in its file store."""
        (self._accounts / f"{name}.dat").write_text(
            f'return {{\n\t["password"] = "{PASSWORD}";\n}};\n'
        )

    @property
    def pids(self) -> list[int]:
        """Its processes."""
        return self._server.pids

    def stop(self) -> None:
        """End it."""
        self._server.stop()
