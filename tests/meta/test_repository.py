"""Rules that no linter knows."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from tools.api import DOCUMENT, document

ROOT = Path(__file__).parents[2]
FOLDERS = ("e2ecore", "protocol", "relay", "cli_demo", "benchmarks", "tools", "tests")
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 40
LISTING = (ast.ImportFrom, ast.Assign, ast.Expr)
"""What a module consists of that imports names and exports them."""
SOURCES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
PRODUCT = [path for path in SOURCES if path.relative_to(ROOT).parts[0] != "tests"]


def name_of(path: object) -> str:
    return str(path.relative_to(ROOT)) if isinstance(path, Path) else str(path)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_module_fits_in_one_sitting(path: Path) -> None:
    """But for one that only lists names: nobody reads it from top to bottom."""
    source = path.read_text()
    if not all(isinstance(one, LISTING) for one in ast.parse(source).body):
        assert len(source.splitlines()) <= MAX_MODULE_LINES


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_function_fits_on_one_screen(path: Path) -> None:
    """Lines of the body count; signature and docstring do not."""
    too_long = [
        f"{node.name}: {length}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := code_lines(node)) > MAX_FUNCTION_LINES
    ]
    assert too_long == []


def code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = node.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:] or body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1


def test_no_module_is_called_utils() -> None:
    vague = {"util", "utils", "helpers", "common", "misc"}
    assert [path for path in SOURCES if path.stem in vague] == []


def test_public_api_document_is_current() -> None:
    assert DOCUMENT.read_text() == document(), "run python -m tools.api"


def test_no_path_of_a_build_machine_is_in_the_project() -> None:
    listed = subprocess.run(
        ["git", "grep", "-nIE", r"/(work|farm)/|/root/", "--", ".", ":!*.lock"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    own = Path(__file__).name
    assert [line for line in listed.stdout.splitlines() if own not in line] == []


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_document_links_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text()
    targets = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_every_decision_has_a_number_of_its_own() -> None:
    numbers = [path.name[:4] for path in (ROOT / "docs/decisions").glob("[0-9]*.md")]
    assert len(numbers) > 30
    assert len(numbers) == len(set(numbers))
