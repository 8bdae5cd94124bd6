"""Seal and open one file beside the bare cipher, in a process whose memory can be told.

`python -m benchmarks.workers.sealed_files FOLDER ACTION`, one JSON object on standard output.

Both sides read the same file and write one of their own, 256 KiB at a time, over what is there
already, without waiting for the disk. They take turns, 16 MiB each, so that whatever else the
machine does hits them alike.
"""

from __future__ import annotations

import json
import os
import sys
import time
from itertools import count
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks import usage
from benchmarks.workloads import MEGABYTE
from e2ecore.attachments.format import (
    RUN_BYTES,
    RUN_CHUNKS,
    SEALED_RUN_BYTES,
    ContentKey,
    FileOpener,
    SealedFile,
    blob_size,
)
from e2ecore.crypto.chunked import CHUNK_BYTES, HEADER_BYTES, SEALED_CHUNK_BYTES
from e2ecore.engine.files.attaching import copy_file
from e2ecore.engine.files.file_values import OutgoingFile
from e2ecore.storage.file_cache import FileCache

if TYPE_CHECKING:
    from collections.abc import Callable

KEY: Final = ContentKey(bytes(range(32)))
SALT: Final = bytes(24)
PART_RUNS: Final = 64
"""Runs that one side does before it is the other's turn: 16 MiB."""

PLAIN: Final = "plain"
SEALED: Final = "sealed"
BARE: Final = "bare"


def _target(folder: Path, name: str, size: int) -> int:
    """Open a file to write to that is there, and in memory, from its beginning to its end."""
    handle = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o600)
    for at in range(0, size, RUN_BYTES):
        os.pwrite(handle, bytes(min(RUN_BYTES, size - at)), at)
    return handle


class Times:
    """Time of each part: by the clock, and on the processor."""

    def __init__(self) -> None:
        self._parts: list[tuple[float, float]] = []

    def add(self, work: Callable[[range], None], runs: range) -> None:
        """Do one part."""
        clock, cpu = time.perf_counter(), time.process_time()
        work(runs)
        self._parts.append((time.perf_counter() - clock, time.process_time() - cpu))

    def found(self, name: str) -> dict[str, float]:
        """Return what the whole takes if every part were the median one, in seconds."""
        clock, cpu = zip(*self._parts, strict=True)
        parts = len(self._parts)
        return {f"{name}_s": median(clock) * parts, f"{name}_cpu_s": median(cpu) * parts}


def in_turn(runs: int, ours: Callable[[range], None], bare: Callable[[range], None]) -> list[Times]:
    """Do all runs on both sides, part by part; who begins changes."""
    sides = [(ours, Times()), (bare, Times())]
    for number, begin in enumerate(range(0, runs, PART_RUNS)):
        part = range(begin, min(begin + PART_RUNS, runs))
        for work, times in sides if number % 2 else reversed(sides):
            times.add(work, part)
    return [times for _, times in sides]


def seal(folder: Path) -> dict[str, float]:
    """Seal a file to disk, and the bare cipher does."""
    plain = os.open(folder / PLAIN, os.O_RDONLY)
    size = os.fstat(plain).st_size
    ours, other = (_target(folder, name, blob_size(size)) for name in (SEALED, BARE))
    before = usage.rss_bytes(os.getpid())
    sealed = SealedFile(KEY, SALT, size, lambda begin, out: os.preadv(plain, [out], begin))
    out = memoryview(bytearray(SEALED_RUN_BYTES))
    os.pwrite(ours, out[: sealed.run_into(0, out)], 0)

    def seal_runs(runs: range) -> None:
        for run in runs:
            at = HEADER_BYTES + run * SEALED_RUN_BYTES
            os.pwrite(ours, out[: sealed.run_into(at, out)], at)

    source, target = memoryview(bytearray(RUN_BYTES)), memoryview(bytearray(SEALED_RUN_BYTES))
    encrypt = AESGCM(KEY.raw).encrypt_into

    def encrypt_runs(runs: range) -> None:
        for run in runs:
            os.preadv(plain, [source], run * RUN_BYTES)
            for chunk in range(RUN_CHUNKS):
                begin, to = chunk * CHUNK_BYTES, chunk * SEALED_CHUNK_BYTES
                encrypt(
                    (run * RUN_CHUNKS + chunk).to_bytes(12),
                    source[begin : begin + CHUNK_BYTES],
                    None,
                    target[to : to + SEALED_CHUNK_BYTES],
                )
            os.pwrite(other, target, run * SEALED_RUN_BYTES)

    runs = size // RUN_BYTES
    our_times, bare_times = in_turn(runs, seal_runs, encrypt_runs)
    seal_runs(range(runs, runs + 1))  # the short chunk at the end
    if os.fstat(ours).st_size != sealed.size:
        raise AssertionError("the blob is not whole")
    grown = usage.peak_rss_bytes(os.getpid()) - before
    return {**our_times.found("seal"), **bare_times.found("bare"), "mb": grown / MEGABYTE}


def unseal(folder: Path) -> dict[str, float]:
    """Open what was sealed to disk, and the bare cipher what it has encrypted."""
    size = (folder / PLAIN).stat().st_size
    ours, other = (os.open(folder / name, os.O_RDONLY) for name in (SEALED, BARE))
    back = [_target(folder, f"{name}.opened", size) for name in (SEALED, BARE)]
    before = usage.rss_bytes(os.getpid())
    opener = FileOpener(KEY, os.pread(ours, HEADER_BYTES, 0), size)
    took, out = (memoryview(bytearray(SEALED_RUN_BYTES)) for _ in range(2))

    def open_runs(runs: range) -> None:
        for run in runs:
            read = os.preadv(ours, [took], HEADER_BYTES + run * SEALED_RUN_BYTES)
            found = opener.open_into(run * RUN_CHUNKS, took[:read], out)
            os.pwrite(back[0], out[:found], run * RUN_BYTES)

    source, target = memoryview(bytearray(SEALED_RUN_BYTES)), memoryview(bytearray(RUN_BYTES))
    decrypt = AESGCM(KEY.raw).decrypt_into

    def decrypt_runs(runs: range) -> None:
        for run in runs:
            os.preadv(other, [source], run * SEALED_RUN_BYTES)
            for chunk in range(RUN_CHUNKS):
                begin, to = chunk * SEALED_CHUNK_BYTES, chunk * CHUNK_BYTES
                decrypt(
                    (run * RUN_CHUNKS + chunk).to_bytes(12),
                    source[begin : begin + SEALED_CHUNK_BYTES],
                    None,
                    target[to : to + CHUNK_BYTES],
                )
            os.pwrite(back[1], target, run * RUN_BYTES)

    runs = size // RUN_BYTES
    our_times, bare_times = in_turn(runs, open_runs, decrypt_runs)
    open_runs(range(runs, runs + 1))
    if os.fstat(back[0]).st_size != size:
        raise AssertionError("the file is not whole")
    grown = usage.peak_rss_bytes(os.getpid()) - before
    return {**our_times.found("open"), **bare_times.found("bare"), "mb": grown / MEGABYTE}


def copy(folder: Path) -> dict[str, float]:
    """Make the engine's own copy of a file: encrypted, hashed, durable."""
    numbers = count(1)
    cache = FileCache(folder / "copied.db")
    before = usage.rss_bytes(os.getpid())
    began = time.perf_counter()
    copied = copy_file(
        cache, OutgoingFile(folder / PLAIN), lambda size: next(numbers).to_bytes(size)
    )
    taken = time.perf_counter() - began
    copied.path.unlink()
    grown = usage.peak_rss_bytes(os.getpid()) - before
    return {"copy_s": taken, "mb": grown / MEGABYTE}


def main() -> None:
    """Do what the command line says."""
    folder, action = Path(sys.argv[1]), sys.argv[2]
    found = {"seal": seal, "open": unseal, "copy": copy}[action](folder)
    print(json.dumps(found))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
