import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("scenario", ["two_devices_pipelined", "offline_drain", "history"])
def test_quick_run_measures_the_product_with_real_processes(scenario: str, tmp_path: Path) -> None:
    rows_file = tmp_path / "rows.json"
    assert main([scenario, "--quick", "--json", str(rows_file)]) == 0
    rows = json.loads(rows_file.read_text())
    assert rows
    assert all(isinstance(row["value"], float) for row in rows)


def test_quick_run_measures_the_relay_alone(tmp_path: Path) -> None:
    rows_file = tmp_path / "rows.json"
    assert main(["relay_alone", "--quick", "--json", str(rows_file)]) == 0
    rows = {row["name"]: row["value"] for row in json.loads(rows_file.read_text())}
    assert rows["relay_alone.messages_per_second"] > 0
    assert rows["relay_alone.idle_kib"] > 0


def test_quick_run_measures_people_under_attack(tmp_path: Path) -> None:
    rows_file = tmp_path / "rows.json"
    assert main(["hostile_clients", "--quick", "--json", str(rows_file)]) == 0
    rows = {row["name"]: row for row in json.loads(rows_file.read_text())}
    assert rows["hostile_clients.p99_ms"]["ratio"] > 0
    assert rows["hostile_clients.server_rss_mb"]["value"] > 0
