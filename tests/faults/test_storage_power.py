"""The power fails at every statement of every way of writing: all of it is there, or nothing."""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from e2ecore.storage import (
    conversations,
    inbox,
    intents,
    key_packages,
    members,
    messages,
    mls_rows,
    outbox,
    quarantine,
    settings,
)
from e2ecore.storage.conversations import LIVE_ORDER
from e2ecore.storage.database import Database, is_present
from e2ecore.storage.errors import WrongPassphraseError
from e2ecore.storage.key_packages import KeyPackageRow
from e2ecore.storage.members import Role
from e2ecore.storage.messages import MessageState
from e2ecore.storage.migrations.steps import steps
from e2ecore.storage.sql import select
from e2ecore.storage.tx import Tx
from tests.support.databases import (
    CHEAP,
    PASSPHRASE,
    create_database,
    message,
    new_conversation,
    numbered,
    open_database,
    waiting,
)
from tests.support.power import Power, PowerCut, every_cut

Contents = dict[str, list[object]]
TABLES = (
    "conversations",
    "members",
    "messages",
    "outbox",
    "intents",
    "inbox_cursor",
    "quarantine",
    "key_packages",
    "mls_rows",
    "mls_nodes",
)


def contents(tx: Tx) -> Contents:
    """Everything that is in the database."""
    return {table: list(tx.rows(tuple, select(table, "*"))) for table in TABLES}


def prepare(tx: Tx) -> None:
    """One conversation with two members, some history and a few things under way."""
    row = new_conversation(tx)
    members.save(
        tx, [members.new_row(row.cid, numbered(7, 20), numbered(n), n, Role.OWNER) for n in (1, 2)]
    )
    messages.insert(tx, [message(row.cid, number, MessageState.QUEUED) for number in range(3)])
    outbox.add(tx, [waiting(n + 1, row.cid, message(row.cid, n).id) for n in range(3)])
    mls_rows.apply(tx, row.cid, {(7, 0, n): b"ratchet %d" % n for n in range(4)})
    intents.add(tx, row.cid, 1, b"args", 5)
    key_packages.add(tx, [KeyPackageRow(numbered(1, 32), b"bundle", 0, 2, 10**13)])


def send(tx: Tx) -> None:
    """Message, envelope, ratchet step, counter."""
    row = conversations.get(tx, 1)
    assert row is not None
    messages.insert(tx, [message(1, 3, MessageState.QUEUED)])
    outbox.add(tx, [waiting(4, 1, message(1, 3).id)])
    mls_rows.apply(tx, 1, {(7, 0, 0): b"stepped"})
    conversations.save_traffic(
        tx, [row._replace(own_counter=row.own_counter + 1, next_order=LIVE_ORDER + 4)]
    )


def accepted(tx: Tx) -> None:
    """The relay has answered."""
    outbox.remove(tx, [1, 2])
    messages.mark_accepted(tx, [(10, message(1, 0).id), (11, message(1, 1).id)])


def receive(tx: Tx) -> None:
    """A batch of messages from one sender, one poisoned envelope, the cursor."""
    row, member = conversations.get(tx, 1), members.get(tx, 1, numbered(2))
    assert row is not None
    assert member is not None
    messages.insert(tx, [message(1, number) for number in range(3, 60)])
    mls_rows.apply(tx, 1, {(7, 0, 2): b"stepped", (7, 0, 3): None})
    members.save(tx, [member._replace(receive_counter=57)])
    quarantine.add(
        tx, cid=1, seq=58, kind=1, epoch=0, envelope_id=numbered(58), payload=b"poison",
        error="DecryptionError", created_ms=6,
    )  # fmt: skip
    conversations.save_traffic(tx, [row._replace(cursor=58, unread=57, last_mid=60)])


def commit_made(tx: Tx) -> None:
    """An intent gets its commit, before that is sent."""
    intents.commit_made(tx, 1, epoch=0, envelope_id=numbered(9), pending=b"pending" * 1_000)
    mls_rows.apply(tx, 1, {(7, 0, 0): b"handshake step"})


def commit_merged(tx: Tx) -> None:
    """A new epoch: tree nodes, fresh secrets, old ones gone, a member more, the wish fulfilled."""
    row = conversations.get(tx, 1)
    assert row is not None
    changes: dict[mls_rows.RowKey, bytes | None] = {(4, 0, n): b"node" * 300 for n in range(9)}
    changes |= {(7, 0, n): None for n in range(4)} | {(2, 0, 0): b"epoch secrets"}
    mls_rows.apply(tx, 1, changes)
    members.save(tx, [members.new_row(1, numbered(9, 20), numbered(3), 3, Role.MEMBER)])
    conversations.save(tx, row._replace(epoch=1, cursor=4, info=b"info", title="Trip"))
    intents.remove(tx, 1)


def join(tx: Tx) -> None:
    """A Welcome: the key package is used up, a conversation begins, the inbox moves on."""
    key_packages.remove(tx, numbered(1, 32))
    row = new_conversation(tx, 2)
    members.save(
        tx, [members.new_row(row.cid, numbered(n, 20), numbered(n), n, 1) for n in range(5)]
    )
    mls_rows.apply(tx, row.cid, {(4, 0, n): b"node" for n in range(9)})
    inbox.advance(tx, 1)


@pytest.mark.parametrize("work", [send, accepted, receive, commit_made, commit_merged, join])
def test_a_job_is_all_or_nothing_wherever_the_power_fails(
    tmp_path: Path, work: Callable[[Tx], None]
) -> None:
    before, after = reference(tmp_path / "reference.db", work)
    assert before != after
    cuts = 0
    for power in every_cut():
        path = tmp_path / f"{power.survives}-{power.last_runs}.db"
        database = create_database(path, power.connect)
        database.writer.call(prepare)
        power.arm()
        told = False
        with suppress(PowerCut):
            database.writer.call(work)
            told = True
        database.close()
        found = look(path)
        assert found in (before, after), power
        assert found == after or not told, power
        cuts += power.was_cut
    assert cuts >= 8


def reference(path: Path, work: Callable[[Tx], None]) -> tuple[Contents, Contents]:
    database = create_database(path)
    database.writer.call(prepare)
    before = database.readers.read(contents)
    database.writer.call(work)
    after = database.readers.read(contents)
    database.close()
    return before, after


def look(path: Path) -> Contents:
    database = open_database(path)
    found = database.readers.read(contents)
    database.check()
    database.close()
    return found


def test_jobs_that_share_a_commit_are_each_all_or_nothing_and_never_out_of_order(
    tmp_path: Path,
) -> None:
    for power in every_cut():
        path = tmp_path / f"{power.survives}-{power.last_runs}.db"
        database = create_database(path, power.connect)
        database.writer.call(new_conversation)
        power.arm()
        jobs = [database.writer.submit(partial(two_messages, number)) for number in (0, 2, 4)]
        database.close()
        told = 0
        for number, job in enumerate(jobs):
            with suppress(PowerCut):
                job.result()
                assert told == number, "an earlier job was reported lost"
                told += 1
        database = open_database(path)
        rows = database.readers.read(lambda tx: messages.newest(tx, 1))
        database.close()
        stored = [row.counter - 1 for row in reversed(rows)]
        assert stored == list(range(len(stored)))
        assert len(stored) % 2 == 0
        assert told * 2 <= len(stored)


def two_messages(number: int, tx: Tx) -> None:
    messages.insert(tx, [message(1, number)])
    messages.insert(tx, [message(1, number + 1)])


@pytest.mark.slow
def test_a_creation_cut_anywhere_is_begun_anew_or_finished(tmp_path: Path) -> None:
    for power in every_cut():
        path = tmp_path / f"{power.survives}-{power.last_runs}.db"
        power.arm()
        with suppress(PowerCut):
            create_database(path, power.connect).close()
        database = open_or_create(path)
        assert set(TABLES) <= set(database.readers.read(tables))
        assert database.readers.read(inbox.cursor) == 0
        database.close()


def tables(tx: Tx) -> list[str]:
    return tx.rows(lambda row: str(row[0]), "SELECT name FROM sqlite_schema WHERE type = 'table'")


def open_or_create(path: Path) -> Database:
    """What an application does after a crash."""
    if is_present(path):
        return open_database(path)
    return create_database(path)


class Disk:
    """Dies at the n-th time that this thread makes a file durable or renames one."""

    def __init__(self, patch: pytest.MonkeyPatch, survives: int) -> None:
        self._left = survives
        self._thread = threading.current_thread()
        for owner, name in ((os, "fsync"), (Path, "replace")):
            patch.setattr(owner, name, self._dying(getattr(owner, name)))

    def _dying(self, real: Callable[..., object]) -> Callable[..., object]:  # type: ignore[explicit-any]  # any signature
        def call(*args: object) -> object:
            self._left -= threading.current_thread() is self._thread
            if self._left < 0:
                raise PowerCut
            return real(*args)

        return call


def test_a_change_of_passphrase_cut_anywhere_leaves_the_old_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    for survives in range(9):
        path = tmp_path / f"{survives}.db"
        database = create_database(path)
        with monkeypatch.context() as patch, suppress(PowerCut):
            Disk(patch, survives)
            database.change_passphrase(PASSPHRASE, "new", parameters=CHEAP)
            opened.append("returned")
        database.close()
        opened.append(one_that_opens(path, PASSPHRASE, "new"))
    assert opened[:2] == [PASSPHRASE, PASSPHRASE]
    assert opened[-2:] == ["returned", "new"]
    assert "returned" not in opened[: opened.index("new")]


def one_that_opens(path: Path, *passphrases: str) -> str:
    for passphrase in passphrases:
        with suppress(WrongPassphraseError):
            Database.open(path, passphrase).close()
            return passphrase
    raise AssertionError("the database is lost")


def test_a_creation_cut_at_any_file_operation_is_begun_anew_or_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished = False
    for survives in range(12):
        path = tmp_path / f"{survives}.db"
        with monkeypatch.context() as patch, suppress(PowerCut):
            Disk(patch, survives)
            create_database(path).close()
            finished = True
        database = open_or_create(path)
        assert database.readers.read(inbox.cursor) == 0
        database.close()
    assert finished


@pytest.mark.slow
def test_a_migration_cut_anywhere_is_finished_at_the_next_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = """
        ALTER TABLE settings ADD COLUMN extra INTEGER NOT NULL DEFAULT 7;
        CREATE TABLE more (a INTEGER NOT NULL PRIMARY KEY) STRICT;
        INSERT INTO more VALUES (1);
    """
    first = steps()
    for power in every_cut():
        path = tmp_path / f"{power.survives}-{power.last_runs}.db"
        with monkeypatch.context() as old:
            old.setattr("e2ecore.storage.migrations.steps.steps", lambda: first)
            create_database(path).close()
        with monkeypatch.context() as new:
            new.setattr("e2ecore.storage.migrations.steps.steps", lambda: (*first, more))
            power.arm()
            with suppress(PowerCut):
                open_database(path, power.connect).close()
            database = open_database(path)
            count = database.readers.read(lambda tx: tx.value(int, "SELECT sum(a) FROM more"))
            version = database.readers.read(lambda tx: tx.value(int, "PRAGMA user_version"))
            database.close()
        assert (count, version) == (1, len(first) + 1), power


@pytest.mark.slow
def test_a_migration_in_slices_cut_anywhere_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    column = "ALTER TABLE settings ADD COLUMN extra INTEGER;"
    sliced = """-- sliced
        UPDATE settings SET extra = 7 WHERE name IN
            (SELECT name FROM settings WHERE extra IS NULL LIMIT 2);
    """
    first = steps()
    done: list[int] = []
    for power in every_cut():
        path = tmp_path / f"{power.survives}-{power.last_runs}.db"
        with monkeypatch.context() as old:
            old.setattr("e2ecore.storage.migrations.steps.steps", lambda: first)
            database = create_database(path)
            database.writer.call(seven_settings)
            database.close()
        with monkeypatch.context() as new:
            new.setattr("e2ecore.storage.migrations.steps.steps", lambda: (*first, column, sliced))
            power.arm()
            with suppress(PowerCut):
                open_database(path, power.connect).close()
            database = open_database(path)
            rows = database.readers.read(
                lambda tx: tx.rows(lambda row: int(str(row[0])), "SELECT extra FROM settings")
            )
            version = database.readers.read(lambda tx: tx.value(int, "PRAGMA user_version"))
            database.close()
        assert (rows, version) == ([7] * 7, len(first) + 2), power
        done.append(power.survives)
    assert done[-1] > 20, "each slice is a transaction of its own"


def seven_settings(tx: Tx) -> None:
    for number in range(7):
        settings.put(tx, f"{number}", b"")


def test_the_plan_of_cuts_ends_and_is_bounded() -> None:
    assert sum(1 for _ in every_cut()) == 1
    endless = every_cut(limit=2)
    for _ in range(4):
        next(endless).was_cut = True
    with pytest.raises(AssertionError, match="more than 2"):
        next(endless)
    assert repr(Power(3)) == "Power(survives=3, last_runs=False)"
