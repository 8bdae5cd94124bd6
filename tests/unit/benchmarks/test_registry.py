from pathlib import Path

import pytest

from benchmarks import registry
from benchmarks.model import Scale, Scenario

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- scenarios -->\n\n", "\n<!-- end of scenarios -->"


def test_scenarios_are_documented_as_they_are() -> None:
    text = DOCUMENT.read_text()
    listed = text[text.index(BEGIN) + len(BEGIN) : text.index(END)]
    assert listed == registry.documentation(), "python -m benchmarks --documentation writes it"


@pytest.mark.parametrize("scenario", registry.SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario_says_what_it_measures_and_has_every_size(scenario: Scenario) -> None:
    assert scenario.title
    assert scenario.about.endswith(".")
    assert set(scenario.sizes) == set(Scale)
    assert scenario.sizes[Scale.QUICK] <= scenario.sizes[Scale.SHORT]
    assert scenario.measures


def test_rows_have_different_names() -> None:
    names = [f"{s.name}.{measure.name}" for s in registry.SCENARIOS for measure in s.measures]
    assert len(names) == len(set(names))


def test_no_names_select_everything() -> None:
    assert registry.select([]) == list(registry.SCENARIOS)


def test_names_select_by_their_beginning() -> None:
    found = [scenario.name for scenario in registry.select(["two_devices", "ten_members"])]
    assert found == [
        "two_devices_sequential",
        "two_devices_pipelined",
        "two_devices_latency",
        "ten_members",
    ]


def test_unknown_name_is_refused() -> None:
    with pytest.raises(registry.UnknownScenarioError, match="'three_devices'"):
        registry.select(["three_devices"])
