"""The relay as a process, and what it tells over HTTP."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from e2ecore_relay.server.config import ConfigError, parse_config
from e2ecore_relay.server.relay import Relay, running
from tests.support.processes import RelayProcess
from tests.support.raw_client import Person, online
from tests.support.relay import relay_at, where

pytestmark = pytest.mark.anyio


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  our own server
        return str(answer.read().decode())


async def test_information_health_and_metrics_are_served_beside_the_messages(relay: Relay) -> None:
    bob = Person()
    async with online(*where(relay)) as alice, online(*where(relay), bob) as b:
        chat = await alice.direct(bob)
        await alice.submit(chat, b"four")
        await b.wait_for(2)
        fetch = anyio.to_thread.run_sync
        info = json.loads(await fetch(_get, f"{relay.http_url}/v1/info"))
        assert (info["server_name"], info["protocol"]) == ("localhost", {"min": 1, "max": 1})
        assert await fetch(_get, f"{relay.http_url}/healthz") == "ok\n"
        assert await fetch(_get, f"{relay.http_url}/readyz") == "ok\n"
        lines = (await fetch(_get, f"{relay.http_url}/metrics")).splitlines()
        for line in (
            "e2ecore_relay_envelopes_accepted_total 1.0",
            "e2ecore_relay_envelope_bytes_total 4.0",
            "e2ecore_relay_envelopes_delivered_total 2.0",
            "e2ecore_relay_devices_online 2.0",
        ):
            assert line in lines


async def test_a_relay_without_tls_serves_a_proxy_on_the_same_machine(tmp_path: Path) -> None:
    async with relay_at(tmp_path, tls=False) as relay:
        assert relay.url.startswith("ws://127.0.0.1:")
        assert relay.certificates.ca_file is None


async def test_the_operators_certificate_is_used_or_named(tmp_path: Path) -> None:
    async with relay_at(tmp_path) as relay:
        folder = relay.hub.config.data
    files = {
        "certificate_file": folder / "development-certificate.pem",
        "certificate_key_file": folder / "development-key.pem",
    }
    async with relay_at(tmp_path / "own", **files) as relay:
        assert relay.certificates.ca_file is None
        async with online(relay.url, str(folder / "development-ca.pem")) as alice:
            assert alice.challenge.server_name == "localhost"
    bad = parse_config({"data": tmp_path / "bad", **files, "certificate_key_file": tmp_path / "x"})
    with pytest.raises(ConfigError, match="certificate_file"):
        async with running(bad):
            pass


def _refused(*arguments: str) -> str:
    command = [sys.executable, "-m", "e2ecore_relay", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    return done.stderr


@pytest.mark.slow
def test_the_process_starts_drains_and_starts_again_and_a_second_one_refuses(
    tmp_path: Path,
) -> None:
    relay = RelayProcess(tmp_path / "relay").start()
    data = str(tmp_path / "relay" / "data")
    assert "another relay" in _refused("--data", data, "--port", "0", "--http-port", "0")
    first = (relay.url, relay.ca)
    relay.stop()
    assert relay.process.returncode == 0
    log = (tmp_path / "relay" / "relay.log").read_text()
    assert "First start" in log
    assert "relay.key" in log
    relay.start()
    assert (relay.url, relay.ca) == first
    relay.stop()
    assert (tmp_path / "relay" / "relay.log").read_text().count("First start") == 1


@pytest.mark.slow
def test_what_keeps_the_process_from_starting_is_said_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "relay.toml"
    file.write_text("prot = 7")
    assert "prot: no such option" in _refused("--config", str(file))
    assert "No such file" in _refused("--config", str(tmp_path / "missing"))
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert "cannot start" in _refused("--data", str(blocked))
