"""Bring a database to the newest schema: numbered steps, each one transaction.

Step ``N`` is the file ``NNNN_name.sql`` in this package. ``user_version`` says which step was the
last, and changes in the same transaction as what the step does. Steps only go up.
"""

from functools import cache
from importlib import resources

from e2ecore.storage.errors import NewerSchemaError
from e2ecore.storage.sql import Connection, split_script


@cache
def steps() -> tuple[str, ...]:
    """Return the SQL of every step, the first one first."""
    found = sorted(
        file.name for file in resources.files(__package__).iterdir() if file.name.endswith(".sql")
    )
    if [int(name[:4]) for name in found] != list(range(1, len(found) + 1)):
        raise AssertionError("migrations are not numbered without gaps")
    return tuple((resources.files(__package__) / name).read_text("utf-8") for name in found)


def schema_version(connection: Connection) -> int:
    """Return the number of the last step that this database has seen; 0: none."""
    return connection.value(int, "PRAGMA user_version") or 0


def migrate(connection: Connection) -> None:
    """Apply the steps that are missing.

    Raises:
        NewerSchemaError: The database has seen steps that this version does not know.
    """
    done = schema_version(connection)
    if done > len(steps()):
        raise NewerSchemaError
    for number, script in enumerate(steps()[done:], done + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in split_script(script):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
