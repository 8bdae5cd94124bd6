"""Making the file of a database: all of it under another name, then its own name, durably."""

from e2ecore.storage import files
from e2ecore.storage.connecting import APPLICATION_ID, PAGE_BYTES, Opener
from e2ecore.storage.migrations.steps import migrate

SUFFIXES = ("", "-wal", "-shm", "-journal")
"""What SQLite adds to the name of a database."""


def make_file(opener: Opener, schema: int | None = None) -> None:
    """Make an empty database.

    Args:
        opener: Where, and with which key.
        schema: Number of the last migration to apply; None: the newest.

    Raises:
        DiskFullError: No space.
        ReadOnlyError: Not permitted.
        DiskError: Anything else the operating system reports.
    """
    fresh = opener.path.with_name(opener.path.name + ".new")
    try:
        for suffix in SUFFIXES:
            fresh.with_name(fresh.name + suffix).unlink(missing_ok=True)
        fresh.touch(files.PRIVATE)
    except OSError as error:
        raise files.mapped(error) from None
    connection = Opener(fresh, opener.key, opener.salt, opener.connect).keyed()
    try:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        migrate(connection, schema)
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()
    try:
        fresh.replace(opener.path)
        files.sync_directory(opener.path.parent)
    except OSError as error:
        raise files.mapped(error) from None
