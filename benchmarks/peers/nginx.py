"""Debian's nginx: takes files by PUT and gives them, over TLS, as fast as a file server does."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

from benchmarks.peers import setup
from benchmarks.peers.certificates import Certificates
from benchmarks.peers.server import Server, free_port

if TYPE_CHECKING:
    from pathlib import Path

CONFIGURATION: Final = """
daemon off;
worker_processes 1;
pid {home}/nginx.pid;
error_log {home}/error.log warn;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {chain};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.3;
        client_max_body_size 0;
        root {home}/files;
        location / {{ dav_methods PUT; }}
    }}
}}
"""


class Nginx:
    """One nginx."""

    def __init__(self, home: Path) -> None:
        """Install if needed, and start.

        Raises:
            NotInstalledError: It is not here and cannot be installed.
        """
        program = setup.debian("nginx-light", "nginx")
        self.port = free_port()
        (home / "files").mkdir(parents=True, exist_ok=True)
        (home / "files").chmod(0o777)
        home.chmod(0o755)
        certificates = Certificates.make(home / "tls")
        self.authority = certificates.authority
        configuration = home / "nginx.conf"
        configuration.write_text(
            CONFIGURATION.format(
                home=home, port=self.port, chain=certificates.chain, key=certificates.key
            )
        )
        command = [program, "-p", str(home), "-c", str(configuration), "-g", "user root;"]
        self._server = Server("nginx", command, home / "output.log")
        self._server.wait_for_port(self.port)

    @staticmethod
    def version() -> str:
        """Debian's version."""
        return f"nginx {setup.debian_version('nginx-light')}"

    @property
    def pids(self) -> list[int]:
        """Its processes."""
        return self._server.pids

    def stop(self) -> None:
        """End it."""
        self._server.stop()


def curl(*arguments: str) -> tuple[float, ...]:
    """Run curl, which must succeed. Return the numbers that it was asked for by ``--write-out``."""
    done = subprocess.run(
        [setup.debian("curl", "curl"), "--silent", "--fail", "--http1.1", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return tuple(float(word) for word in done.stdout.split())
