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
    at_least,
    no_less_than,
    no_more_than,
)

if TYPE_CHECKING:
    from pathlib import Path


HISTORY: Final = "benchmarks.workers.portability"
FILES: Final = "benchmarks.workers.portable_files"
FLOOR: Final = "copies, sealed"


def _work(action: str, folder: Path, count: int, worker: str = HISTORY) -> dict[str, float]:
    """Do one thing in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", worker, action, str(folder), str(count)],
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


def _run_files(context: Context, size: int) -> Result:
    result = Result()
    source = context.directory("source")
    _work("fill", source, size, FILES)
    context.say(f"{size:,} files stored")
    for run in range(context.runs):
        folder = context.home / f"run{run}"
        shutil.copytree(source, folder)
        found = {one: _work(one, folder, size, FILES) for one in ("copy_out", "export")}
        found |= {one: _work(one, folder, size, FILES) for one in ("copy_in", "import")}
        context.say(f"{ {one: round(values['mb_s']) for one, values in found.items()} }")
        mb = max(found["export"]["peak_mb"], found["import"]["peak_mb"])
        out, into = found["export"]["mb_s"], found["import"]["mb_s"]
        result.add(OURS, {"export_mb_s": out, "import_mb_s": into, "mb": mb})
        floor = {"export_mb_s": found["copy_out"]["mb_s"], "import_mb_s": found["copy_in"]["mb_s"]}
        result.add(FLOOR, floor)
        shutil.rmtree(folder)
    return result


PORTABLE_FILES: Final = Scenario(
    name="portable_files",
    title="Export and import of files",
    about=(
        "Files of 4 KB to 1 MB, one to a message, into a signed archive and from there into "
        "another account's database. Beside it the same bytes without an archive: local copies "
        "opened and written into one durable file, then sealed from there into durable copies. An "
        "import reads everything twice, because hashes are checked before a byte is kept."
    ),
    sizes={Scale.QUICK: 20, Scale.SHORT: 1_000, Scale.LONG: 1_000},
    size_unit="files",
    measures=(
        Measure("export_mb_s", "export_mb_s", "MB/s", "exported", FLOOR, at_least(0.4)),
        Measure("import_mb_s", "import_mb_s", "MB/s", "imported", FLOOR, at_least(0.4)),
        Measure("mb", "mb", "MB", "memory, the higher one", goal=no_more_than(200)),
    ),
    run=_run_files,
)
