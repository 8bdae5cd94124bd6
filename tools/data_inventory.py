"""Writes ``docs/data-inventory.md`` from the classes of data beside the migrations.

Run ``python -m tools.data_inventory`` after changing ``data_classes.toml`` or a migration.
"""

from pathlib import Path
from typing import Final

from e2ecore.storage.inventory import WHERE, classes, items
from tools.storage_schema import comments

DOCUMENT: Final = Path(__file__).parents[1] / "docs/data-inventory.md"
_HEAD: Final = """# Data inventory

Made by `python -m tools.data_inventory` from `e2ecore/storage/migrations/data_classes.toml`. What
this device stores, of which class, what for, and for how long. `Engine.my_data.inventory()` says
the same to an app.

The ground of everything here is one and the same: it is needed for the communication that the user
has asked for. Nothing is collected for anything else. What others send to a user is kept under the
user's own control, on the user's own device.

"""


def document() -> str:
    """Return the whole document."""
    lines = [_HEAD + "## Classes\n", "| class | sensitivity | meaning |", "|---|---|---|"]
    lines += (f"| {one.name} | {one.sensitivity} | {one.meaning} |" for one in classes().values())
    lines += ["\n## In the database\n", "| field | class | meaning | purpose | kept |"]
    lines += ["|---|---|---|---|---|"]
    known = comments()
    for one in items():
        if one.where == WHERE:
            meaning = known.get(one.what, "made of the message").replace("|", "\\|")
            cells = (f"`{one.what}`", one.data_class.name, meaning, one.purpose, one.retention)
            lines.append(f"| {' | '.join(cells)} |")
    lines += ["\n## Elsewhere\n", "| what | where | class | kept |", "|---|---|---|---|"]
    lines += (
        f"| {one.what} | {one.where} | {one.data_class.name} | {one.retention} |"
        for one in items()
        if one.where != WHERE
    )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(document())
