import json
from dataclasses import replace
from pathlib import Path

import pytest

from e2ecore.crypto.rng import system_rng
from e2ecore.errors import UsageError
from e2ecore.storage.errors import (
    KeyFileDamagedError,
    KeyFileMissingError,
    WrongPassphraseError,
)
from e2ecore.storage.keys import KeyFile, MasterKey, database_key, derive
from tests.support.databases import CHEAP, PASSPHRASE


def new_keys(passphrase: str = PASSPHRASE) -> tuple[KeyFile, MasterKey]:
    return KeyFile.new(passphrase, parameters=CHEAP, rng=system_rng)


def test_the_passphrase_returns_the_master_key() -> None:
    keys, master = new_keys()
    assert keys.unlock(PASSPHRASE).matches(master)


def test_a_wrong_passphrase_is_not_called_damage() -> None:
    keys, _ = new_keys()
    with pytest.raises(WrongPassphraseError, match="Enter it again"):
        keys.unlock("another")


def test_an_empty_passphrase_is_refused() -> None:
    with pytest.raises(UsageError):
        new_keys("")


def test_the_same_passphrase_typed_with_composed_letters_opens() -> None:
    keys, master = new_keys("p\u00e4ss")
    assert keys.unlock("pa\u0308ss").matches(master)


def test_every_label_gives_another_key() -> None:
    _, master = new_keys()
    assert len({derive(master, "database"), derive(master, "check"), master.raw}) == 3
    assert database_key(master).raw == derive(master, "database")


def test_keys_do_not_show_themselves() -> None:
    keys, master = new_keys()
    text = repr(keys) + repr(master) + repr(database_key(master))
    assert master.raw.hex() not in text
    assert keys.check.hex() not in text


def test_a_saved_file_loads_as_it_was_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    keys, _ = new_keys()
    path = tmp_path / "a.keys"
    keys.save(path)
    assert KeyFile.load(path) == keys
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_neither_key_nor_passphrase_is_in_the_file() -> None:
    keys, master = new_keys()
    data = keys.encode()
    assert master.raw.hex().encode() not in data
    assert PASSPHRASE.encode() not in data


def test_a_missing_file_says_what_to_look_for(tmp_path: Path) -> None:
    with pytest.raises(KeyFileMissingError, match=r"Put the ``\.keys`` file back"):
        KeyFile.load(tmp_path / "a.keys")


def test_every_single_damaged_byte_is_noticed() -> None:
    keys, _ = new_keys()
    data = keys.encode()
    for at in range(len(data) - 1):
        damaged = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        try:
            found = KeyFile.decode(damaged)
        except KeyFileDamagedError:
            continue
        assert found == keys, f"a change at byte {at} went through"


def test_every_truncation_is_noticed() -> None:
    data = new_keys()[0].encode()
    for size in range(len(data) - 2):
        with pytest.raises(KeyFileDamagedError):
            KeyFile.decode(data[:size])


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b"null", b"{}", b"[" * 100_000, b'"x"'])
def test_what_is_no_key_file_is_called_damaged(data: bytes) -> None:
    with pytest.raises(KeyFileDamagedError):
        KeyFile.decode(data)


def test_an_oversize_file_is_not_even_parsed(tmp_path: Path) -> None:
    path = tmp_path / "a.keys"
    path.write_bytes(b" " * 70_000)
    with pytest.raises(KeyFileDamagedError):
        KeyFile.load(path)


def test_a_slot_cannot_be_moved_to_the_file_of_another_database() -> None:
    keys, _ = new_keys()
    other, _ = new_keys()
    with pytest.raises(WrongPassphraseError):
        replace(other, slots=keys.slots).unlock(PASSPHRASE)


@pytest.mark.parametrize("field", ["memory_kib", "iterations", "lanes", "salt", "nonce", "sealed"])
def test_a_slot_without_one_of_its_fields_is_damaged(field: str) -> None:
    keys, _ = new_keys()
    slot = {name: value for name, value in keys.slots[0].items() if name != field}
    with pytest.raises(KeyFileDamagedError):
        replace(keys, slots=(slot,)).unlock(PASSPHRASE)


@pytest.mark.parametrize("cost", [0, -1, 2**40, True, "64"])
def test_a_slot_that_would_take_all_memory_is_refused(cost: int) -> None:
    keys, _ = new_keys()
    with pytest.raises(KeyFileDamagedError):
        replace(keys, slots=({**keys.slots[0], "memory_kib": cost},)).unlock(PASSPHRASE)


def test_a_cheaper_price_cannot_be_written_into_a_slot() -> None:
    keys, _ = new_keys()
    with pytest.raises(WrongPassphraseError):
        replace(keys, slots=({**keys.slots[0], "iterations": 2},)).unlock(PASSPHRASE)


def test_after_a_change_only_the_new_passphrase_opens_and_the_key_stays() -> None:
    keys, master = new_keys()
    changed = keys.change_passphrase(PASSPHRASE, "new", parameters=CHEAP, rng=system_rng)
    assert changed.unlock("new").matches(master)
    with pytest.raises(WrongPassphraseError):
        changed.unlock(PASSPHRASE)
    with pytest.raises(WrongPassphraseError):
        keys.change_passphrase("wrong", "new", parameters=CHEAP, rng=system_rng)


def test_slots_of_a_kind_from_the_future_are_kept() -> None:
    keys, _ = new_keys()
    future = replace(keys, slots=({"kind": "recovery", "sealed": "00"}, *keys.slots))
    changed = KeyFile.decode(future.encode()).change_passphrase(
        PASSPHRASE, "new", parameters=CHEAP, rng=system_rng
    )
    assert changed.slots[0] == {"kind": "recovery", "sealed": "00"}
    assert len(changed.slots) == 2


def test_another_version_of_the_format_is_refused() -> None:
    body = json.loads(new_keys()[0].encode())
    body["version"] = 2
    with pytest.raises(KeyFileDamagedError):
        KeyFile.decode(json.dumps(body).encode())
