"""An account is erased or it is not, wherever the power fails."""

import os
import random  # noqa: TID251 - chooses moments, not keys
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest

from e2ecore.storage import messages
from e2ecore.storage.database import Database, is_present
from e2ecore.storage.errors import DatabaseErasedError, DatabaseMissingError
from tests.support.databases import create_database, open_database
from tests.support.searching import store, texts

P = ParamSpec("P")
T = TypeVar("T")
ROOT = Path(__file__).parents[2]
SECRET = "nobody shall read this again"

ERASE = """
import os, sys
from pathlib import Path
from tests.support.databases import open_database
database = open_database(Path(sys.argv[1]))
os.write(1, b"ready\\n")
database.erase()
"""


class PowerCut(BaseException):
    pass


def filled(path: Path) -> Database:
    database = create_database(path)
    database.writer.call(lambda tx: store(tx, texts(1, [SECRET])))
    return database


def look(path: Path) -> str:
    """What somebody finds who opens it: "whole", "erased" or "missing", and nothing between."""
    try:
        database = open_database(path)
    except DatabaseErasedError:
        assert leftovers(path) == set()
        return "erased"
    except DatabaseMissingError:
        assert leftovers(path) == set()
        return "missing"
    assert [row.body for row in database.readers.read(lambda tx: messages.newest(tx, 1))] == [
        SECRET
    ]
    database.check()
    database.close()
    return "whole"


def leftovers(path: Path) -> set[str]:
    return {one.name for one in path.parent.iterdir() if one.name.startswith(path.name)} - {
        path.name + ".lock"
    }


class Cut:
    """Lets so many calls to the operating system through, then none."""

    def __init__(self, survives: int) -> None:
        self.left = survives

    def on(self, call: Callable[P, T]) -> Callable[P, T]:
        def instead(*args: P.args, **kwargs: P.kwargs) -> T:
            if self.left == 0:
                raise PowerCut
            self.left -= 1
            return call(*args, **kwargs)

        return instead


def cut_after(survives: int, path: Path, patch: pytest.MonkeyPatch) -> bool:
    """Erase, and cut the power on the way; answer whether it came that far."""
    database = filled(path)
    cut = Cut(survives)
    with patch.context() as patched:
        for name in ("fsync", "pwrite", "open"):
            patched.setattr(os, name, cut.on(getattr(os, name)))
        for name in ("unlink", "replace"):
            patched.setattr(Path, name, cut.on(getattr(Path, name)))
        database.readers.close()
        database.writer.close()
        cut.left = survives
        try:
            database.erase()
        except PowerCut:
            return False
    return True


def test_wherever_the_power_fails_the_account_is_whole_or_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    for survives in range(40):
        path = tmp_path / f"{survives}.db"
        done = cut_after(survives, path, monkeypatch)
        seen.append(look(path))
        if done:
            break
    assert seen[0] == "whole"
    assert seen[-1] == "missing", "nothing at all is left, and a new account can be made"
    assert "erased" in seen
    order = ["whole", "erased", "missing"]
    assert sorted(seen, key=order.index) == seen, "there is one moment, and no way back behind it"


def test_a_database_whose_erasure_was_interrupted_is_not_taken_for_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "alice.db"
    for survives in range(40):
        cut_after(survives, path, monkeypatch)
        if not leftovers(path):
            break
        assert is_present(path)
        if look(path) == "whole":
            open_database(path).erase()
        assert not is_present(path)


def test_what_the_key_file_held_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "alice.db"
    database = filled(path)
    old = os.open(tmp_path / "alice.db.keys", os.O_RDONLY)
    database.erase()
    assert set(os.read(old, 10_000)) == {0}
    os.close(old)
    assert leftovers(path) == set()


@pytest.mark.slow
def test_killed_while_it_is_erased_an_account_is_whole_or_erased(tmp_path: Path) -> None:
    dice = random.Random(7)
    for number in range(15):
        path = tmp_path / f"{number}.db"
        filled(path).close()
        child = subprocess.Popen(
            [sys.executable, "-c", ERASE, str(path)], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        time.sleep(dice.uniform(0.0, 0.01))
        child.kill()
        child.wait()
        child.stdout.close()
        assert look(path) in {"whole", "erased", "missing"}
