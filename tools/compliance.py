"""Writes ``docs/compliance.md`` and ``docs/rfc9420.md`` from the markers of the tests.

A clause, or a section, with no test shows up as open: nothing is claimed by hand.
Run ``python -m tools.compliance`` after adding or removing a marker.
"""

import ast
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
CLAUSES: Final = ROOT / "docs/specs/clauses.toml"
SECTIONS: Final = ROOT / "docs/specs/rfc9420.toc"
PARTS: Final = {"E": "engine", "P": "protocol", "R": "relay", "O": "operator", "X": "organisation"}
MAX_NAMED_TESTS: Final = 4
"""Tests named per line; more are counted. Keeps the tables readable."""

Proofs = Mapping[str, list[str]]


def _marks(node: ast.expr, marker: str) -> Iterator[str]:
    """Yield the arguments of ``pytest.mark.<marker>(...)`` anywhere below ``node``."""
    for part in ast.walk(node):
        if (
            isinstance(part, ast.Call)
            and isinstance(part.func, ast.Attribute)
            and part.func.attr == marker
        ):
            yield from (
                argument.value
                for argument in part.args
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            )


def _module_marks(tree: ast.Module, marker: str) -> list[str]:
    return [
        mark
        for node in tree.body
        if isinstance(node, ast.Assign)
        and any(isinstance(name, ast.Name) and name.id == "pytestmark" for name in node.targets)
        for mark in _marks(node.value, marker)
    ]


def proofs(marker: str) -> Proofs:
    """Return, for each argument of ``marker``, the tests that carry it."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text())
        shared = _module_marks(tree, marker)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(
                "test_"
            ):
                own = [mark for each in node.decorator_list for mark in _marks(each, marker)]
                for mark in {*shared, *own}:
                    found[mark].append(f"{path.relative_to(ROOT)}::{node.name}")
    return found


def clauses() -> list[dict[str, str]]:
    """Return every clause of the source documents, in their order."""
    entries: list[dict[str, str]] = tomllib.loads(CLAUSES.read_text())["clause"]
    return entries


def sections() -> dict[str, str]:
    """Return number → title of every section of RFC 9420."""
    return dict(line.split(" ", 1) for line in SECTIONS.read_text().splitlines())


def _named(tests: list[str]) -> str:
    if not tests:
        return "**open**"
    shown = "<br>".join(f"`{test}`" for test in tests[:MAX_NAMED_TESTS])
    rest = len(tests) - MAX_NAMED_TESTS
    return f"{shown}<br>and {rest} more" if rest > 0 else shown


def clause_matrix() -> str:
    """Return the compliance matrix as Markdown."""
    found = proofs("clause")
    entries = clauses()
    proven = sum(1 for entry in entries if found.get(entry["id"]))
    lines = [
        "# Compliance matrix",
        "",
        "Made by `python -m tools.compliance` from the `clause` markers of the tests: a clause",
        "that no test proves is **open**, and its answer is a plan. A proven clause may still be",
        "wider than its tests: read them.",
        "",
        f"{proven} of {len(entries)} clauses have a test.",
    ]
    document = ""
    for entry in entries:
        if entry["document"] != document:
            document = entry["document"]
            lines += ["", f"## {document}", "", "| clause | asks | by | answer | tests |"]
            lines += ["|---|---|---|---|---|"]
        parts = ", ".join(PARTS[part] for part in entry["by"].split(","))
        tests = _named(found.get(entry["id"], []))
        lines.append(f"| {entry['id']} | {entry['asks']} | {parts} | {entry['answer']} | {tests} |")
    return "\n".join(lines) + "\n"


def section_matrix() -> str:
    """Return the table of RFC 9420 sections and their tests as Markdown."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for mark, tests in proofs("spec").items():
        if mark.startswith("RFC 9420 §"):
            found[mark.removeprefix("RFC 9420 §").split(" ", 1)[0]] += tests
    lines = [
        "# RFC 9420, section by section",
        "",
        "Made by `python -m tools.compliance` from the `spec` markers of the tests. Sections that",
        "only explain, and registries, are not listed; a normative one without a test is **open**.",
        "",
        "| section | title | tests |",
        "|---|---|---|",
    ]
    for number, title in sections().items():
        normative = number.split(".")[0] in {"5", "6", "7", "8", "9", "10", "11", "12", "13", "15"}
        if normative or found.get(number):
            lines.append(f"| {number} | {title} | {_named(sorted(set(found.get(number, []))))} |")
    return "\n".join(lines) + "\n"


DOCUMENTS: Final = {
    ROOT / "docs/compliance.md": clause_matrix,
    ROOT / "docs/rfc9420.md": section_matrix,
}


def main() -> int:
    """Write the documents; return 0."""
    for path, make in DOCUMENTS.items():
        path.write_text(make())
    return 0


if __name__ == "__main__":
    sys.exit(main())
