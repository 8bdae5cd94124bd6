"""Writes the tables of limits and error codes into the specification, from the code.

Run ``python -m tools.wire`` after changing either.
"""

import ast
import inspect
import re
from pathlib import Path
from typing import Final

from e2ecore_protocol import family_limits, limits
from e2ecore_protocol.blob_http import PROBLEMS
from e2ecore_protocol.errors import CODES

ROOT: Final = Path(__file__).parents[1]
SPEC: Final = ROOT / "protocol/spec"
_HIDDEN: Final = {"KIB", "MIB", "SECOND_MS", "HOUR_MS", "DAY_S"}


def limit_rows() -> dict[str, tuple[object, str]]:
    """Return value and reason of each limit, in the order of the modules."""
    rows: dict[str, tuple[object, str]] = {}
    for module in (limits, family_limits):
        waiting: list[str] = []
        for node in ast.parse(inspect.getsource(module)).body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                if node.target.id not in _HIDDEN:
                    waiting.append(node.target.id)
            elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                for name in waiting:
                    rows[name] = (getattr(module, name), " ".join(str(node.value.value).split()))
                waiting = []
    return rows


def limits_table() -> str:
    """Return the table of limits."""
    lines = ["| limit | value | reason |", "|---|---|---|"]
    for name, (value, reason) in limit_rows().items():
        shown = f"{value:,}" if isinstance(value, int) else f"`{value}`"
        lines.append(f"| {name} | {shown} | {reason.replace('``', '`')} |")
    return "\n".join(lines)


def codes_table() -> str:
    """Return the table of error codes."""
    lines = ["| code | meaning | again |", "|---|---|---|"]
    for code, info in CODES.items():
        lines.append(f"| {code.value} | {info.meaning} | {'yes' if info.retry else 'no'} |")
    return "\n".join(lines)


def problems_table() -> str:
    """Return the table of refusals over HTTP."""
    lines = ["| code | status | meaning |", "|---|---|---|"]
    for code, (status, meaning) in PROBLEMS.items():
        lines.append(f"| {code.value} | {status} | {meaning} |")
    return "\n".join(lines)


TABLES: Final = {
    "00-conventions.md": ("limits", limits_table),
    "20-relay-frames.md": ("codes", codes_table),
    "40-blobs.md": ("problems", problems_table),
}


def updated(name: str) -> str:
    """Return a document of the specification with its table as it should be."""
    mark, table = TABLES[name]
    begin, end = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    text, count = pattern.subn(lambda _: f"{begin}\n{table()}\n{end}", (SPEC / name).read_text())
    if count != 1:
        raise ValueError(f"{name} has no place for its table")
    return text


if __name__ == "__main__":
    for document in TABLES:
        (SPEC / document).write_text(updated(document))
