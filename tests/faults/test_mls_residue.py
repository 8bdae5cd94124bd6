"""Forward secrecy on disk: what a group has used up is in no page of file and log, and in no row.

Two members talk and commit; one of them keeps its rows in a real database. Meanwhile every secret
that the library makes is written down. At the end, of all those only the ones that must still be
there may be found.
"""

from pathlib import Path
from typing import NamedTuple

import pytest

from e2ecore.crypto.secret import Secret
from e2ecore.crypto.suites import SUITES
from e2ecore.mls import rows
from e2ecore.mls.codec import decode_all
from e2ecore.mls.epoch import PastEpoch
from e2ecore.mls.group_state import PAST_EPOCHS
from e2ecore.mls.rows import MemoryRows, RowKey
from e2ecore.mls.secret_tree import Ratchet
from e2ecore.storage import key_packages, mls_rows
from e2ecore.storage.database import Database
from e2ecore.storage.key_packages import KeyPackageRow
from e2ecore.storage.tx import Tx
from tests.support.databases import create_database
from tests.support.mls_groups import Device, add, everybody
from tests.support.pages import plain_pages

GID = 1
EXPECTED = {
    "CommitSecret",
    "EncryptionSecret",
    "EpochSecret",
    "HpkePrivateKey",
    "InitSecret",
    "JoinerSecret",
    "PathSecret",
    "WelcomeSecret",
    "message key",
    "ratchet secret",
}


class DatabaseRows(MemoryRows):
    """A member's rows, mirrored in an encrypted database."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database = database

    def store(self, changes: dict[RowKey, bytes | None]) -> None:
        super().store(changes)
        self.database.writer.call(lambda tx: mls_rows.apply(tx, GID, changes))


class Journal:
    """Every secret that was made, in order, with what it was for."""

    def __init__(self) -> None:
        self.made: list[tuple[str, bytes]] = []
        self.keys: dict[bytes, str] = {}


@pytest.fixture
def journal(monkeypatch: pytest.MonkeyPatch) -> Journal:
    """Write down each ``Secret``, each ratchet secret and each message key."""
    journal = Journal()
    begin, keys, advance = Secret.__init__, Ratchet.keys, Ratchet.advance

    def secret(self: Secret, raw: bytes) -> None:
        begin(self, raw)
        journal.made.append((type(self).__name__, raw))

    def message_keys(self: Ratchet) -> tuple[bytes, bytes]:
        key, nonce = keys(self)
        journal.keys[key] = "message key"
        return key, nonce

    def step(self: Ratchet) -> None:
        journal.keys[self.secret] = "ratchet secret"
        advance(self)

    monkeypatch.setattr(Secret, "__init__", secret)
    monkeypatch.setattr(Ratchet, "keys", message_keys)
    monkeypatch.setattr(Ratchet, "advance", step)
    return journal


def both_talk(alice: Device, bob: Device) -> None:
    """Use the ratchets of both, once out of order."""
    late, early = alice.send(b"late"), alice.send(b"early")
    for message in (early, late):
        bob.read(message)
    alice.read(bob.send(b"answer"))


def one_commits(committer: Device, other: Device) -> None:
    pending = committer.commit()
    staged = other.stage(pending.commit)
    other.merge(staged)
    committer.merge(pending.staged)


def live(bob: Device) -> set[bytes]:
    """What Bob must still have: his current keys, and little of the epochs just past."""
    state = bob.group.state
    current = state.current
    kept: set[Secret] = {current.init, current.sender_data, current.exporter, current.external}
    kept |= {current.membership, current.resumption, current.authenticator}
    kept |= set(state.node_keys.values())
    past = [row for key, row in bob.disk.rows.items() if key[0] == rows.PAST_EPOCH]
    assert len(past) == PAST_EPOCHS
    for row in past:
        kept.add(decode_all(PastEpoch.read, row).sender_data)
    psks = {row for key, row in bob.disk.rows.items() if key[0] == rows.RESUMPTION}
    return {secret.raw for secret in kept} | psks


class Value(NamedTuple):
    value: bytes


def visible_rows(tx: Tx) -> bytes:
    """Everything that a program can read in the tables where secrets are kept."""
    found = tx.rows(
        Value._make,
        "SELECT value FROM mls_rows UNION ALL SELECT value FROM mls_nodes"
        " UNION ALL SELECT bundle FROM key_packages",
    )
    return b"".join(row.value for row in found)


def residue(journal: Journal, needed: set[bytes], searched: bytes) -> set[str]:
    """Name the kinds of used secrets that are still to be found. All zeros are no secret."""
    used = {raw: name for name, raw in journal.made if any(raw)} | journal.keys
    return {name for raw, name in used.items() if raw not in needed and raw in searched}


@pytest.mark.rule("H21")
@pytest.mark.spec("RFC 9420 §9.2 (Deletion Schedule)")
@pytest.mark.parametrize("code", [0x0001, 0xF001], ids=hex)
def test_no_used_secret_of_a_group_is_in_any_page_or_row(
    tmp_path: Path, journal: Journal, code: int
) -> None:
    path = tmp_path / "bob.db"
    database = create_database(path)
    (alice,), bob = everybody("alice", suite=SUITES[code]), Device("bob", SUITES[code])
    bob.disk = DatabaseRows(database)
    bundle = bob.bundle()
    row = KeyPackageRow(bundle.ref, bundle.encode(), 0, 1, 0)
    database.writer.call(lambda tx: key_packages.add(tx, [row]))
    assert database.writer.call_purge()
    assert bundle.init_key.raw in plain_pages(path), "the search itself works"

    pending = alice.commit(add(bundle))
    alice.merge(pending.staged)
    assert pending.welcome is not None
    bob.join(pending.welcome, bundle)
    database.writer.call(lambda tx: key_packages.remove(tx, bundle.ref))
    for _ in range(PAST_EPOCHS):
        both_talk(alice, bob)
        one_commits(alice, bob)
        both_talk(alice, bob)
        one_commits(bob, alice)
    both_talk(alice, bob)
    assert database.writer.call_purge()

    needed, pages = live(bob), plain_pages(path)
    assert bob.group.state.current.init.raw in pages, "what is needed is there"
    kinds = {name for name, _ in journal.made} | set(journal.keys.values())
    assert kinds >= EXPECTED, "what was used is known"
    assert residue(journal, needed, pages) == set()
    assert residue(journal, needed, database.writer.call(visible_rows)) == set()
    database.close()
