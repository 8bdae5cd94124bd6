"""An export or import in a process of its own, which may be killed."""

from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from e2ecore.engine.taking_along import exporting, importing
from e2ecore.testing import open_device

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


def transfer(path: Path, file: Path, verb: str, told: "Connection[bytes, bytes]") -> None:
    """Open a database, say ``ready``, export or import in small steps, say ``done``."""
    exporting.LINES_PER_TURN = 200  # type: ignore[misc]  # many moments at which to be killed
    importing.BATCH = 100  # type: ignore[misc]

    async def work() -> None:
        async with await open_device(path, None) as engine:
            told.send_bytes(b"ready")
            await getattr(engine.my_data, verb)(file)
            told.send_bytes(b"done")

    anyio.run(work, backend="trio")
