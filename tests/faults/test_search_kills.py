"""SIGKILL while the index is made or messages are erased: it goes on where it was."""

import random  # noqa: TID251 - chooses moments, not keys
import subprocess
import sys
import time
from pathlib import Path

import pytest

from e2ecore.storage import erasure, messages, search, search_index
from tests.support.databases import create_database, open_database
from tests.support.searching import SILENCE, index, store, texts

ROOT = Path(__file__).parents[2]
COUNT = 400
BODIES = [f"number {number} 号码 {number % 10}" for number in range(COUNT)]

INDEX = """
import os, sys
from pathlib import Path
from e2ecore.storage import search_index
from tests.support.databases import open_database
database = open_database(Path(sys.argv[1]))
os.write(1, b"ready\\n")
while database.writer.call(lambda tx: search_index.step(tx, 7)):
    pass
"""

ERASE = """
import os, sys
from pathlib import Path
from e2ecore.storage import erasure
from tests.support.databases import open_database
from tests.support.searching import SILENCE
erasure.SLICE = 9
database = open_database(Path(sys.argv[1]))
os.write(1, b"ready\\n")
while database.writer.call(lambda tx: erasure.go_on(tx, 1, silence=SILENCE)).is_left:
    pass
"""


def run_and_kill(program: str, path: Path, dice: random.Random) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(path)], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    time.sleep(dice.uniform(0.0, 0.1))
    child.kill()
    child.wait()
    child.stdout.close()


def kill_the_indexer(path: Path, kills: int) -> None:
    dice = random.Random(kills)
    database = create_database(path)
    database.writer.call(lambda tx: store(tx, texts(1, BODIES)))
    database.close()
    indexed = 0
    for _ in range(kills):
        run_and_kill(INDEX, path, dice)
        database = open_database(path)
        now = database.readers.read(search_index.state)
        assert now.indexed_mid >= indexed, "what was done is not done again"
        indexed = now.indexed_mid
        found = database.readers.read(lambda tx: search.find(tx, "号码 7", limit=COUNT))
        database.close()
        assert [row.body for row in found.rows] == [
            body for body in reversed(BODIES) if " 7" in body.replace("号码", "")
        ]
    database = open_database(path)
    database.writer.call(index)
    database.writer.call(lambda tx: tx.execute("DELETE FROM messages"))
    database.writer.call(
        lambda tx: tx.execute("INSERT INTO search (search) VALUES ('integrity-check')")
    )
    database.close()


def kill_the_eraser(path: Path, kills: int, amount: int) -> None:
    dice = random.Random(kills)
    database = create_database(path)
    rows = texts(1, BODIES)
    database.writer.call(lambda tx: store(tx, rows))
    database.writer.call(index)
    eid = database.writer.call(lambda tx: erasure.begin(tx, 1, rows[-5].id, amount))
    database.close()
    for _ in range(kills):
        run_and_kill(ERASE, path, dice)
        database = open_database(path)
        database.check()
        database.close()
    database = open_database(path)
    while database.writer.call(lambda tx: erasure.go_on(tx, eid, silence=SILENCE)).is_left:
        pass
    database.writer.call(index)
    assert database.readers.read(lambda tx: messages.count(tx, 1)) == 5
    assert len(database.readers.read(lambda tx: search.find(tx, "number")).rows) == 5
    assert database.readers.read(erasure.under_way) == []
    database.close()


def test_an_indexer_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    kill_the_indexer(tmp_path / "alice.db", kills=1)


@pytest.mark.parametrize("amount", [COUNT, erasure.MANY + 1])
def test_an_eraser_that_was_killed_goes_on_where_it_was(tmp_path: Path, amount: int) -> None:
    kill_the_eraser(tmp_path / "alice.db", 1, amount)


@pytest.mark.slow
def test_many_killed_indexers_and_erasers_go_on_where_they_were(tmp_path: Path) -> None:
    kill_the_indexer(tmp_path / "a.db", kills=10)
    kill_the_eraser(tmp_path / "b.db", 10, COUNT)
