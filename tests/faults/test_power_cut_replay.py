"""The power fails at random moments, and the disk keeps of what was not flushed what it likes.

A process works with real engines while everything it does to its files is logged. Then the log is
replayed to random points, and the databases are opened as they would be found: whatever a call had
promised by returning must be there, once, and what was erased must not.
"""

import json
import os
import random  # noqa: TID251 - chooses moments, not keys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from e2ecore.storage import conversations, messages
from e2ecore.storage.conversations import LIVE_ORDER
from e2ecore.storage.database import Database, is_present
from e2ecore.storage.errors import WrongPassphraseError
from e2ecore.storage.migrations.steps import steps
from e2ecore.storage.tx import Tx
from e2ecore.testing.devices import PASSPHRASE as DEVICE_PASSPHRASE
from tests.support import disk_log
from tests.support.databases import CHEAP, PASSPHRASE
from tests.support.disk_log import Disk, Step, Unsafe
from tests.support.disk_work import ACKS, OLD_MESSAGES

CUTS: Final = 10_000 if os.environ.get("HYPOTHESIS_PROFILE") == "nightly" else 1_000
ROUNDS: Final = 150
"""Things that the two people do: some 6,000 steps of the disk."""

pytestmark = pytest.mark.skipif(
    disk_log.compiler() is None, reason="recording a disk needs Linux and a C compiler"
)


@dataclass
class Promised:
    """What had been promised when the power failed."""

    made: set[str] = field(default_factory=set)
    sent: set[str] = field(default_factory=set)
    received: set[str] = field(default_factory=set)
    erasing: set[str] = field(default_factory=set)
    erased: set[str] = field(default_factory=set)
    title: int = -1
    stored: int = 0
    passphrase: int = -1
    migrated: bool = False

    def add(self, line: bytes) -> None:
        match json.loads(line):
            case {"what": "sent" | "received" as what, "uid": uid}:
                {"sent": self.sent, "received": self.received}[what].add(uid)
            case {"what": "erasing", "uids": uids}:
                self.erasing.update(uids)
            case {"what": "erased", "uids": uids}:
                self.erased.update(uids)
            case {"what": "made", "name": name}:
                self.made.add(name)
            case {"what": "title", "number": number}:
                self.title = number
            case {"what": "stored", "count": count}:
                self.stored = count
            case {"what": "passphrase", "number": number}:
                self.passphrase = number
            case {"what": "migrated"}:
                self.migrated = True
            case other:
                raise AssertionError(other)


def alice(path: Path, promised: Promised) -> None:
    found = look(path, DEVICE_PASSPHRASE, bool(promised.sent))
    assert found.agrees
    assert promised.sent <= found.uids
    assert promised.title <= found.title
    assert found.own_counter >= len(promised.sent), "a key would be used for two messages"


def bob(path: Path, promised: Promised) -> None:
    found = look(path, DEVICE_PASSPHRASE, bool(promised.received))
    assert found.agrees
    assert promised.received - promised.erasing <= found.uids
    assert not promised.erased & found.uids


def keys(path: Path, promised: Promised) -> None:
    for number in (promised.passphrase, promised.passphrase + 1):
        passphrase = PASSPHRASE if number < 0 else f"{PASSPHRASE} {number}"
        with suppress(WrongPassphraseError):
            found = look(path, passphrase, "keys.db" in promised.made)
            assert len(found.uids) >= promised.stored
            return
    raise AssertionError("no passphrase opens it")


def old(path: Path, promised: Promised) -> None:
    if "old.db" in promised.made:  # before that it is only being copied
        found = look(path, PASSPHRASE, must_exist=True)
        assert len(found.uids) == OLD_MESSAGES
        assert found.schema == len(steps())


DATABASES: Final[Mapping[str, Callable[[Path, Promised], None]]] = {
    "alice.db": alice,
    "bob.db": bob,
    "keys.db": keys,
    "old.db": old,
}


@dataclass
class Found:
    """What is in a database."""

    uids: set[str]
    title: int
    own_counter: int
    agrees: bool
    """No message has an order that the next one would get."""
    schema: int


def look(path: Path, passphrase: str, must_exist: bool) -> Found:  # noqa: FBT001 - short
    """Open a database as it was found, or begin it anew where nothing was promised."""
    if is_present(path):
        database = Database.open(path, passphrase)
    else:
        assert not must_exist, "a database is lost"
        database = Database.create(path, passphrase, parameters=CHEAP)
    try:
        database.check()
        return database.readers.read(contents)
    finally:
        database.close()


def contents(tx: Tx) -> Found:
    uids = tx.rows(lambda row: bytes(row[0]).hex(), "SELECT uid FROM messages")  # type: ignore[arg-type]  # a blob
    assert len(set(uids)) == len(uids), "a message is there twice"
    rows = conversations.all_rows(tx)
    counts = [messages.count(tx, row.cid) for row in rows]
    orders = [row.next_order - LIVE_ORDER for row in rows]
    titles = [int(row.title.split()[-1]) for row in rows if row.title.startswith("title ")]
    schema = tx.value(int, "PRAGMA user_version") or 0
    return Found(
        set(uids),
        max(titles, default=-1),
        sum(row.own_counter for row in rows),
        all(count <= order for count, order in zip(counts, orders, strict=True)),
        schema,
    )


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> list[Step]:
    """Everything that was done to the disk."""
    folder = tmp_path_factory.mktemp("day")
    return disk_log.record(folder / "disk", "tests.support.disk_work", str(ROUNDS))


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """Where what is found is laid out: in memory, if the machine has a folder there."""
    memory = Path("/dev/shm")  # noqa: S108 - the names inside are made safely
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


@pytest.mark.slow
def test_no_power_cut_loses_what_was_promised_or_brings_back_what_was_erased(
    day: list[Step], quick_folder: Path
) -> None:
    looked = dict.fromkeys(DATABASES, 0)
    for name in each_cut(day, CUTS, DATABASES, quick_folder):
        looked[name] += 1
    assert sum(looked.values()) > CUTS * 0.7, looked
    assert min(looked.values()) > CUTS // 50, looked


@pytest.mark.slow
def test_the_replay_finds_what_a_database_loses_that_does_not_flush(
    tmp_path: Path, quick_folder: Path
) -> None:
    """Else the test above could not fail."""
    careless = disk_log.record(tmp_path / "disk", "tests.support.disk_work", "careless")
    with pytest.raises(AssertionError):
        for _ in each_cut(careless, CUTS // 10, {"keys.db": keys}, quick_folder):
            pass


def each_cut(
    steps_done: Sequence[Step],
    count: int,
    databases: Mapping[str, Callable[[Path, Promised], None]],
    folder: Path,
) -> Iterator[str]:
    """Cut the power, look at one database, and say which."""
    dice, promised, told = random.Random(2), Promised(), 0
    for moment, unsafe, disk in disk_log.cuts(steps_done, count, dice):
        for step in steps_done[told:moment]:
            if step.name == ACKS and step.what == "w":
                promised.add(step.data)
        told = moment
        name = dice.choice([*databases])
        if not any(one.startswith(name) for one in disk.names):
            continue
        for one, content in disk.left(name, unsafe, dice).items():
            (folder / one).write_bytes(content)
        try:
            databases[name](folder / name, promised)
        except BaseException as error:
            error.add_note(f"{name}, step {moment}, {unsafe}")
            raise
        for path in folder.iterdir():
            path.unlink()
        yield name


def step(what: str, name: str = "a", at: int = 0, data: bytes = b"") -> Step:
    return Step(what, name, 1, at, data)


def test_a_disk_keeps_what_was_flushed_and_of_the_rest_what_it_likes() -> None:
    disk, dice = Disk(), random.Random(3)
    for one in (step("c"), step("w", data=b"x" * 1024), step("s")):
        disk.do(one)
    assert disk.left("a", Unsafe.DROP, dice) == {}, "the folder was not flushed"
    disk.do(step("s", ""))
    assert disk.left("a", Unsafe.DROP, dice) == {"a": b"x" * 1024}
    disk.do(step("w", data=b"y" * 1024))
    disk.do(step("r", data=b"b"))
    assert disk.left("", Unsafe.DROP, dice) == {"a": b"x" * 1024}
    assert disk.left("", Unsafe.ALL, dice) == {"b": b"y" * 1024}
    torn = [disk.left("", Unsafe.TORN, dice) for _ in range(200)]
    assert {name for found in torn for name in found} == {"a", "b"}
    halves = {found[name][at] for found in torn for name in found for at in (0, 512)}
    assert halves == set(b"xy")
    assert len({content for found in torn for content in found.values()}) == 4
    disk.do(step("t", at=3))
    disk.do(step("u", "b"))
    assert disk.left("", Unsafe.ALL, dice) == {}
    assert disk.left("", Unsafe.DROP, dice) == {"a": b"x" * 1024}
