"""Bring a database to the newest schema: numbered steps, each one transaction.

Step ``N`` is the file ``NNNN_name.sql`` in this package. ``user_version`` says which step was the
last, and changes in the same transaction as what the step does. Steps only go up.

A step that changes many rows is *sliced*: its first line is ``-- sliced``, and each of its
statements is repeated, every time in a transaction of its own, until it changes no row. So it must
name the rows that are left to do, and take some of them (``... WHERE rowid IN (SELECT rowid FROM
... LIMIT 1000)``); interrupted, it goes on where it was. What such a step needs, an ordinary one
before it has made.
"""

import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Final

from e2ecore.storage.errors import NewerSchemaError
from e2ecore.storage.sql import Connection, split_script

SLICED: Final = "-- sliced\n"
"""First line of a step whose statements are repeated."""


@cache
def steps() -> tuple[str, ...]:
    """Return the SQL of every step, the first one first."""
    found = sorted(
        file.name for file in resources.files(__package__).iterdir() if file.name.endswith(".sql")
    )
    if [int(name[:4]) for name in found] != list(range(1, len(found) + 1)):
        raise AssertionError("migrations are not numbered without gaps")
    return tuple((resources.files(__package__) / name).read_text("utf-8") for name in found)


def made_by(name: str) -> int:
    """Return the number of the step that makes a table or an index; 0: none does."""
    made = re.compile(rf"^CREATE (?:TABLE|INDEX) {re.escape(name)} ", re.MULTILINE)
    return next((number for number, sql in enumerate(steps(), 1) if made.search(sql)), 0)


def schema_version(connection: Connection) -> int:
    """Return the number of the last step that this database has seen; 0: none."""
    return connection.value(int, "PRAGMA user_version") or 0


def migrate(connection: Connection, last: int | None = None) -> None:
    """Apply the steps that are missing.

    Args:
        connection: To the database.
        last: Number of the last step to apply; None: all.

    Raises:
        NewerSchemaError: The database has seen steps that this version does not know.
    """
    done = schema_version(connection)
    if done > len(steps()):
        raise NewerSchemaError
    for number, script in enumerate(steps()[done:last], done + 1):
        if script.startswith(SLICED):
            for statement in split_script(script):
                while _in_transaction(connection, [statement]):
                    pass
            _in_transaction(connection, [f"PRAGMA user_version = {number}"])
            continue
        _in_transaction(connection, [*split_script(script), f"PRAGMA user_version = {number}"])


def _in_transaction(connection: Connection, statements: Sequence[str]) -> int:
    """Run statements that are committed together; return how many rows the last one changed."""
    changed = 0
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in statements:
            changed = connection.execute(statement)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return max(changed, 0)
