"""A key file that an earlier version has written opens in this one, in every way that it names."""

import pytest

from e2ecore.storage.errors import KeyringEntryMissingError, WrongKeyError
from e2ecore.storage.keys import KeyFile
from e2ecore.storage.unlocking import HostKey, OsKeyring
from tests.stored.slots import CHANGING, WHOLE, entries, ways
from tests.support.keyrings import MemoryKeyring

WAYS = ["passphrase", "recovery code", "host key", "keyring"]


@pytest.mark.parametrize("way", WAYS)
def test_each_way_opens_the_same_master_key(way: str) -> None:
    keys = KeyFile.load(WHOLE)
    expected = keys.unlock(ways(entries())["host key"])
    assert keys.unlock(ways(entries())[way]).matches(expected)


@pytest.mark.parametrize("way", WAYS)
def test_each_way_opens_both_master_keys_of_a_database_that_is_changing(way: str) -> None:
    keys = KeyFile.load(CHANGING)
    old, new = (
        keys.settled(changed=changed).unlock(ways(entries())[way]) for changed in (False, True)
    )
    assert old.matches(KeyFile.load(WHOLE).unlock(ways(entries())[way]))
    assert not new.matches(old)


def test_it_is_written_again_as_it_was() -> None:
    for path in (WHOLE, CHANGING):
        assert KeyFile.decode(path.read_bytes()).encode() == path.read_bytes()


def test_another_key_and_another_keyring_open_nothing() -> None:
    keys = KeyFile.load(WHOLE)
    with pytest.raises(WrongKeyError):
        keys.unlock(HostKey(bytes(32)))
    with pytest.raises(KeyringEntryMissingError):
        keys.unlock(OsKeyring(MemoryKeyring()))


def test_it_names_its_slots() -> None:
    assert len(KeyFile.load(WHOLE).described()) == len(WAYS)
