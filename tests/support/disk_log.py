"""What a process did to its disk, written down, and the disk as a power cut may leave it.

``record`` runs a program whose calls of the operating system are logged (``disk_log.c``, compiled
here and loaded in front of the C library). ``Disk`` goes through the log up to any point and says
what may be on the disk if the power fails there. Flushed is safe; a name is safe when its folder
was flushed. Of the rest nothing is there (drop), all of it (all), or any 512-byte sectors of the
writes and the first few of the changed names (torn).
"""

import os
import random  # noqa: TID251 - chooses sectors, not keys
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
SOURCE: Final = Path(__file__).with_name("disk_log.c")
SECTOR: Final = 512
"""Bytes that a drive writes whole or not at all."""
PROGRAM_S: Final = 300
_HEADER: Final = struct.Struct("=QQIHBB")


class Step(NamedTuple):
    """One call that succeeded."""

    what: str
    """w(rite), t(runcate), s(ync), c(reate or open), r(ename), u(nlink), m(ake a folder)."""
    name: str
    file: int
    at: int
    data: bytes


class Unsafe(Enum):
    """What becomes of what was not flushed."""

    DROP = "drop"
    TORN = "torn"
    ALL = "all"


def compiler() -> str | None:
    """Return the C compiler of this machine, where recording is possible at all."""
    if not sys.platform.startswith("linux"):
        return None
    return shutil.which("cc") or shutil.which("gcc")


def record(folder: Path, module: str, *arguments: str) -> list[Step]:
    """Run a module in a process of its own, and return what it did inside a folder.

    Args:
        folder: Watched; its first argument.
        module: Name of the module.
        arguments: Further arguments.
    """
    watched = environment(folder)
    folder.mkdir()
    subprocess.run(
        [sys.executable, "-m", module, str(folder), *arguments],
        cwd=ROOT,
        env=watched,
        check=True,
        timeout=PROGRAM_S,
    )
    return written(folder)


def environment(folder: Path) -> dict[str, str]:
    """Return the environment in which a process writes down what it does inside a folder."""
    shim = folder.with_name("disk_log.so")
    cc = compiler()
    assert cc is not None
    flags = ["-O2", "-fPIC", "-shared", "-Wall", "-Werror", "-o", str(shim)]
    subprocess.run([cc, *flags, str(SOURCE), "-ldl", "-lpthread"], check=True)
    log = str(folder.with_name("disk.log"))
    more = {"DISK_LOG_FOLDER": str(folder), "DISK_LOG_FILE": log, "LD_PRELOAD": str(shim)}
    return {**os.environ, **more}


def written(folder: Path) -> list[Step]:
    """Return what was written down."""
    return list(read(folder.with_name("disk.log").read_bytes()))


def read(log: bytes) -> Iterator[Step]:
    """Yield the steps of a log."""
    at = 0
    while at < len(log):
        file, offset, size, name_size, what, _ = _HEADER.unpack_from(log, at)
        at += _HEADER.size
        name = log[at : at + name_size].decode()
        at += name_size
        yield Step(chr(what), name, file, offset, log[at : at + size])
        at += size


@dataclass(eq=False)
class File:
    """One file: what is safe, and what was done since its last flush."""

    safe: bytearray = field(default_factory=bytearray)
    since: list[Step] = field(default_factory=list)

    def flush(self) -> None:
        """Everything is safe now."""
        for step in self.since:
            _apply(self.safe, step)
        self.since.clear()

    def left(self, unsafe: Unsafe, dice: random.Random) -> bytes:
        """Return what a power cut may leave of it."""
        content = bytearray(self.safe)
        if unsafe is Unsafe.ALL:
            for step in self.since:
                _apply(content, step)
        elif unsafe is Unsafe.TORN:
            share = dice.random()
            for step in self.since:
                _apply_torn(content, step, dice, share)
        return bytes(content)


def _apply(content: bytearray, step: Step) -> None:
    if step.what == "t":
        del content[step.at :]
        content.extend(bytes(step.at - len(content)))
        return
    end = step.at + len(step.data)
    content.extend(bytes(max(0, step.at - len(content))))
    content[step.at : end] = step.data


def _apply_torn(content: bytearray, step: Step, dice: random.Random, share: float) -> None:
    if step.what == "t":
        if dice.random() < share:
            _apply(content, step)
        return
    first = step.at - step.at % SECTOR
    for start in range(first, step.at + len(step.data), SECTOR):
        if dice.random() < share:
            low, high = max(start, step.at), min(start + SECTOR, step.at + len(step.data))
            _apply(content, step._replace(at=low, data=step.data[low - step.at : high - step.at]))


class Disk:
    """A folder on a disk, up to one point of a log."""

    def __init__(self) -> None:
        self._files: dict[int, File] = {}
        self._names: dict[str, File] = {}
        self._safe_names: dict[str, File] = {}
        self._changes: list[dict[str, File | None]] = []
        """What happened to names since their folder was flushed: what each stands for then."""
        self._folders: dict[str, File] = {"": File()}

    def do(self, step: Step) -> None:
        """Go on by one step."""
        if step.what == "c":
            if step.name not in self._names or self._names[step.name] is not self._of(step):
                self._files[step.file] = File()
                self._change({step.name: self._files[step.file]})
        elif step.what == "r":
            self._change({step.name: None, step.data.decode(): self._names[step.name]})
        elif step.what == "u":
            self._change({step.name: None})
        elif step.what == "m":
            self._folders[step.name] = File()
            self._change({step.name: self._folders[step.name]})
        elif step.what == "s" and step.name in self._folders:
            self._flush_names(step.name)
        elif step.what == "s":
            self._of(step).flush()
        else:
            self._of(step).since.append(step)

    @property
    def names(self) -> frozenset[str]:
        """What a running program would see."""
        return frozenset(self._names)

    def left(self, start: str, unsafe: Unsafe, dice: random.Random) -> dict[str, bytes]:
        """Return the files that a power cut here may leave whose names begin like this, by name."""
        names: dict[str, File | None] = dict(self._safe_names)
        kept = {Unsafe.DROP: 0, Unsafe.ALL: len(self._changes)}
        for change in self._changes[: kept.get(unsafe, dice.randint(0, len(self._changes)))]:
            names |= change
        return {
            name: file.left(unsafe, dice)
            for name, file in names.items()
            if file is not None and name.startswith(start) and self._is_reached(name, names)
        }

    def _is_reached(self, name: str, names: dict[str, File | None]) -> bool:
        """Is it a file, in a folder that is there?"""
        folder = _folder_of(name)
        return name not in self._folders and (not folder or names.get(folder) is not None)

    def _flush_names(self, folder: str) -> None:
        """The names in a folder are safe now; those in folders inside of it are not."""
        changes, self._changes = self._changes, []
        for change in changes:
            mine = {name: file for name, file in change.items() if _folder_of(name) == folder}
            safe = {**self._safe_names, **mine}
            self._safe_names = {name: file for name, file in safe.items() if file is not None}
            if len(mine) < len(change):
                self._changes.append({name: change[name] for name in change.keys() - mine.keys()})

    def _of(self, step: Step) -> File:
        return self._files.setdefault(step.file, File())

    def _change(self, change: dict[str, File | None]) -> None:
        self._changes.append(change)
        names = {**self._names, **change}
        self._names = {name: file for name, file in names.items() if file is not None}


def _folder_of(name: str) -> str:
    return name.rpartition("/")[0]


def cuts(
    steps: Sequence[Step], count: int, dice: random.Random
) -> Iterator[tuple[int, Unsafe, Disk]]:
    """Yield random moments, what becomes of the unsafe, and the disk at that moment."""
    disk, done = Disk(), 0
    for number, moment in enumerate(sorted(dice.randrange(len(steps) + 1) for _ in range(count))):
        for step in steps[done:moment]:
            disk.do(step)
        done = moment
        yield moment, list(Unsafe)[number % len(Unsafe)], disk
