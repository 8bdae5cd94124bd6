import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from e2ecore.errors import CorruptStateError, TransientError, UsageError
from e2ecore.storage import messages, settings
from e2ecore.storage.database import Database, is_present
from e2ecore.storage.errors import (
    ClosedError,
    CorruptDatabaseError,
    DatabaseExistsError,
    DatabaseInUseError,
    DatabaseMissingError,
    DiskError,
    DiskFullError,
    KeyFileDamagedError,
    KeyFileMissingError,
    NewerSchemaError,
    NotADatabaseError,
    ReadOnlyError,
    StorageError,
    WrongPassphraseError,
)
from e2ecore.storage.migrations.steps import steps
from e2ecore.storage.tx import Tx
from tests.support.databases import (
    CHEAP,
    PASSPHRASE,
    create_database,
    message,
    new_conversation,
    open_database,
)

ROOT = Path(__file__).parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with one setting in it, closed."""
    path = tmp_path / "alice.db"
    database = create_database(path)
    database.writer.call(lambda tx: settings.put(tx, "greeting", b"hello"))
    database.close()
    return path


def keys_of(path: Path) -> Path:
    return path.with_name(path.name + ".keys")


def assert_still_whole(path: Path) -> None:
    database = open_database(path)
    assert database.readers.read(lambda tx: settings.get(tx, "greeting")) == b"hello"
    database.close()


def test_what_was_stored_is_there_when_it_is_opened_again(path: Path) -> None:
    assert_still_whole(path)


def test_closing_leaves_one_database_file_and_no_log(path: Path) -> None:
    names = sorted(file.name for file in path.parent.iterdir())
    assert names == ["alice.db", "alice.db.keys", "alice.db.lock"]


def test_closing_twice_is_fine_and_using_it_afterwards_is_not(path: Path) -> None:
    database = open_database(path)
    database.close()
    database.close()
    with pytest.raises(ClosedError, match="Open it again"):
        database.writer.call(lambda tx: settings.put(tx, "a", b""))
    with pytest.raises(ClosedError):
        database.readers.read(lambda tx: settings.get(tx, "a"))


def test_all_files_are_private(path: Path) -> None:
    database = open_database(path)
    modes = {file.name: file.stat().st_mode & 0o077 for file in path.parent.iterdir()}
    database.close()
    assert set(modes.values()) == {0}
    assert f"{path.name}-wal" in modes


@pytest.mark.clause("GB42012-8.1.1c")
@pytest.mark.clause("GB42012-8.1.2a")
def test_nothing_readable_is_on_the_disk(path: Path) -> None:
    database = open_database(path)
    database.writer.call(lambda tx: settings.put(tx, "canary", b"a very secret canary" * 99))
    contents = b"".join(file.read_bytes() for file in path.parent.iterdir())
    database.close()
    assert b"canary" not in contents
    assert b"CREATE TABLE" not in contents
    assert b"SQLite" not in contents


def test_the_recipe_of_the_connections_is_in_force(path: Path) -> None:
    database = open_database(path)
    names = ("synchronous", "secure_delete", "foreign_keys", "trusted_schema", "cell_size_check")

    def pragmas(tx: Tx) -> list[int | None]:
        return [tx.value(int, f"PRAGMA {name}") for name in names]

    assert database.writer.call(pragmas) == [2, 1, 1, 0, 1]
    assert database.writer.call(lambda tx: tx.value(str, "PRAGMA journal_mode")) == "wal"
    assert database.writer.call(lambda tx: tx.value(str, "PRAGMA cipher_page_size")) == "4096"
    assert database.readers.read(lambda tx: tx.value(int, "PRAGMA query_only")) == 1
    database.close()


def test_a_missing_database_is_said_to_be_missing_and_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(DatabaseMissingError, match="Check the path"):
        open_database(tmp_path / "alice.db")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_directory_is_a_missing_database(tmp_path: Path) -> None:
    with pytest.raises(DatabaseMissingError):
        open_database(tmp_path / "nowhere" / "alice.db")


@pytest.mark.clause("GB42012-8.1.1c")
def test_a_wrong_passphrase_changes_nothing(path: Path) -> None:
    with pytest.raises(WrongPassphraseError):
        Database.open(path, "wrong")
    assert_still_whole(path)


def test_a_second_database_is_never_created_over_the_first(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(DatabaseExistsError):
        create_database(path)
    assert path.read_bytes() == before
    assert_still_whole(path)


def test_a_database_without_its_keys_is_kept_and_said_to_lack_them(path: Path) -> None:
    keys_of(path).rename(path.parent / "put away")
    with pytest.raises(KeyFileMissingError):
        open_database(path)
    with pytest.raises(DatabaseExistsError):
        create_database(path)
    (path.parent / "put away").rename(keys_of(path))
    assert_still_whole(path)


def test_keys_without_their_database_are_kept_and_said_to_lack_it(path: Path) -> None:
    path.rename(path.parent / "put away")
    assert is_present(path)
    with pytest.raises(DatabaseMissingError):
        open_database(path)
    with pytest.raises(DatabaseExistsError):
        create_database(path)
    (path.parent / "put away").rename(path)
    assert_still_whole(path)


def test_a_damaged_key_file_is_no_wrong_passphrase(path: Path) -> None:
    data = keys_of(path).read_bytes()
    keys_of(path).write_bytes(data[:-20])
    with pytest.raises(KeyFileDamagedError):
        open_database(path)
    with pytest.raises(DatabaseExistsError):
        create_database(path)
    keys_of(path).write_bytes(data)
    assert_still_whole(path)


def test_the_key_file_of_another_database_does_not_fit(path: Path, tmp_path: Path) -> None:
    create_database(tmp_path / "bob.db").close()
    shutil.copy(keys_of(tmp_path / "bob.db"), keys_of(path))
    with pytest.raises(NotADatabaseError, match="key file beside it"):
        open_database(path)


def test_a_plain_sqlite_file_is_not_taken_for_a_database(path: Path) -> None:
    path.unlink()
    plain = sqlite3.connect(path)
    plain.execute("CREATE TABLE t (x)")
    plain.close()
    with pytest.raises(NotADatabaseError):
        open_database(path)


def test_a_foreign_file_is_not_taken_for_a_database(path: Path) -> None:
    path.write_bytes(b"%PDF-1.7 and more" * 1_000)
    with pytest.raises(NotADatabaseError):
        open_database(path)


@pytest.mark.parametrize("size", [0, 5, 16, 100, 4095])
def test_a_database_cut_off_within_its_first_page_is_damaged(path: Path, size: int) -> None:
    os.truncate(path, size)
    with pytest.raises(CorruptDatabaseError, match="Restore a copy"):
        open_database(path)


def test_a_database_cut_off_in_the_middle_is_damaged(path: Path) -> None:
    size = path.stat().st_size
    os.truncate(path, 4096 * 3)
    with pytest.raises(CorruptDatabaseError):
        read_everything(path)
    assert size > 4096 * 3


def test_any_damaged_page_is_noticed(path: Path) -> None:
    whole = path.read_bytes()
    for page in range(len(whole) // 4096):
        damaged = bytearray(whole)
        damaged[page * 4096 + 2000] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(CorruptDatabaseError):
            read_everything(path)
    path.write_bytes(whole)
    assert_still_whole(path)


def read_everything(path: Path) -> None:
    database = open_database(path)
    try:
        database.check()
    finally:
        database.close()


def test_a_whole_database_passes_the_check(path: Path) -> None:
    read_everything(path)


def test_a_damaged_start_of_the_file_does_no_harm_because_the_key_file_has_a_copy(
    path: Path,
) -> None:
    whole = path.read_bytes()
    path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    assert_still_whole(path)


def test_a_file_that_is_too_short_and_starts_differently_is_foreign(path: Path) -> None:
    path.write_bytes(b"short")
    with pytest.raises(NotADatabaseError):
        open_database(path)


def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    database = open_database(path)
    newer = len(steps()) + 1
    database.writer.call(lambda tx: tx.execute(f"PRAGMA user_version = {newer}"))
    database.close()
    with pytest.raises(NewerSchemaError, match="Update the program"):
        open_database(path)


def test_a_database_of_another_application_is_refused(path: Path) -> None:
    database = open_database(path)
    database.writer.call(lambda tx: tx.execute("PRAGMA application_id = 7"))
    database.close()
    with pytest.raises(NotADatabaseError):
        open_database(path)


def test_two_openings_at_once_are_refused_even_in_one_process(path: Path) -> None:
    database = open_database(path)
    with pytest.raises(DatabaseInUseError, match="Close the other program"):
        open_database(path)
    database.close()
    assert_still_whole(path)


HOLDER = """
import sys, time
from pathlib import Path
from tests.support.databases import open_database
database = open_database(Path(sys.argv[1]))
print("open", flush=True)
time.sleep(60)
"""


@pytest.mark.slow
def test_another_process_is_refused_until_the_first_one_is_killed(path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    with holder, holder.stdout:
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(DatabaseInUseError):
            open_database(path)
        holder.kill()
        holder.wait()
    assert_still_whole(path)


def test_a_changed_passphrase_opens_and_the_database_file_is_not_touched(path: Path) -> None:
    before = path.read_bytes()
    database = open_database(path)
    with pytest.raises(WrongPassphraseError):
        database.change_passphrase("wrong", "new", parameters=CHEAP)
    database.change_passphrase(PASSPHRASE, "new", parameters=CHEAP)
    database.close()
    assert path.read_bytes() == before
    with pytest.raises(WrongPassphraseError):
        open_database(path)
    Database.open(path, "new").close()


def test_a_failed_opening_leaves_the_database_free_for_others(path: Path) -> None:
    with pytest.raises(WrongPassphraseError):
        Database.open(path, "wrong")
    assert_still_whole(path)


def test_history_does_not_make_opening_dearer(path: Path) -> None:
    """Counted in pages read, not in time: opening looks at no table of the history."""
    database = open_database(path)
    conversation = database.writer.call(new_conversation)
    rows = [message(conversation.cid, number) for number in range(5_000)]
    database.writer.call(lambda tx: messages.insert(tx, rows))
    database.close()
    assert path.stat().st_size > 100 * 4096
    whole = path.read_bytes()
    damaged = bytearray(whole)
    for page in range(96, len(whole) // 4096):
        damaged[page * 4096 + 1000] ^= 1
    path.write_bytes(damaged)
    open_database(path).close()


@pytest.mark.parametrize(
    ("kind", "family"),
    [
        (WrongPassphraseError, UsageError),
        (DatabaseMissingError, UsageError),
        (DatabaseExistsError, UsageError),
        (NotADatabaseError, UsageError),
        (NewerSchemaError, UsageError),
        (ReadOnlyError, UsageError),
        (ClosedError, UsageError),
        (DatabaseInUseError, TransientError),
        (DiskFullError, TransientError),
        (DiskError, TransientError),
        (KeyFileMissingError, CorruptStateError),
        (KeyFileDamagedError, CorruptStateError),
        (CorruptDatabaseError, CorruptStateError),
    ],
)
def test_each_error_says_whose_fault_it_is_and_what_to_do(
    kind: type[StorageError], family: type[Exception]
) -> None:
    assert issubclass(kind, family)
    text = str(kind())
    assert text.count(".") >= 2, "a finding and an advice"
    assert str(kind("CODE")).endswith("[CODE]")
