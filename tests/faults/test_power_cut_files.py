"""The power fails at random moments of sending and fetching: what was said to be here is here.

As in ``test_power_cut_replay``, but of the folder of local copies: a row that says that a file is
here is never found without the whole of it, whatever the disk keeps of what was not flushed.
"""

import hashlib
import json
import os
import random  # noqa: TID251 - chooses moments, not keys
import shutil
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from e2ecore.engine.files.file_showing import decode_item
from e2ecore.storage import attachments
from e2ecore.storage.attachments import AttachmentRow
from e2ecore.storage.database import Database, is_present
from e2ecore.storage.file_cache import FileCache, folder_of
from e2ecore.testing.devices import PASSPHRASE
from tests.support import disk_log
from tests.support.disk_log import Disk, Step, Unsafe
from tests.support.disk_work import ACKS

CUTS: Final = 3_000 if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else 120
ROUNDS: Final = 18

pytestmark = pytest.mark.skipif(
    disk_log.compiler() is None, reason="recording a disk needs Linux and a C compiler"
)


@dataclass
class Promised:
    """Whose copies had been promised when the power failed."""

    copies: dict[str, set[str]] = field(default_factory=lambda: {"alice": set(), "bob": set()})

    def add(self, line: bytes) -> None:
        match json.loads(line):
            case {"what": "kept", "digest": digest}:
                self.copies["alice"].add(digest)
            case {"what": "fetched", "digest": digest}:
                self.copies["bob"].add(digest)
            case {"what": "gone", "digest": digest, "who": who}:
                self.copies[who].discard(digest)
            case other:
                raise AssertionError(other)


def copies(path: Path) -> set[str]:
    """Open a database as it was found; read every copy that it says is here."""
    if not is_present(path):
        return set()
    database = Database.open(path, PASSPHRASE)
    try:
        kept = database.readers.read(attachments.kept_ids)
        rows = [database.readers.read(partial(attachments.get, aid=aid)) for aid in sorted(kept)]
    finally:
        database.close()
    return {whole(FileCache(path), row) for row in rows if row is not None and row.cached}


def whole(cache: FileCache, row: AttachmentRow) -> str:
    item = decode_item(row)
    with cache.open(row.aid, row.cache_key, row.size) as local:
        digest = hashlib.sha256(local.read(0, row.size)).digest()
    assert digest == item.digest
    return digest.hex()


def lay_out(disk: Disk, path: Path, unsafe: Unsafe, dice: random.Random) -> None:
    for name, content in disk.left(path.name, unsafe, dice).items():
        target = path.parent / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)


@pytest.mark.slow
def test_no_power_cut_loses_a_copy_that_was_promised_or_leaves_half_of_one(tmp_path: Path) -> None:
    day = disk_log.record(tmp_path / "disk", "tests.support.disk_files", str(ROUNDS))
    dice, promised, told = random.Random(5), Promised(), 0
    looked, found = 0, tmp_path / "found"
    for moment, unsafe, disk in disk_log.cuts(day, CUTS, dice):
        for step in day[told:moment]:
            if step.name == ACKS and step.what == "w":
                promised.add(step.data)
        told = moment
        who = dice.choice(["alice", "bob"])
        found.mkdir()
        lay_out(disk, found / f"{who}.db", unsafe, dice)
        try:
            assert promised.copies[who] <= copies(found / f"{who}.db")
        except BaseException as error:
            error.add_note(f"{who}, step {moment}, {unsafe}")
            raise
        looked += bool(promised.copies[who] and folder_of(found / f"{who}.db").exists())
        shutil.rmtree(found)
    assert looked > CUTS // 3


def step(what: str, name: str, file: int = 0) -> Step:
    return Step(what, name, file, 0, b"")


def test_a_file_in_a_folder_needs_three_flushes_to_be_safe() -> None:
    """Its own, that of its name, and that of its folder's name."""
    flushes = [step("s", "d/a", 1), step("s", "d"), step("s", "")]
    for missing in flushes:
        disk, dice = Disk(), random.Random(3)
        for one in (step("m", "d"), step("c", "d/a", 1), Step("w", "d/a", 1, 0, b"x")):
            disk.do(one)
        for one in flushes:
            if one is not missing:
                disk.do(one)
        assert disk.left("d", Unsafe.DROP, dice).get("d/a", b"") == b""
        disk.do(missing)
        assert disk.left("d", Unsafe.DROP, dice) == {"d/a": b"x"}
