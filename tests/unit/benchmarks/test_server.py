import sys
from pathlib import Path

import pytest

from benchmarks.peers.server import Server, ServerError, free_port

LISTEN = """
import socket, sys, time
with socket.create_server(("127.0.0.1", int(sys.argv[1]))):
    time.sleep(60)
"""


def test_server_is_ready_when_its_port_is_and_ends_when_asked(tmp_path: Path) -> None:
    port = free_port()
    server = Server("listener", [sys.executable, "-c", LISTEN, str(port)], tmp_path / "log")
    server.wait_for_port(port)
    (pid,) = server.pids
    server.stop()
    assert not Path(f"/proc/{pid}").exists()


def test_server_that_ends_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no configuration')"]
    server = Server("broken", command, tmp_path / "log")
    with pytest.raises(ServerError, match="broken ended: no configuration"):
        server.wait_for_port(free_port())
    server.stop()
