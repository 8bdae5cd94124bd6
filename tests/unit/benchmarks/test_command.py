import json
from pathlib import Path

import pytest

from benchmarks import registry
from benchmarks.__main__ import EXIT_FAILED, EXIT_USAGE, main
from benchmarks.model import Context, Result, Scenario
from benchmarks.rows import ROW_FIELDS


def test_list_shows_every_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [s.name for s in registry.SCENARIOS]


def test_unknown_scenario_is_a_usage_error() -> None:
    assert main(["no_such_scenario"]) == EXIT_USAGE


def test_scenario_that_breaks_fails_the_command_and_keeps_its_rows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(_context: Context, _size: int) -> Result:
        raise RuntimeError("no such luck")

    good = registry.SCENARIOS[0]
    scenario = Scenario("broken", "Broken", "Breaks.", good.sizes, "things", good.measures, broken)
    monkeypatch.setattr(registry, "SCENARIOS", (scenario,))
    rows_file = tmp_path / "rows.json"
    assert main(["broken", "--quick", "--json", str(rows_file)]) == EXIT_FAILED
    rows = json.loads(rows_file.read_text())
    assert {row["note"] for row in rows} == {"RuntimeError: no such luck"}


@pytest.mark.slow
def test_quick_run_of_a_floor_writes_rows_and_pictures(tmp_path: Path) -> None:
    rows_file, pictures = tmp_path / "rows.json", tmp_path / "plots"
    arguments = ["message_rows", "--quick", "--json", str(rows_file), "--plots", str(pictures)]
    assert main(arguments) == 0
    (row,) = json.loads(rows_file.read_text())
    assert list(row) == list(ROW_FIELDS)
    assert row["value"] > 0
    assert row["ratio"] == row["value"] / row["reference_value"]
    assert sorted(path.suffix for path in pictures.iterdir()) == [".png", ".svg"]
