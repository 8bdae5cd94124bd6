"""Writes ``docs/mls-rules.md``: each rule of MLS, the test that breaks it alone, and what it meets.

The rules are in ``docs/specs/mls-rules.toml``, the tests carry ``pytest.mark.rule(id)``. Run
``python -m tools.mls_rules`` after adding a rule or a marker.
"""

import ast
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tools.compliance import ROOT

RULES: Final = ROOT / "docs/specs/mls-rules.toml"
DOCUMENT: Final = ROOT / "docs/mls-rules.md"
MARKER: Final = "rule"

_HEAD: Final = """\
# The rules of MLS, each with a test that breaks it alone

Made by `python -m tools.mls_rules` from `docs/specs/mls-rules.toml` and the `rule` markers of the
tests; the wording of the rules is ours. A test takes a genuine message and forges one thing. What
follows from that, signatures and tags included, is made consistent by a hostile member with real
keys, so that only the check in question can refuse it. A refused message leaves every stored row as
it was, and the genuine one is accepted afterwards. The right column is the exact error.

`python -m tools.mutate_rules` leaves out one check at a time: none of these tests passes then. What
`also caught by` names would refuse some of the same forgeries if the check itself were missing, by
another error; elsewhere the check is the only one.

Rules that begin with H are not in the RFC: they are what attackers have tried on other
implementations.
"""


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        error: Name of the error that a violation meets; empty where nothing is to be refused.
        says: The text of that error; empty where its docstring says all.
        not_applicable: Why there is nothing to test; else empty.
        also: What else would refuse some of the tests' forgeries: see ``tools.mutate_rules``.
    """

    id: str
    section: str
    asks: str
    error: str = ""
    says: str = ""
    not_applicable: str = ""
    also: tuple[str, ...] = ()


def rules() -> list[Rule]:
    """Return all rules in the order of the file."""
    entries = tomllib.loads(RULES.read_text())["rule"]
    return [Rule(**{**entry, "also": tuple(entry.get("also", ()))}) for entry in entries]


def _marked(node: ast.expr) -> Iterator[str]:
    for part in ast.walk(node):
        if (
            isinstance(part, ast.Call)
            and isinstance(part.func, ast.Attribute)
            and part.func.attr == MARKER
        ):
            yield from (str(arg.value) for arg in part.args if isinstance(arg, ast.Constant))


def _constants(tree: ast.Module) -> Mapping[str, ast.expr]:
    """Return what the names of a module stand for: lists of cases, among others."""
    return {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _cases(decorator: ast.expr, constants: Mapping[str, ast.expr]) -> Iterator[tuple[str, str]]:
    """Yield rule and case of each ``pytest.param`` that is marked; without case if all are."""
    named = [
        constants[part.id]
        for part in ast.walk(decorator)
        if isinstance(part, ast.Name) and part.id in constants
    ]
    params = [
        part
        for whole in (decorator, *named)
        for part in ast.walk(whole)
        if isinstance(part, ast.Call)
        and isinstance(part.func, ast.Attribute)
        and part.func.attr == "param"
    ]
    for param in params:
        case = next(
            (
                str(keyword.value.value)
                for keyword in param.keywords
                if keyword.arg == "id" and isinstance(keyword.value, ast.Constant)
            ),
            "",
        )
        yield from ((rule, case) for rule in _marked(param))
    if not params:
        yield from ((rule, "") for rule in _marked(decorator))


def broken_by() -> Mapping[str, list[str]]:
    """Return, for each rule, the tests that break it."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text())
        constants = _constants(tree)
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            name = f"{path.relative_to(ROOT)}::{node.name}"
            for decorator in node.decorator_list:
                for rule, case in _cases(decorator, constants):
                    found[rule].append(f"{name}[{case}]" if case else name)
    return found


def document(found: Mapping[str, list[str]] | None = None) -> str:
    """Return the table as Markdown."""
    found = broken_by() if found is None else found
    known = rules()
    tested = sum(1 for rule in known if found.get(rule.id))
    void = sum(1 for rule in known if rule.not_applicable)
    lines = [_HEAD, f"{len(known)} rules: {tested} tested, {void} not applicable."]
    section = ""
    for rule in known:
        if rule.section != section:
            section = rule.section
            lines += [
                "",
                f"## {section}",
                "",
                "| rule | asks | tests | error |",
                "|---|---|---|---|",
            ]
        lines.append(f"| {rule.id} | {rule.asks} | {_tests(rule, found)} | {_error(rule)} |")
    return "\n".join(lines) + "\n"


def _tests(rule: Rule, found: Mapping[str, list[str]]) -> str:
    named = sorted(set(found.get(rule.id, ())))
    if named:
        return "<br>".join(f"`{name.removeprefix('tests/')}`" for name in named)
    return f"not applicable: {rule.not_applicable}" if rule.not_applicable else "**open**"


def _error(rule: Rule) -> str:
    if not rule.error:
        return "none: accepted, or nothing happens"
    also = "".join(f"<br>also caught by {other}" for other in rule.also)
    return refusal(rule.error, rule.says) + also


def refusal(error: str, says: str) -> str:
    """Return an error and its text as Markdown."""
    return f"`{error}`: {says}" if says else f"`{error}`"


def main() -> int:
    """Write the document; return 0."""
    DOCUMENT.write_text(document())
    return 0


if __name__ == "__main__":
    sys.exit(main())
