"""Nothing of the published vectors is left out: each file is played, and has what it should."""

from collections import Counter
from pathlib import Path

import pytest

from tests.support.cases import cases
from tests.support.vectors import FOLDER, load

RFC_SUITES = range(1, 8)
BY_SUITE = {
    "crypto-basics": 1,
    "key-schedule": 1,
    "message-protection": 1,
    "passive-client-handling-commit": 13,
    "passive-client-welcome": 8,
    "psk_secret": 11,
    "secret-tree": 3,
    "transcript-hashes": 1,
    "tree-validation": 14,
    "treekem": 11,
    "welcome": 1,
}
"""Cases per suite, of all seven."""
SUITE_ONE_ONLY = {"passive-client-random": 1, "tree-operations": 5}
WITHOUT_SUITE = {"deserialization": 14, "messages": 300, "tree-math": 10}
HPKE = ("rfc9180-hpke-test-vectors", "hpke-pq-draft-ietf", "xwing-draft-connolly")
MLS = (*BY_SUITE, *SUITE_ONE_ONLY, *WITHOUT_SUITE)
READERS = "".join(
    path.read_text() for path in Path(__file__).parent.glob("*.py") if path != Path(__file__)
)

load("mls/welcome.json")  # skips this module where there are none


@pytest.mark.parametrize("folder", ["mls", "hpke"])
def test_no_file_is_unknown_to_us(folder: str) -> None:
    known = {"mls": MLS, "hpke": HPKE}[folder]
    assert {path.stem for path in (FOLDER / folder).glob("*.json")} == set(known)


@pytest.mark.parametrize("path", [f"mls/{name}" for name in MLS] + [f"hpke/{n}" for n in HPKE])
def test_each_file_is_read_by_a_test(path: str) -> None:
    assert f'"{path}.json"' in READERS


@pytest.mark.parametrize("name", MLS)
def test_each_file_has_all_its_cases(name: str) -> None:
    found = Counter(case.fields.get("cipher_suite") for case in cases(f"mls/{name}.json"))
    expected: dict[object, int] = {1: SUITE_ONE_ONLY.get(name, 0), None: WITHOUT_SUITE.get(name, 0)}
    expected |= dict.fromkeys(RFC_SUITES, BY_SUITE[name]) if name in BY_SUITE else {}
    assert found == Counter(expected)
