"""Settings: every wrong one is named, every right one is documented."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from e2ecore_relay.domain.rates import Rate
from e2ecore_relay.server.config import ConfigError, RelayConfig, load_config, parse_config
from e2ecore_relay.server.metrics import Metrics

MANUAL = Path(__file__).parents[3] / "docs" / "operating-the-relay.md"


def _first_column(heading: str) -> list[str]:
    section = MANUAL.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([a-z0-9_]+)`", section, re.MULTILINE)


def test_every_option_is_documented_and_no_other() -> None:
    assert _first_column("Options") == [option.name for option in fields(RelayConfig)]


def test_every_metric_is_documented_and_no_other() -> None:
    documented = {name for name in _first_column("Watch") if name.startswith("e2ecore_relay_")}
    metrics = Metrics()
    metrics.refused["malformed"] += 1
    metrics.closed["left"] += 1
    metrics.signals_dropped["rate"] += 1
    metrics.blobs_deleted["1"] += 1
    metrics.blob_answers["200"] += 1
    exported = set(re.findall(r"^(e2ecore_relay_\w+)", metrics.text().decode(), re.MULTILINE))
    gauges = {"connections", "devices_online", "writer_pending_bytes"}
    gauges |= {"commits", "commit_failures", "commit_seconds", "blob_connections", "blob_transfers"}
    gauges |= {"rendezvous"}
    assert documented == exported | {f"e2ecore_relay_{name}" for name in gauges}


def test_a_file_is_read_and_the_command_line_wins(tmp_path: Path) -> None:
    file = tmp_path / "relay.toml"
    file.write_text(
        'port = 1\nhost = "::"\ndata = "~/x"\n'
        "envelopes_per_device = { burst = 5, per_second = 0.5 }\n"
    )
    config = load_config(file, {"port": 2})
    assert (config.port, config.host) == (2, "::")
    assert config.envelopes_per_device == Rate(5, 0.5)
    assert config.data == Path("~/x").expanduser()
    assert load_config(None, {}) == RelayConfig()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        pytest.param({"prot": 1}, "prot: no such option", id="unknown"),
        pytest.param({"port": "x"}, "port: must be an integer, not 'x'", id="text for integer"),
        pytest.param({"port": True}, "port: must be an integer", id="truth for integer"),
        pytest.param({"tls": 1}, "tls: must be true or false", id="integer for truth"),
        pytest.param({"port": 70_000}, "port: must be from 0 to 65535", id="port"),
        pytest.param({"host": 5}, "host: must be a text", id="integer for text"),
        pytest.param({"data": 5}, "data: must be a path", id="integer for path"),
        pytest.param({"log_level": "loud"}, "log_level: ", id="unknown word"),
        pytest.param({"certificate_file": "x"}, "certificate_key_file", id="half a certificate"),
        pytest.param({"idle_timeout_s": -1}, "idle_timeout_s: must not be negative", id="negative"),
        pytest.param({"max_connections": 0}, "max_connections: must be 1", id="nobody"),
        pytest.param(
            {"envelopes_per_device": {"burst": 5}}, "envelopes_per_device: ", id="half a rate"
        ),
        pytest.param(
            {"envelopes_per_device": {"burst": 0, "per_second": 1}},
            "envelopes_per_device: burst must be 1",
            id="empty bucket",
        ),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(text)):
        parse_config(options)


def test_a_file_that_is_missing_or_no_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.toml: No such file"):
        load_config(tmp_path / "missing.toml", {})
    (tmp_path / "bad.toml").write_text("port 7")
    with pytest.raises(ConfigError, match=r"bad\.toml: not TOML"):
        load_config(tmp_path / "bad.toml", {})
