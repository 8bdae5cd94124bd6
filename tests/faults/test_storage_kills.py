"""SIGKILL at random moments: nothing that was acknowledged is lost, nothing is half there."""

import contextlib
import random  # noqa: TID251 - chooses moments, not keys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from e2ecore.storage import messages
from e2ecore.storage.database import is_present
from e2ecore.storage.tx import Tx
from tests.support.databases import create_database, new_conversation, open_database
from tests.support.processes import fork_server
from tests.support.storage_children import READY, create, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection


class Child:
    """A process that says that it is ready, then numbers, until it is killed."""

    def __init__(self, work: "Callable[[str, Connection[bytes, bytes]], None]", path: Path) -> None:
        context = fork_server()
        self._lines, said = context.Pipe(duplex=False)
        self._process = context.Process(target=work, args=(str(path), said), daemon=True)
        self._process.start()
        said.close()
        assert self._lines.recv_bytes() == READY

    def kill(self) -> int:
        """Kill it and return the last number that it said whole."""
        self._process.kill()
        number = 0
        with contextlib.suppress(EOFError, OSError):
            while True:
                number = int(self._lines.recv_bytes())
        self._process.join()
        self._process.close()
        self._lines.close()
        return number


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
        child = Child(write, path)
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
        child = Child(create, path)
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
