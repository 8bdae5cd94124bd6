"""SIGKILL at random moments: nothing that was acknowledged is lost, nothing is half there."""

import random  # noqa: TID251 - chooses moments, not keys
import subprocess
import sys
import time
from pathlib import Path

import pytest

from e2ecore.storage import messages
from e2ecore.storage.database import is_present
from e2ecore.storage.tx import Tx
from tests.support.databases import create_database, new_conversation, open_database

ROOT = Path(__file__).parents[2]

WRITE = """
import os, sys
from pathlib import Path
from e2ecore.storage import messages
from tests.support.databases import message, open_database
database = open_database(Path(sys.argv[1]))
number = len(database.readers.read(lambda tx: tx.rows(tuple, "SELECT id FROM messages")))
os.write(1, b"ready\\n")
while True:
    size = number % 7 + 1
    rows = [message(1, number + n) for n in range(size)]
    jobs = [database.writer.submit(lambda tx, row=row: messages.insert(tx, [row])) for row in rows]
    database.writer.call(lambda tx: None)
    for job in jobs:
        job.result()
        number += 1
        os.write(1, b"%d\\n" % number)
"""

CREATE = """
import sys
from pathlib import Path
from tests.support.databases import create_database
print("ready", flush=True)
create_database(Path(sys.argv[1])).close()
"""


class Child:
    """A process that says "ready", then numbers, until it is killed."""

    def __init__(self, program: str, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", program, str(path)], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self._lines = self._process.stdout
        assert self._lines.readline() == b"ready\n"

    def kill(self) -> int:
        """Kill it and return the last number that it said whole."""
        self._process.kill()
        said = [line for line in self._lines.read().split(b"\n")[:-1] if line]
        self._process.wait()
        self._lines.close()
        return int(said[-1]) if said else 0


def stored(tx: Tx) -> list[int]:
    return tx.rows(lambda row: int(str(row[0])), "SELECT counter FROM messages ORDER BY id")


def kill_the_writer(tmp_path: Path, kills: int) -> None:
    dice = random.Random(kills)
    path = tmp_path / "alice.db"
    database = create_database(path)
    database.writer.call(new_conversation)
    database.close()
    acknowledged = 0
    for _ in range(kills):
        child = Child(WRITE, path)
        time.sleep(dice.uniform(0.0, 0.15))
        acknowledged = max(acknowledged, child.kill())
        database = open_database(path)
        found = database.readers.read(stored)
        database.close()
        assert found == list(range(1, len(found) + 1))
        assert len(found) >= acknowledged
    assert acknowledged > 0
    database = open_database(path)
    database.check()
    assert database.readers.read(lambda tx: messages.newest(tx, 1, 1))
    database.close()


def kill_the_creator(tmp_path: Path, kills: int) -> None:
    dice = random.Random(kills)
    for number in range(kills):
        path = tmp_path / f"{number}.db"
        child = Child(CREATE, path)
        time.sleep(dice.uniform(0.0, 0.04))
        child.kill()
        if not is_present(path):
            create_database(path).close()
        database = open_database(path)
        assert database.readers.read(stored) == []
        database.close()


@pytest.mark.slow
def test_a_killed_writer_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    kill_the_writer(tmp_path, kills=2)


@pytest.mark.slow
def test_a_killed_creation_is_begun_anew_or_finished(tmp_path: Path) -> None:
    kill_the_creator(tmp_path, kills=2)


@pytest.mark.slow
def test_many_killed_writers_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    kill_the_writer(tmp_path, kills=100)


@pytest.mark.slow
def test_many_killed_creations_are_begun_anew_or_finished(tmp_path: Path) -> None:
    kill_the_creator(tmp_path, kills=100)
