"""Each claim of the threat model names tests, and each of these tests exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "threat-model.md").read_text()
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@pytest.mark.parametrize(("path", "name"), sorted(set(NAMED.findall(TEXT))))
def test_a_test_that_the_threat_model_names_exists(path: str, name: str) -> None:
    source = (ROOT / path).read_text()
    assert re.search(rf"^(async )?def {name}\(", source, re.MULTILINE), f"{path} has no {name}"


def test_every_claim_names_a_test() -> None:
    claims = TEXT[TEXT.index("## Reading") : TEXT.index("## Not promised")]
    rows = [line for line in claims.splitlines() if line.startswith("| ")]
    claimed = [row for row in rows if not row.startswith("| claim |")]
    assert claimed
    assert [row for row in claimed if not NAMED.search(row)] == []
