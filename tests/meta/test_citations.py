"""A citation of RFC 9420 names the section by number and title, and the pair is right."""

import re
from pathlib import Path

import pytest

from tools.compliance import proofs, sections

ROOT = Path(__file__).parents[2]
SECTIONS = sections()
CITATION = re.compile(r"RFC 9420 §([\d.]*\d|[A-D](?:\.\d+)*)(?: \(([^)]+)\))?")
FOLDERS = ("e2ecore", "protocol", "relay", "cli_demo", "benchmarks", "tests")
FOUND = [
    pytest.param(number, title, id=f"{path.relative_to(ROOT)}:§{number}")
    for folder in FOLDERS
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path != Path(__file__)
    for number, title in CITATION.findall(re.sub(r"\s+", " ", path.read_text()))
]


@pytest.mark.parametrize(("number", "title"), FOUND)
def test_citation_names_the_section_by_number_and_title(number: str, title: str) -> None:
    assert SECTIONS[number] == title


def test_spec_markers_of_the_rfc_are_citations() -> None:
    marks = [mark for mark in proofs("spec") if mark.startswith("RFC 9420")]
    assert [mark for mark in marks if not CITATION.fullmatch(mark)] == []
