"""Fill a database with files, export and import them, and copy the same bytes without either.

`python -m benchmarks.workers.portable_files ACTION FOLDER COUNT`, one JSON object on standard
output. The copies are the floor: each file opened or sealed as a local copy is, and made durable.
"""

from __future__ import annotations

import hashlib
import os
import random  # noqa: TID251 - repeatable content, not keys
import time
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio

from benchmarks.workers.portability import (
    EMPTY,
    EXPORT,
    FULL,
    MEGABYTE,
    begin,
    main,
    register,
    store,
)
from e2ecore.engine.files.file_showing import encode_item
from e2ecore.storage import attachments
from e2ecore.storage.attachments import AttachmentRow, FileState
from e2ecore.storage.conversations import LIVE_ORDER
from e2ecore.storage.database import Database
from e2ecore.storage.file_cache import RUN_BYTES, RUN_CHUNKS, FileCache, LocalFile
from e2ecore.storage.messages import MessageRow
from e2ecore.testing.devices import PASSPHRASE, open_device
from e2ecore_protocol.content.attachments import FileItem

if TYPE_CHECKING:
    from pathlib import Path

    from e2ecore.storage.tx import Tx

KIB: Final = 1 << 10
SIZES: Final = (4 * KIB, 40 * KIB, 150 * KIB, 300 * KIB, 1_000 * KIB)
"""Voice notes, thumbnails, pictures, documents: what people send, a fifth each."""
COPY: Final = "copy"
KIND: Final = 5
"""``messages.kind`` of a message with files."""


def _sizes(count: int) -> list[int]:
    return [SIZES[number % len(SIZES)] + number for number in range(count)]


def _key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _seal(path: Path, number: int, content: bytes) -> None:
    with LocalFile(path, _key(number), len(content), writing=True) as local:
        for at in range(0, len(content), RUN_BYTES):
            local.write(at // RUN_BYTES * RUN_CHUNKS, content[at : at + RUN_BYTES])
        local.sync()


def _message(number: int) -> MessageRow:
    place = (1 << 32) | (LIVE_ORDER + number)
    uid = (number + 1).to_bytes(16, "big")
    return MessageRow(
        place, number + 1, uid, bytes(20), bytes(16), number, 0, 1, 1, KIND, 0, "", b""
    )


def _add(tx: Tx, rows: list[AttachmentRow]) -> None:
    store(tx, [_message(row.place) for row in rows])
    for row in rows:
        message = _message(row.place).id
        attachments.add(tx, row._replace(message=message, place=0))


def fill(folder: Path, count: int) -> dict[str, float]:
    """Make a database with files in it, and an empty one of another account."""
    for name in (FULL, EMPTY):
        anyio.run(register, folder / name, backend="trio")
    cache, dice = FileCache(folder / FULL), random.Random(7)  # noqa: S311
    rows: list[AttachmentRow] = []
    database = Database.open(folder / FULL, PASSPHRASE)
    database.writer.call(begin)
    for number, size in enumerate(_sizes(count)):
        content = dice.randbytes(size)
        item = FileItem(
            bytes(16), bytes(32), size, hashlib.sha256(content).digest(), f"{number}.bin", "a/b"
        )
        row = AttachmentRow(
            0, 0, number, 0, number.to_bytes(16, "big"), encode_item(item), size,
            FileState.EXPIRED, cache_key=_key(number), cached=1,
        )  # fmt: skip
        rows.append(row)
        with cache.open(number + 1, _key(number), size, writing=True):
            pass
        _seal(cache.path(number + 1), number, content)
    database.writer.call(partial(_add, rows=rows))
    database.close()
    return {}


def copy_out(folder: Path, count: int) -> dict[str, float]:
    """Open every local copy, and write the content into one file."""
    cache, run = FileCache(folder / FULL), memoryview(bytearray(RUN_BYTES))
    began = time.perf_counter()
    with (folder / COPY).open("wb") as out:
        for number, size in enumerate(_sizes(count)):
            with cache.open(number + 1, _key(number), size) as local:
                for at in range(0, size, RUN_BYTES):
                    out.write(run[: local.read_into(at, run)])
        out.flush()
        os.fsync(out.fileno())
    return {"mb_s": sum(_sizes(count)) / MEGABYTE / (time.perf_counter() - began)}


def copy_in(folder: Path, count: int) -> dict[str, float]:
    """Seal the content of that file into local copies."""
    target = folder / "sealed"
    target.mkdir()
    began = time.perf_counter()
    with (folder / COPY).open("rb") as source:
        for number, size in enumerate(_sizes(count)):
            _seal(target / f"{number}", number, source.read(size))
    return {"mb_s": sum(_sizes(count)) / MEGABYTE / (time.perf_counter() - began)}


async def export(folder: Path, count: int) -> dict[str, float]:
    """Export everything."""
    async with await open_device(folder / FULL, None) as engine:
        began = time.perf_counter()
        report = await engine.my_data.export(folder / EXPORT)
        taken = time.perf_counter() - began
    if report.files != count:
        raise AssertionError(f"{report.files} of {count} files exported")
    return {"mb_s": sum(_sizes(count)) / MEGABYTE / taken}


async def bring(folder: Path, count: int) -> dict[str, float]:
    """Import it."""
    async with await open_device(folder / EMPTY, None) as engine:
        began = time.perf_counter()
        report = await engine.my_data.import_file(folder / EXPORT)
        taken = time.perf_counter() - began
    if report.files != count:
        raise AssertionError(f"{report.files} of {count} files imported")
    return {"mb_s": sum(_sizes(count)) / MEGABYTE / taken}


if __name__ == "__main__":
    main(
        {"fill": fill, "copy_out": copy_out, "copy_in": copy_in},
        {"export": export, "import": bring},
    )
