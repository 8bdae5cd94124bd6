"""Fill the data directory of a relay that does not run with blobs whose time is over.

`python -m benchmarks.workers.expired_blobs DATA COUNT SECONDS`. Accounts, devices and conversations
are those that are there. Each blob is complete, has one recipient, and has its bytes in a file. All
are over at the same time, so many seconds after the last of them is stored. It is printed, in
seconds since the epoch.
"""

from __future__ import annotations

import os
import sys
import time
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from e2ecore_protocol.frames.blobs import DeletionReason
from e2ecore_relay.backends.folder import BlobFolder
from e2ecore_relay.backends.sqlite.blobs import SqliteBlobs
from e2ecore_relay.backends.sqlite.database import open_database
from e2ecore_relay.domain.blob_ports import Blob, Stage
from e2ecore_relay.server.blob_office import FOLDER_NAME

if TYPE_CHECKING:
    from e2ecore_relay.backends.sqlite.connection import Connection

BATCH: Final = 20_000
_BYTES: Final = b"x" * 1_136
"""A short file, sealed."""

_WRITERS: Final = (
    "SELECT r.lid, d.account, d.device, o.device FROM routes r JOIN devices d USING (device)"
    " JOIN routes o ON o.lid = r.lid AND o.device <> r.device JOIN logs l ON l.lid = r.lid"
    " WHERE l.kind <> 0"
)


def fill(connection: Connection, folder: Path, count: int) -> None:
    """Store so many."""
    table, names = SqliteBlobs(connection), list[bytes]()
    rows = cast("list[tuple[int, int, int, int]]", connection.execute(_WRITERS).fetchall())
    writers = cycle(rows)
    for number in range(count):
        if number % BATCH == 0:
            connection.execute("BEGIN IMMEDIATE")
        lid, account, device, reader = next(writers)
        blob = Blob(
            *(0, os.urandom(16), lid, account, device, len(_BYTES), 1, 1),
            *(Stage.UPLOADING, int(DeletionReason.UNFINISHED), 1, 1, os.urandom(64)),
        )
        made = table.create(blob, os.urandom(32), os.urandom(32), [reader])
        table.complete(made, blob.expires_ms)
        names.append(blob.blob_id)
        if number % BATCH == BATCH - 1 or number == count - 1:
            connection.execute("COMMIT")
            _write(folder, names)
            names.clear()


def _write(folder: Path, names: list[bytes]) -> None:
    files = BlobFolder(folder)
    for name in sorted(names):
        file = files.open_to_append(name)
        file.append(_BYTES)
        file.close()


def main() -> None:
    """Do what the command line says."""
    data, count, seconds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    database = open_database(data, os.urandom)
    connection = database.writer()
    fill(connection, data / FOLDER_NAME, count)
    os.sync()  # these files were written long ago: nobody who flushes now has to wait for them
    over_ms = time.time_ns() // 1_000_000 + seconds * 1000
    connection.execute("UPDATE blobs SET due_ms = ?1, expires_ms = ?1", (over_ms,))
    connection.close()
    database.close()
    sys.stdout.write(f"{over_ms / 1000}\n")


if __name__ == "__main__":
    main()
