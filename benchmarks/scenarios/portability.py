"""Taking a long history along, and bringing it in again."""

from __future__ import annotations

import json
import shutil
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
    no_less_than,
    no_more_than,
)

if TYPE_CHECKING:
    from pathlib import Path


def _work(action: str, folder: Path, count: int) -> dict[str, float]:
    """Do one thing in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.workers.portability", action, str(folder), str(count)],
        check=True,
        stdout=subprocess.PIPE,
    )
    return cast("dict[str, float]", json.loads(done.stdout))


def _run(context: Context, size: int) -> Result:
    result = Result()
    source = context.directory("source")
    _work("fill", source, size)
    context.say(f"{size:,} messages stored")
    for run in range(context.runs):
        folder = context.directory(f"run{run}")
        for path in source.iterdir():
            shutil.copy(path, folder)
        exported = _work("export", folder, size)
        imported = _work("import", folder, size)
        context.say(f"export {exported}, import {imported}")
        result.add(
            OURS,
            {
                "export_rate": exported["rate"],
                "export_mb": exported["peak_mb"],
                "bytes": exported["bytes"],
                "import_rate": imported["rate"],
                "again_rate": imported["again_rate"],
                "import_mb": imported["peak_mb"],
            },
        )
        shutil.rmtree(folder)
    return result


PORTABILITY: Final = Scenario(
    name="portability",
    title="Export and import",
    about=(
        "The whole history into a signed archive, and from there into the database of another "
        "account: signature and hashes checked, every message committed durably, searchable. "
        "Each in a fresh process, whose memory at its highest counts the interpreter, too."
    ),
    sizes={Scale.QUICK: 2_000, Scale.SHORT: 100_000, Scale.LONG: 1_000_000},
    size_unit="messages",
    measures=(
        Measure(
            "export_rate", "export_rate", "1/s", "messages exported", goal=no_less_than(50_000)
        ),
        Measure("export_mb", "export_mb", "MB", "memory", goal=no_more_than(200)),
        Measure("bytes", "bytes", "bytes", "of the archive, for each message"),
        Measure(
            "import_rate", "import_rate", "1/s", "messages imported", goal=no_less_than(20_000)
        ),
        Measure("again_rate", "again_rate", "1/s", "the same file again: all are known"),
        Measure("import_mb", "import_mb", "MB", "memory", goal=no_more_than(200)),
    ),
    run=_run,
)
