"""Pages are damaged: what can be read is saved, and the damaged file stays as it was."""

import random  # noqa: TID251 - chooses pages, not keys
import shutil
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from e2ecore.storage import (
    conversations,
    files,
    messages,
    mls_rows,
    outbox,
    search,
    search_index,
)
from e2ecore.storage.connecting import Opener
from e2ecore.storage.conversations import ConversationState
from e2ecore.storage.database import Database
from e2ecore.storage.errors import (
    CorruptDatabaseError,
    DiskFullError,
    NotADatabaseError,
    UnreadableDatabaseError,
)
from e2ecore.storage.imports import FIRST_ORDER
from e2ecore.storage.keys import KeyFile, database_key
from e2ecore.storage.messages import MessageState, message_row_id
from e2ecore.storage.salvage_progress import Progress
from e2ecore.storage.salvage_trees import Gap
from e2ecore.storage.tx import Tx
from tests.support.databases import (
    PASSPHRASE,
    create_database,
    message,
    new_conversation,
    open_database,
    waiting,
)
from tests.support.power import PowerCut, every_cut

ROOT = Path(__file__).parents[2]
PAGE = 4096
MESSAGES = 3_000

REPAIR = """
import os, sys
from pathlib import Path
from e2ecore.storage.database import Database
os.write(1, b"ready\\n")
Database.repair(Path(sys.argv[1]), sys.argv[2])
os.write(1, b"done\\n")
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Both files of a database with three conversations, the messages of which lie together."""
    path = tmp_path_factory.mktemp("whole") / "alice.db"
    database = create_database(path)

    def fill(tx: Tx) -> None:
        for number in (1, 2, 3):
            row = new_conversation(tx, number)
            rows = [message(row.cid, n)._replace(uid=(n * 4 + number).to_bytes(16, "big"))
                    for n in range(MESSAGES // 3)]  # fmt: skip
            messages.insert(tx, rows)
            mls_rows.apply(tx, row.cid, {(7, 0, n): b"ratchet" * 20 for n in range(100)})
        own = message(1, MESSAGES, MessageState.QUEUED)._replace(uid=b"\1" * 16)
        messages.insert(tx, [own])
        outbox.add(tx, [waiting(1, 1, own.id)])

    database.writer.call(fill)
    database.close()
    return {name: (path.parent / name).read_bytes() for name in ("alice.db", "alice.db.keys")}


@pytest.fixture(scope="module")
def leaves(
    whole: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[int]]:
    """Some leaf pages of the tables with the most rows."""
    path = laid_out(whole, tmp_path_factory.mktemp("leaves"))
    return {name: pages_of(path, name) for name in BODIES}


def laid_out(whole: dict[str, bytes], folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in whole.items():
        (folder / name).write_bytes(content)
    return folder / "alice.db"


def damage(path: Path, *pages: int) -> None:
    """Change one byte of each of these pages; the first page has number 1."""
    content = bytearray(path.read_bytes())
    for page in pages:
        content[(page - 1) * PAGE + 1_000] ^= 1
    path.write_bytes(content)


def pages_of(path: Path, name: str) -> list[int]:
    """Some leaf pages of a table: those whose damage a scan of the whole table meets."""
    keys = KeyFile.load(files.keys_of(path))
    opener = Opener(path, database_key(keys.unlock(PASSPHRASE)), keys.database)
    found: list[int] = []
    content = path.read_bytes()
    for page in range(len(content) // PAGE, 60, -3):
        damage(path, page)
        with suppress(CorruptDatabaseError), closing(opener.reader()) as reader:
            # Where the schema itself is damaged, there is no reader at all.
            try:
                reader.rows(tuple, f"SELECT {BODIES[name]} FROM {name}")  # noqa: S608 - ours
            except CorruptDatabaseError:
                found.append(page)
        path.write_bytes(content)
        if len(found) == 10:
            break
    return found


BODIES = {"messages": "body", "mls_rows": "value"}


def stored(path: Path) -> list[int]:
    database = open_database(path)
    database.check()
    found = database.readers.read(
        lambda tx: tx.rows(lambda row: int(str(row[0])), "SELECT id FROM messages ORDER BY id")
    )
    database.close()
    return found


def test_where_nothing_is_damaged_nothing_is_done(whole: dict[str, bytes], tmp_path: Path) -> None:
    path = laid_out(whole, tmp_path / "a")
    assert Database.repair(path, PASSPHRASE) is None
    assert path.read_bytes() == whole["alice.db"]
    assert sorted(one.name for one in path.parent.iterdir()) == [
        "alice.db", "alice.db.keys", "alice.db.lock",
    ]  # fmt: skip


def test_all_but_the_rows_of_the_damaged_pages_are_saved(
    whole: dict[str, bytes], leaves: dict[str, list[int]], tmp_path: Path
) -> None:
    path = laid_out(whole, tmp_path / "a")
    chosen = leaves["messages"][2:10:3]
    damage(path, *chosen)
    damaged = path.read_bytes()
    report = Database.repair(path, PASSPHRASE)
    assert report is not None
    assert report.set_aside.name == "alice.db.damaged-1"
    assert report.set_aside.read_bytes() == damaged, "not one byte of it is changed"
    found = stored(path)
    assert len(found) == report.saved["messages"]
    assert MESSAGES - 60 * len(chosen) < len(found) < MESSAGES
    assert report.gaps["messages"] == len(chosen)
    assert sorted(one.name for one in path.parent.iterdir()) == [
        "alice.db", "alice.db.damaged-1", "alice.db.keys", "alice.db.lock",
    ]  # fmt: skip


def test_conversations_that_lost_a_part_of_their_group_ask_to_be_added_again(
    whole: dict[str, bytes], leaves: dict[str, list[int]], tmp_path: Path
) -> None:
    path = laid_out(whole, tmp_path / "a")
    chosen = leaves["mls_rows"]
    assert chosen
    damage(path, chosen[len(chosen) // 2])
    report = Database.repair(path, PASSPHRASE)
    assert report is not None
    assert report.gaps == {"mls_rows": 1}
    database = open_database(path)
    rows = {row.cid: row for row in database.readers.read(conversations.all_rows)}
    left = database.readers.read(
        lambda tx: tx.rows(lambda row: int(str(row[0])), "SELECT DISTINCT gid FROM mls_rows")
    )
    database.close()
    healing = {cid for cid, row in rows.items() if row.state == ConversationState.HEALING}
    assert healing
    assert healing.isdisjoint(left), "a part of a group's state is worse than none"
    assert healing | set(left) == {1, 2, 3}


def test_imported_messages_are_found_again_after_a_repair(
    whole: dict[str, bytes], leaves: dict[str, list[int]], tmp_path: Path
) -> None:
    path = laid_out(whole, tmp_path / "a")
    database = open_database(path)

    def bring_in(tx: Tx) -> None:
        row = new_conversation(tx, 4)
        tx.execute("UPDATE conversations SET kind = 3, last_mid = 9001 WHERE cid = ?", (row.cid,))
        mark = message(row.cid, 1)._replace(mid=9001, body="imported words")
        messages.insert(tx, [mark._replace(id=message_row_id(row.cid, FIRST_ORDER))])

    database.writer.call(bring_in)
    database.close()
    damage(path, leaves["messages"][4])
    assert Database.repair(path, PASSPHRASE) is not None
    database = open_database(path)
    while database.writer.call(lambda tx: search_index.step(tx, 1_000)):
        pass
    found = database.readers.read(lambda tx: search.find(tx, "imported"))
    database.close()
    assert [row.mid for row in found.rows] == [9001]


def test_a_database_without_one_page_left_is_told_and_not_changed(
    whole: dict[str, bytes], tmp_path: Path
) -> None:
    path = laid_out(whole, tmp_path / "a")
    damage(path, *range(1, len(whole["alice.db"]) // PAGE + 1))
    damaged = path.read_bytes()
    with pytest.raises(UnreadableDatabaseError):
        Database.repair(path, PASSPHRASE)
    assert path.read_bytes() == damaged
    assert not (path.parent / "alice.db.repair").exists()


def test_a_file_of_something_else_is_not_repaired(whole: dict[str, bytes], tmp_path: Path) -> None:
    path = laid_out(whole, tmp_path / "a")
    path.write_bytes(random.Random(8).randbytes(3 * PAGE))
    with pytest.raises(NotADatabaseError):
        Database.repair(path, PASSPHRASE)


@pytest.mark.parametrize("page", range(1, 12))
def test_without_a_page_of_the_schema_every_message_is_saved(
    page: int, whole: dict[str, bytes], tmp_path: Path
) -> None:
    path = laid_out(whole, tmp_path / "a")
    damage(path, page)
    damaged = path.read_bytes()
    report = Database.repair(path, PASSPHRASE)
    assert report is not None
    assert report.set_aside.read_bytes() == damaged
    assert len(stored(path)) == MESSAGES + 1


def test_without_its_start_and_its_end_the_rest_of_a_file_is_saved(
    whole: dict[str, bytes], tmp_path: Path
) -> None:
    path = laid_out(whole, tmp_path / "a")
    content = whole["alice.db"]
    path.write_bytes(bytes(PAGE) + content[PAGE : len(content) - 20 * PAGE - 100])
    with pytest.raises(NotADatabaseError):
        open_database(path)
    assert Database.repair(path, PASSPHRASE) is not None
    assert MESSAGES - 21 * 60 < len(stored(path)) <= MESSAGES + 1


def test_what_is_in_the_log_alone_is_saved_and_the_log_set_aside(
    whole: dict[str, bytes], tmp_path: Path
) -> None:
    path = laid_out(whole, tmp_path / "a")
    database = open_database(path)
    more = [message(2, n)._replace(uid=n.to_bytes(16, "big")) for n in range(5_000, 5_050)]
    database.writer.call(lambda tx: messages.insert(tx, more))
    copy = tmp_path / "b"
    copy.mkdir()
    for name in ("alice.db", "alice.db-wal", "alice.db.keys"):
        shutil.copy(path.parent / name, copy / name)
    database.close()
    log = copy / "alice.db-wal"
    log.write_bytes(log.read_bytes() + b"torn" * 2_000)
    content = log.read_bytes()
    damage(copy / "alice.db", 1, 2)
    assert Database.repair(copy / "alice.db", PASSPHRASE) is not None
    assert (copy / "alice.db.damaged-1-wal").read_bytes() == content
    assert {one.id for one in more} <= set(stored(copy / "alice.db"))


@pytest.mark.slow
def test_a_repair_cut_at_any_statement_is_finished_by_the_next_one(
    whole: dict[str, bytes], leaves: dict[str, list[int]], tmp_path: Path
) -> None:
    path = laid_out(whole, tmp_path / "reference")
    leaf = leaves["messages"][4]
    damage(path, leaf)
    assert Database.repair(path, PASSPHRASE) is not None
    expected = stored(path)
    for cut, power in enumerate(every_cut(60_000)):
        if cut % 997:
            power.was_cut = True
            continue
        path = laid_out(whole, tmp_path / f"{power.survives}-{power.last_runs}")
        damage(path, leaf)
        power.arm()
        with suppress(PowerCut):
            Database.repair(path, PASSPHRASE, connect=power.connect)
        Database.repair(path, PASSPHRASE)
        assert stored(path) == expected, power


@pytest.mark.slow
def test_killed_again_and_again_a_repair_comes_to_its_end(
    whole: dict[str, bytes], leaves: dict[str, list[int]], tmp_path: Path
) -> None:
    path = laid_out(whole, tmp_path / "a")
    leaf = leaves["messages"][4]
    damage(path, leaf)
    dice = random.Random(3)
    for number in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", REPAIR, str(path), PASSPHRASE], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        time.sleep(dice.uniform(0.0, 0.05 * number))
        child.kill()
        child.wait()
        child.stdout.close()
    Database.repair(path, PASSPHRASE)
    assert MESSAGES - 60 < len(stored(path)) < MESSAGES


def test_without_space_a_repair_says_so_and_goes_on_later(
    whole: dict[str, bytes],
    leaves: dict[str, list[int]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = laid_out(whole, tmp_path / "a")
    damage(path, leaves["messages"][4])
    with monkeypatch.context() as patch:
        left = iter(range(6))

        def full(*_: object) -> str:
            if next(left, None) is None:
                raise DiskFullError
            return "[0, 0, []]"

        patch.setattr(Progress, "encode", full)
        with pytest.raises(DiskFullError):
            Database.repair(path, PASSPHRASE)
    assert (path.parent / "alice.db.repair").exists()
    assert path.exists()


def cut_before(step: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a repair end at the beginning of one of its steps."""

    def stop(*_: object) -> None:
        raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr(f"e2ecore.storage.salvage.{step}", stop)
        with suppress(PowerCut):
            Database.repair(path, PASSPHRASE)


def test_a_database_that_was_used_meanwhile_is_saved_from_the_start(
    whole: dict[str, bytes],
    leaves: dict[str, list[int]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = laid_out(whole, tmp_path / "a")
    damage(path, leaves["messages"][4])
    cut_before("mend", path, monkeypatch)
    assert (path.parent / "alice.db.repair").exists()
    open_database(path).close()
    assert not (path.parent / "alice.db.repair").exists()


def test_an_exchange_cut_in_the_middle_is_finished_by_opening(
    whole: dict[str, bytes],
    leaves: dict[str, list[int]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = laid_out(whole, tmp_path / "a")
    damage(path, leaves["messages"][4])
    cut_before("_move_in", path, monkeypatch)
    assert not path.exists()
    assert MESSAGES - 60 < len(stored(path)) < MESSAGES


def test_how_far_a_repair_is_survives_being_written_down() -> None:
    progress = Progress(3, 70, [Gap((1, b"\0x"), None), Gap(None, ("a",))])
    assert Progress.decode(progress.encode()) == progress
