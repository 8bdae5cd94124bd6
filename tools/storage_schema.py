"""Writes the tables of ``docs/storage.md`` from the migrations and their comments.

Run ``python -m tools.storage_schema`` after changing a migration.
"""

import re
from pathlib import Path
from typing import Final

from e2ecore.storage.migrations.steps import steps

ROOT: Final = Path(__file__).parents[1]
DOCUMENT: Final = ROOT / "docs/storage.md"
BEGIN: Final = "<!-- made by python -m tools.storage_schema -->\n"
END: Final = "<!-- end -->\n"
_TABLE: Final = re.compile(
    r"((?:^-- [^\n]*\n)+)^CREATE TABLE (\w+) \(\n(.*?)\n\) (STRICT[^;]*);", re.MULTILINE | re.DOTALL
)
_ADDED: Final = re.compile(
    r"((?:^-- [^\n]*\n)+)^ALTER TABLE (\w+) ADD COLUMN (\w+) (INTEGER|TEXT|BLOB)\b", re.MULTILINE
)
_COLUMN: Final = re.compile(r"^    (\w+) +(INTEGER|TEXT|BLOB)\b.*?(?:-- (.*))?$", re.MULTILINE)


def schema() -> str:
    """Return the tables of all migrations as Markdown."""
    parts: list[str] = []
    for about, name, body, options in _TABLE.findall("\n".join(steps())):
        text = _plain(about)
        parts.append(f"### `{name}`\n\n{text} ({options.lower()})\n")
        parts.append("| column | type | meaning |\n|---|---|---|")
        for column, kind, comment in _columns(name, body):
            meaning = comment.replace("|", "\\|")
            parts.append(f"| `{column}` | {kind.lower()} | {meaning} |")
        parts.append("")
    return "\n".join(parts) + "\n"


def comments() -> dict[str, str]:
    """Return what the migrations say of each column, by ``table.column``."""
    return {
        f"{name}.{column}": comment
        for _, name, body, _ in _TABLE.findall("\n".join(steps()))
        for column, _, comment in _columns(name, body)
    }


def _columns(table: str, body: str) -> list[tuple[str, str, str]]:
    """Return name, type and meaning of each column, of those added later, too."""
    added = [
        (column, kind, _plain(about))
        for about, name, column, kind in _ADDED.findall("\n".join(steps()))
        if name == table
    ]
    return [*_COLUMN.findall(body), *added]


def _plain(about: str) -> str:
    return " ".join(line.removeprefix("-- ") for line in about.splitlines())


def document() -> str:
    """Return the whole document with its tables brought up to date."""
    text = DOCUMENT.read_text()
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return before + BEGIN + schema() + END + after


if __name__ == "__main__":
    DOCUMENT.write_text(document())
