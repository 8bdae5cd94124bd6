"""The matrices say what the tests say, and no marker names a clause that does not exist."""

from pathlib import Path

import pytest

from tools.compliance import DOCUMENTS, clauses, proofs


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_generated_document_is_current(path: Path) -> None:
    assert path.read_text() == DOCUMENTS[path](), "run python -m tools.compliance"


def test_each_clause_marker_names_a_clause() -> None:
    known = {entry["id"] for entry in clauses()}
    assert set(proofs("clause")) - known == set()


def test_clause_ids_are_unique() -> None:
    ids = [entry["id"] for entry in clauses()]
    assert len(ids) == len(set(ids))
