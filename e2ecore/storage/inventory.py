"""The data inventory: what is stored where, of which class, and for how long.

It stands beside the migrations, in ``data_classes.toml``; a test holds it against the schema.
"""

import tomllib
from functools import cache
from importlib import resources
from typing import Final, NamedTuple, TypeAlias, cast

from e2ecore.storage import migrations

WHERE: Final = "this device, in the encrypted database"
GENERAL: Final = "general"
SENSITIVE: Final = "sensitive"
_Table: TypeAlias = dict[str, dict[str, str | list[str]]]


class DataClass(NamedTuple):
    """A kind of data."""

    name: str
    meaning: str
    sensitivity: str
    """``none``, ``GENERAL``, ``SENSITIVE`` or ``secret``."""


class DataItem(NamedTuple):
    """One kind of thing that is stored."""

    what: str
    """``table.column``, or words for what is not in the database."""
    purpose: str
    """What it is stored for; empty: see where."""
    where: str
    data_class: DataClass
    retention: str
    """For how long."""


@cache
def classes() -> dict[str, DataClass]:
    """Return the classes by name."""
    found = cast("dict[str, dict[str, str]]", _document()["classes"])
    return {
        name: DataClass(name, one["meaning"], one["sensitivity"]) for name, one in found.items()
    }


@cache
def items() -> tuple[DataItem, ...]:
    """Return everything that is stored, in the database and elsewhere."""
    document = _document()
    retentions = cast("dict[str, str]", document["retentions"])
    found: list[DataItem] = []
    for table, fields in cast("_Table", document["tables"]).items():
        purpose, kept = str(fields["purpose"]), retentions[str(fields["retention"])]
        found += (
            DataItem(f"{table}.{column}", purpose, WHERE, one, kept)
            for name, one in classes().items()
            for column in fields.get(name, ())
        )
    found += (
        DataItem(
            one["what"], "", one["where"], classes()[one["class"]], retentions[one["retention"]]
        )
        for one in cast("list[dict[str, str]]", document["elsewhere"])
    )
    return tuple(found)


@cache
def _document() -> dict[str, object]:
    file = resources.files(migrations) / "data_classes.toml"
    return tomllib.loads(file.read_text("utf-8"))
