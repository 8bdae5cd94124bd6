"""Wycheproof's files: groups of tests that share a key or a size."""

from typing import cast

from tests.support.cases import Case
from tests.support.vectors import load


def groups(name: str) -> list[Case]:
    """Return the test groups of one file, for example ``aes_gcm_test``."""
    parsed = cast("dict[str, object]", load(f"wycheproof/{name}.json"))
    return Case(parsed).many("testGroups")


def entries(name: str) -> list[tuple[Case, Case]]:
    """Return every test of one file together with its group."""
    return [(group, test) for group in groups(name) for test in group.many("tests")]


def expected(test: Case) -> str:
    """Return "valid", "invalid" or "acceptable"."""
    return test.text("result")
