"""Ways to open a database other than a passphrase, and the changes of its slots."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyring.backends.fail import Keyring as NoKeyring

from e2ecore.crypto.rng import system_rng
from e2ecore.storage import files, recovery_codes, slot_changes
from e2ecore.storage.database import Database
from e2ecore.storage.errors import (
    BadHostKeyError,
    BadRecoveryCodeError,
    DiskError,
    DiskFullError,
    KeyringEntryMissingError,
    KeyringUnavailableError,
    LastSlotError,
    NewerSchemaError,
    ReadOnlyError,
    StorageError,
    TooManySlotsError,
    UnknownSlotError,
    WeakPassphraseError,
    WrongKeyError,
    WrongPassphraseError,
)
from e2ecore.storage.keys import KeyFile
from e2ecore.storage.slots import canonical
from e2ecore.storage.strength import check_passphrase, passphrase_strength
from e2ecore.storage.unlocking import HostKey, Key, OsKeyring, RecoveryCode
from tests.support.databases import CHEAP, PASSPHRASE, create_database
from tests.support.keyrings import MemoryKeyring

HOST = HostKey(bytes(range(32)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "alice.db"
    create_database(path).close()
    return path


@pytest.fixture
def memory() -> Iterator[MemoryKeyring]:
    """A keyring that the library finds."""
    before, now = keyring.get_keyring(), MemoryKeyring()
    keyring.set_keyring(now)
    yield now
    keyring.set_keyring(before)


def opens(path: Path, key: Key) -> bool:
    try:
        Database.open(path, key).close()
    except WrongKeyError:
        return False
    return True


def test_a_recovery_code_opens_however_it_is_typed(path: Path) -> None:
    code = recovery_codes.new_recovery_code(system_rng)
    slot_changes.add(path, PASSPHRASE, RecoveryCode(code))
    typed = code.replace("0", "o").replace("1", "l").replace("-", " ").lower()
    assert opens(path, RecoveryCode(code))
    assert opens(path, RecoveryCode(f" {typed}\n"))
    other = recovery_codes.new_recovery_code(system_rng)
    assert not opens(path, RecoveryCode(other))


@given(st.binary(min_size=16, max_size=16))
def test_every_code_reads_back_and_is_grouped(entropy: bytes) -> None:
    code = recovery_codes.encode(entropy)
    assert recovery_codes.decode(code) == entropy
    assert [len(group) for group in code.split("-")] == [5] * 6


@given(st.binary(min_size=16, max_size=16), st.integers(0, 29), st.integers(1, 31))
def test_a_slip_of_the_pen_is_told_from_a_wrong_code(entropy: bytes, at: int, by: int) -> None:
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    signs = list(recovery_codes.encode(entropy).replace("-", ""))
    signs[at] = alphabet[(alphabet.index(signs[at]) + by) % 32]
    with pytest.raises(BadRecoveryCodeError, match="mistyped"):
        recovery_codes.decode("".join(signs))


@given(st.text(max_size=300))
def test_any_text_is_a_code_or_refused(text: str) -> None:
    try:
        entropy = recovery_codes.decode(text)
    except BadRecoveryCodeError:
        return
    assert len(entropy) == 16


def test_a_host_key_opens_what_was_made_with_it_without_any_passphrase(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    Database.create(path, HOST).close()
    assert opens(path, HOST)
    assert not opens(path, HostKey(bytes(32)))
    assert not opens(path, PASSPHRASE)
    with pytest.raises(BadHostKeyError):
        Database.open(path, HostKey(b"short"))


def test_the_keyring_that_the_library_finds_opens(path: Path, memory: MemoryKeyring) -> None:
    slot_changes.add(path, PASSPHRASE, OsKeyring())
    assert opens(path, OsKeyring())
    ((service, entry),) = memory.entries
    assert service == "e2ecore"
    assert entry.startswith(KeyFile.load(files.keys_of(path)).database.hex())


def test_the_master_key_is_not_in_the_keyring(path: Path, memory: MemoryKeyring) -> None:
    slot_changes.add(path, PASSPHRASE, OsKeyring())
    master = KeyFile.load(files.keys_of(path)).unlock(PASSPHRASE)
    assert master.raw.hex() not in memory.entries.values()


def test_a_locked_keyring_is_told_from_one_that_was_reset(path: Path) -> None:
    memory = MemoryKeyring()
    slot_changes.add(path, PASSPHRASE, OsKeyring(memory))
    memory.is_locked = True
    with pytest.raises(KeyringUnavailableError, match="or use the passphrase"):
        Database.open(path, OsKeyring(memory))
    with pytest.raises(KeyringEntryMissingError, match="was reset"):
        Database.open(path, OsKeyring(MemoryKeyring()))
    assert opens(path, PASSPHRASE)


def test_a_keyring_with_another_key_in_it_is_a_wrong_key(path: Path) -> None:
    memory = MemoryKeyring()
    slot_changes.add(path, PASSPHRASE, OsKeyring(memory))
    (name,) = memory.entries
    memory.entries[name] = bytes(32).hex()
    assert not opens(path, OsKeyring(memory))
    memory.entries[name] = "no key at all"
    with pytest.raises(KeyringEntryMissingError):
        Database.open(path, OsKeyring(memory))


def test_a_keyring_that_keeps_nothing_is_not_used(path: Path) -> None:
    before = keyring.get_keyring()
    keyring.set_keyring(NoKeyring())  # type: ignore[no-untyped-call]  # the library's
    try:
        with pytest.raises(KeyringUnavailableError):
            slot_changes.add(path, PASSPHRASE, OsKeyring())
    finally:
        keyring.set_keyring(before)
    assert [slot.kind for slot in slot_changes.listed(path)] == ["passphrase"]


def test_the_keyring_alone_is_never_all_that_opens(tmp_path: Path, path: Path) -> None:
    memory = OsKeyring(MemoryKeyring())
    with pytest.raises(LastSlotError):
        Database.create(tmp_path / "b.db", memory)
    assert not (tmp_path / "b.db.keys").exists()
    slot_changes.add(path, PASSPHRASE, memory)
    first, _ = slot_changes.listed(path)
    with pytest.raises(LastSlotError):
        slot_changes.remove(path, PASSPHRASE, first.slot_id)
    code = RecoveryCode(recovery_codes.new_recovery_code(system_rng))
    slot_changes.add(path, memory, code)
    slot_changes.remove(path, memory, first.slot_id)
    assert [slot.kind for slot in slot_changes.listed(path)] == ["keyring", "recovery"]
    assert opens(path, memory)
    assert opens(path, code)
    assert not opens(path, PASSPHRASE)


def test_a_removed_slot_opens_no_more_and_leaves_no_entry_in_the_keyring(path: Path) -> None:
    memory = MemoryKeyring()
    slot = slot_changes.add(path, PASSPHRASE, OsKeyring(memory))
    slot_changes.remove(path, OsKeyring(memory), slot.slot_id)
    assert memory.entries == {}
    assert not opens(path, OsKeyring(memory))
    with pytest.raises(UnknownSlotError):
        slot_changes.remove(path, PASSPHRASE, slot.slot_id)


def test_no_change_without_a_key_that_opens(path: Path) -> None:
    before = files.keys_of(path).read_bytes()
    with pytest.raises(WrongPassphraseError):
        slot_changes.add(path, "wrong", HOST)
    with pytest.raises(WrongKeyError):
        slot_changes.remove(path, HOST, slot_changes.listed(path)[0].slot_id)
    assert files.keys_of(path).read_bytes() == before


def test_a_forgotten_passphrase_is_replaced_by_means_of_the_code(path: Path) -> None:
    code = RecoveryCode(recovery_codes.new_recovery_code(system_rng))
    slot_changes.add(path, PASSPHRASE, code)
    slot_changes.add(path, code, "a new one, remembered", parameters=CHEAP)
    assert opens(path, "a new one, remembered")
    assert not opens(path, PASSPHRASE)
    assert opens(path, code)


def test_the_number_of_slots_is_bounded(path: Path) -> None:
    for _ in range(31):
        slot_changes.add(path, PASSPHRASE, HOST)
    with pytest.raises(TooManySlotsError):
        slot_changes.add(path, PASSPHRASE, HOST)
    slot_changes.add(path, PASSPHRASE, PASSPHRASE + "!", parameters=CHEAP)


def test_a_key_file_of_a_newer_version_is_not_called_damaged(path: Path) -> None:
    import hashlib
    import json

    body = json.loads(files.keys_of(path).read_bytes())
    del body["checksum"]
    body["version"] = 3
    body["checksum"] = hashlib.sha256(canonical(body)).hexdigest()
    with pytest.raises(NewerSchemaError, match="Update the program"):
        KeyFile.decode(json.dumps(body).encode())


def test_what_the_old_key_file_was_made_of_is_overwritten(path: Path) -> None:
    old = os.open(files.keys_of(path), os.O_RDONLY)
    slot_changes.add(path, PASSPHRASE, HOST)
    assert set(os.read(old, 10_000)) == {0}
    os.close(old)


def test_a_copy_of_the_key_file_that_is_a_link_is_left_alone(path: Path) -> None:
    copy = path.with_name("copy")
    copy.hardlink_to(files.keys_of(path))
    before = copy.read_bytes()
    slot_changes.add(path, PASSPHRASE, HOST)
    assert copy.read_bytes() == before


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, DiskFullError),
        (errno.EIO, DiskError),
        (errno.EROFS, ReadOnlyError),
    ],
)
@pytest.mark.parametrize("call", ["open", "fsync"])
def test_a_change_that_cannot_be_written_says_why_and_changes_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, kind: type[StorageError]
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        with pytest.raises(kind):
            slot_changes.add(path, PASSPHRASE, HOST)
    assert opens(path, PASSPHRASE)
    assert not opens(path, HOST)


@pytest.mark.parametrize("weak", ["", "passw0rd", "aaaaaaaaaaaaaaaaaaaa", "qwertyuiop", "12345678"])
def test_a_passphrase_that_is_easy_to_guess_is_refused_for_new_use(weak: str) -> None:
    assert not passphrase_strength(weak).is_accepted
    with pytest.raises(WeakPassphraseError, match="more words"):
        check_passphrase(weak)


@pytest.mark.parametrize(
    "good",
    [
        PASSPHRASE,
        "a long one",
        "今天天气真不错啊我们走吧",
        "seven hungry clerks paint a bridge " * 9,
    ],
)
def test_a_passphrase_of_some_words_is_taken(good: str) -> None:
    assert passphrase_strength(good).is_accepted


def test_advice_is_given_where_a_passphrase_could_be_better() -> None:
    found = passphrase_strength("another one")
    assert found.is_accepted
    assert not found.is_good
    assert found.advice
    assert passphrase_strength(PASSPHRASE).advice == ()
