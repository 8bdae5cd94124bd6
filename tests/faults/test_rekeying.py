"""A change of the master key is done or not done, wherever the power fails."""

import os
import random  # noqa: TID251 - chooses moments, not keys
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from e2ecore.storage import files, settings
from e2ecore.storage.database import Database
from e2ecore.storage.errors import DiskError, DiskFullError, WrongKeyError
from e2ecore.storage.keys import KeyFile
from e2ecore.storage.tx import Tx
from tests.support.databases import CHEAP, PASSPHRASE, create_database, open_database
from tests.support.disk_log import compiler, environment, written
from tests.support.power import PowerCut, every_cut

ROOT = Path(__file__).parents[2]
NEW = "another passphrase of some length"

REKEY = """
import os, sys
from pathlib import Path
from e2ecore.storage.database import Database
from tests.support.databases import CHEAP
database = Database.open(Path(sys.argv[1]), sys.argv[3])
os.write(1, b"ready\\n")
database.rekey([sys.argv[2]], parameters=CHEAP)
os.write(1, b"done\\n")
"""

FULL = """
import sys
from pathlib import Path
from e2ecore.storage.database import Database
from e2ecore.storage.errors import DiskError, DiskFullError
from tests.support.databases import CHEAP
try:
    Database.open(Path(sys.argv[1]), sys.argv[3]).rekey([sys.argv[2]], parameters=CHEAP)
except (DiskError, DiskFullError):
    pass
"""

LIMITED = """
import resource, sys
from pathlib import Path
from e2ecore.storage.errors import StorageError
from tests.support.databases import CHEAP, open_database
database = open_database(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    database.rekey([sys.argv[2]], parameters=CHEAP)
except StorageError as error:
    print(type(error).__name__)
else:
    print("done")
"""


def filled(path: Path, rows: int = 40) -> Path:
    database = create_database(path)

    def put(tx: Tx) -> None:
        for number in range(rows):
            settings.put(tx, f"{number:03}", bytes([number]) * 50_000)

    database.writer.call(put)
    database.close()
    return path


def look(path: Path) -> str:
    """Return the one passphrase that opens it; everything must be there."""
    opened = []
    for passphrase in (PASSPHRASE, NEW):
        with suppress(WrongKeyError):
            database = Database.open(path, passphrase)
            names = database.readers.read(
                lambda tx: tx.rows(lambda row: str(row[0]), "SELECT name FROM settings")
            )
            database.check()
            database.close()
            assert {"000", "001"} <= set(names)
            opened.append(passphrase)
    assert len(opened) == 1, opened
    assert KeyFile.load(files.keys_of(path)).pending is None
    return opened[0]


def test_afterwards_only_what_was_kept_opens_and_the_old_key_file_opens_nothing(
    tmp_path: Path,
) -> None:
    path = filled(tmp_path / "alice.db", 3)
    before = files.keys_of(path).read_bytes()
    open_database(path).rekey([NEW], parameters=CHEAP)
    assert look(path) == NEW
    files.keys_of(path).write_bytes(before)
    with pytest.raises(Exception, match="damaged"):
        open_database(path)


@pytest.mark.slow
def test_cut_at_any_statement_it_opens_with_the_old_key_or_with_the_new_one(
    tmp_path: Path,
) -> None:
    seen = []
    for power in every_cut():
        path = filled(tmp_path / f"{power.survives}-{power.last_runs}.db", 3)
        database = open_database(path, power.connect)
        power.arm()
        told = False
        with suppress(PowerCut):
            database.rekey([NEW], parameters=CHEAP)
            told = True
        found = look(path)
        assert found == NEW or not told
        seen.append(found)
    assert seen[0] == PASSPHRASE
    assert seen[-1] == NEW
    assert sorted(seen, key=[PASSPHRASE, NEW].index) == seen, "there is one moment"


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 28, 5])
def test_cut_or_refused_at_any_call_to_the_system_it_opens_with_one_of_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """0: the power fails; else the error that each of the calls returns once."""
    seen, is_through = [], False
    for survives in range(40):
        path = filled(tmp_path / f"{survives}.db", 3)
        database = open_database(path)
        database.readers.close()
        database.writer.close()
        plan = Refusals(survives, number)
        with monkeypatch.context() as patch:
            plan.install(patch)
            with suppress(PowerCut, DiskError, DiskFullError):
                database.rekey([NEW], parameters=CHEAP)
        seen.append(look(path))
        if not plan.was_met:
            is_through = True
            break
    assert seen[0] == PASSPHRASE
    assert seen[-1] == NEW
    assert is_through


class Refusals:
    """Lets so many calls through, then refuses: with an error once, or for ever."""

    def __init__(self, survives: int, number: int) -> None:
        self._left = survives
        self._number = number
        self.was_met = False

    def install(self, patch: pytest.MonkeyPatch) -> None:
        for owner, name in ((os, "fsync"), (os, "pwrite"), (Path, "replace")):
            self._install(patch, owner, name)

    def _install(self, patch: pytest.MonkeyPatch, owner: object, name: str) -> None:
        real = getattr(owner, name)

        def call(*args: object) -> object:
            self._left -= 1
            if self._left < 0 and (not self._number or not self.was_met):
                self.was_met = True
                if self._number:
                    raise OSError(self._number, os.strerror(self._number))
                raise PowerCut
            return real(*args)

        patch.setattr(owner, name, call)


@pytest.mark.slow
def test_without_room_for_the_log_it_says_so_and_nothing_changes(tmp_path: Path) -> None:
    path = filled(tmp_path / "alice.db")
    for limit in (10_000, 400_000, 1_000_000, 1_900_000):
        done = subprocess.run(
            [sys.executable, "-c", LIMITED, str(path), NEW, str(limit)],
            cwd=ROOT, capture_output=True, text=True, check=True, timeout=240,
        )  # fmt: skip
        assert done.stdout.strip() in {"DiskFullError", "DiskError"}
        assert look(path) == PASSPHRASE


@pytest.mark.slow
@pytest.mark.skipif(compiler() is None, reason="needs a C compiler and Linux")
def test_full_from_any_write_on_it_opens_with_one_of_both_once_there_is_room(
    tmp_path: Path,
) -> None:
    """Full from the n-th write on, the library's own writes included, until the process ends."""
    folder = tmp_path / "disk"
    watched = environment(folder)

    def run(after: int) -> str:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        path = filled(folder / "alice.db", 3)
        subprocess.run(
            [sys.executable, "-c", FULL, str(path), NEW, PASSPHRASE],
            cwd=ROOT, env={**watched, "DISK_FULL_AFTER": str(after)}, check=True, timeout=240,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        return look(path)

    assert run(1 << 30) == NEW
    writes = sum(step.what == "w" for step in written(folder))
    assert writes > 100
    seen = [run(after) for after in (1, writes // 3, writes - 2)]
    assert seen[0] == PASSPHRASE
    assert sorted(seen, key=[PASSPHRASE, NEW].index) == seen, "there is one moment"


@pytest.mark.slow
def test_killed_at_any_moment_it_opens_with_the_old_key_or_with_the_new_one(
    tmp_path: Path,
) -> None:
    dice = random.Random(11)
    path = filled(tmp_path / "alice.db", 100)
    passphrase, other = PASSPHRASE, NEW
    changes = 0
    for number in range(10):
        child = subprocess.Popen(
            [sys.executable, "-c", REKEY, str(path), other, passphrase],
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        if number:
            time.sleep(dice.uniform(0.0, 0.04 * number))
            child.kill()
        was_told = child.stdout.read() == b"done\n"
        child.wait()
        child.stdout.close()
        found = look(path)
        assert found == other or not was_told
        if found == other:
            passphrase, other = other, passphrase
            changes += 1
    assert changes > 0
