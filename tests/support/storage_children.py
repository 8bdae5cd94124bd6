"""What a process does with a database until it is killed: targets for ``fork_server``."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from e2ecore.storage import messages
from tests.support.databases import create_database, message, open_database

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

READY = b"ready"


def write(path: str, said: "Connection[bytes, bytes]") -> None:
    """Store messages for ever, in transactions of several; say the number of each that is safe."""
    database = open_database(Path(path))
    number = len(database.readers.read(lambda tx: tx.rows(tuple, "SELECT id FROM messages")))
    said.send_bytes(READY)
    while True:
        size = number % 7 + 1
        rows = [message(1, number + n) for n in range(size)]
        jobs = [database.writer.submit(partial(messages.insert, rows=(row,))) for row in rows]
        database.writer.call(lambda _tx: None)
        for job in jobs:
            job.result()
            number += 1
            said.send_bytes(b"%d" % number)


def create(path: str, said: "Connection[bytes, bytes]") -> None:
    """Create a database."""
    said.send_bytes(READY)
    create_database(Path(path)).close()
