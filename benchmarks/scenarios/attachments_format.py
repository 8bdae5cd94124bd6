"""Files sealed and opened on one machine, beside the bare cipher."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final, cast

from benchmarks.model import (
    OURS,
    Context,
    Measure,
    Result,
    Scale,
    Scenario,
    at_most,
    no_more_than,
)

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.model import Sample

BARE: Final = "AES-256-GCM"
MIB: Final = 1 << 20
_MODULE: Final = "benchmarks.workers.sealed_files"


def _work(folder: Path, action: str) -> Sample:
    """Do one thing in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", _MODULE, str(folder), action], check=True, stdout=subprocess.PIPE
    )
    return cast("dict[str, float]", json.loads(done.stdout))


def _run(context: Context, mebibytes: int) -> Result:
    result = Result()
    folder = context.home
    with (folder / "plain").open("wb") as made:
        for _ in range(mebibytes):
            made.write(os.urandom(MIB))
    for run in range(context.runs):
        sealed, opened = _work(folder, "seal"), _work(folder, "open")
        copied = _work(folder, "copy")
        ours = {
            **{name: sealed[name] for name in ("seal_s", "seal_cpu_s")},
            **{name: opened[name] for name in ("open_s", "open_cpu_s")},
            "copy_s": copied["copy_s"],
            "seal_mb": sealed["mb"],
            "open_mb": opened["mb"],
            "copy_mb": copied["mb"],
        }
        bare = {
            "seal_s": sealed["bare_s"],
            "seal_cpu_s": sealed["bare_cpu_s"],
            "open_s": opened["bare_s"],
            "open_cpu_s": opened["bare_cpu_s"],
        }
        result.add(OURS, ours)
        result.add(BARE, bare)
        context.say(f"run {run + 1}/{context.runs} {OURS}: {ours}, {BARE}: {bare}")
    return result


ATTACHMENTS_FORMAT: Final = Scenario(
    name="attachments_format",
    title="Attachments sealed and opened",
    about=(
        "One file of random bytes is sealed as the relay gets it and opened again, file to file. "
        "The reference does the least that the same bytes in the same chunks allow: it reads "
        "256 KiB of the same file into memory that it uses again, calls the cipher once for each "
        "16 KiB with the chunk's number as nonce (no key derivation, no commitment, no check of "
        "anything), and writes the result to a file of its own. Both write over files that are "
        "there already, and do not wait for the disk. They take turns, 16 MiB each, in one "
        "process; a time is that of the median turn, for the whole file. Memory is what the "
        "process has at its most beyond what it had before the first byte."
    ),
    sizes={Scale.QUICK: 64, Scale.SHORT: 1024, Scale.LONG: 1024},
    size_unit="MiB",
    measures=(
        Measure("seal_s", "seal_s", "s", "file to blob, by the clock", BARE, at_most(1.25)),
        Measure("open_s", "open_s", "s", "blob to file, by the clock", BARE, at_most(1.25)),
        Measure("seal_cpu_s", "seal_cpu_s", "s", "the same, CPU time", BARE, at_most(1.25)),
        Measure("open_cpu_s", "open_cpu_s", "s", "the same, CPU time", BARE, at_most(1.25)),
        Measure("seal_mb", "seal_mb", "MB", "memory that sealing takes", goal=no_more_than(32)),
        Measure("open_mb", "open_mb", "MB", "memory that opening takes", goal=no_more_than(32)),
        Measure("copy_s", "copy_s", "s", "the engine's own copy: sealed, hashed and flushed", BARE),
        Measure("copy_mb", "copy_mb", "MB", "memory that this takes", goal=no_more_than(32)),
    ),
    run=_run,
)
