"""Wycheproof's files: groups of tests that share a key or a size."""

from typing import cast

import pytest

from tests.support.cases import Case
from tests.support.vectors import FOLDER, load


def groups(name: str) -> list[Case]:
    """Return the test groups of one file, for example ``aes_gcm_test``.

    Skips the calling test where it is not: docs/primitives.md says which files must be there.
    """
    if FOLDER.is_dir() and not (FOLDER / f"wycheproof/{name}.json").exists():
        pytest.skip(f"{name}.json is not among the vectors here")
    parsed = cast("dict[str, object]", load(f"wycheproof/{name}.json"))
    return Case(parsed).many("testGroups")


def entries(name: str) -> list[tuple[Case, Case]]:
    """Return every test of one file together with its group."""
    return [(group, test) for group in groups(name) for test in group.many("tests")]


def expected(test: Case) -> str:
    """Return "valid", "invalid" or "acceptable"."""
    return test.text("result")
