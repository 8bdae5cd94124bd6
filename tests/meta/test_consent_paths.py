"""Nothing turns a consent on but what the person has just decided: there is one way to it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ENGINE = Path(__file__).parents[2] / "e2ecore"
CALLS = {
    "agreeing.grant": {
        "engine/account/consents.py: Consents.grant",
        "engine/family/guardianship.py: _take_approval",
    },
    "consents.add": {
        "engine/account/agreeing.py: grant",
        "engine/account/agreeing.py: withdraw",
    },
}
"""What stores a consent, and who may call it: the app, and the approval of what a child has asked
for. Withdrawing what was agreed to on another device stores that, as withdrawn."""


def calls(node: ast.AST, within: str = "") -> Iterator[tuple[str, str]]:
    """Yield what is called, and in which function of the module or of a class in it."""
    for child in ast.iter_child_nodes(node):
        place = within
        if isinstance(child, ast.ClassDef):
            place = f"{child.name}."
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and within[-1:] in {"", "."}:
            place = within + child.name
        if isinstance(child, ast.Call):
            yield ast.unparse(child.func), within
        yield from calls(child, place)


@pytest.mark.clause("GB42012-8.1.1d")
def test_a_consent_is_stored_for_a_decision_and_for_nothing_else() -> None:
    found: dict[str, set[str]] = {name: set() for name in CALLS}
    for path in sorted(ENGINE.rglob("*.py")):
        for called, within in calls(ast.parse(path.read_text())):
            if called in found:
                found[called].add(f"{path.relative_to(ENGINE)}: {within}")
    assert found == CALLS
