"""slixmpp with OMEMO against Prosody: an end-to-end encrypted stack that installs on a plain Debian
machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks.peers import setup
from benchmarks.peers.certificates import Certificates
from benchmarks.peers.prosody import PASSWORD, Prosody
from benchmarks.systems.chat import ChatSystem
from benchmarks.worker import Worker

if TYPE_CHECKING:
    from pathlib import Path

NAME: Final = "slixmpp-omemo + prosody"

REQUIREMENTS: Final = ("slixmpp==1.17.0", "slixmpp-omemo==2.2.0")
"""Installed into an environment of their own: their licences and dependencies stay out of ours."""


class Xmpp(ChatSystem):
    """The peer of the chat workloads."""

    name = NAME

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self._interpreter = setup.python_environment("slixmpp-omemo", REQUIREMENTS)

    def start(self) -> None:
        self._certificates = Certificates.make(self.home / "tls")
        self._server = Prosody(self.home / "prosody", self._certificates, anonymous=False)

    def stop_server(self) -> None:
        self._server.stop()

    def open_client(self, name: str) -> Worker:
        self._server.add_account(name)
        command = [str(self._interpreter), "-m", "benchmarks.workers.xmpp"]
        worker = Worker(name, command, self.home / f"{name}.log")
        worker.ask(
            "open",
            name=name,
            home=str(self.home / name),
            host="127.0.0.1",
            port=self._server.port,
            password=PASSWORD,
            ca=str(self._certificates.authority),
        )
        return worker

    def server_pids(self) -> list[int]:
        return self._server.pids

    def version(self) -> str:
        return f"{', '.join(REQUIREMENTS)}, {Prosody.version()}"
