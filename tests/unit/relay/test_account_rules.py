"""What the relay refuses of account chains: one fault at a time, without sockets."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from e2ecore_protocol.chain.bodies import (
    MULTI_DEVICE_SYNC,
    AccountClosed,
    ConsentGranted,
    DeviceRemoved,
)
from e2ecore_protocol.chain.entry import Entry
from e2ecore_protocol.errors import ErrorCode
from e2ecore_relay.domain import accounts, key_packages
from e2ecore_relay.domain.blobs import BlobKeeper, BlobRules
from e2ecore_relay.domain.errors import RefusedError
from e2ecore_relay.server.authentication import verify
from tests.support.raw_client import KeyPair, Person
from tests.support.relay_desk import START_MS, Desk

RULES = BlobRules(1, {}, 1, 1, 1)
KEEPER = BlobKeeper("relay", RULES, 1, bytes(32), lambda _: bytes(64), bytes)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.close()


def register(desk: Desk, *entries: Entry, handle: str | None = None) -> bytes:
    with desk.turn() as turn:
        return accounts.register(turn, [one.encode() for one in entries], handle, verify)


def append(desk: Desk, person: Person, *entries: Entry) -> None:
    with desk.turn() as turn:
        accounts.append(KEEPER, turn, person.account_id, [one.encode() for one in entries], verify)


def grown(person: Person, entry: Entry) -> Entry:
    person.entries.append(entry)
    return entry


def refused(code: ErrorCode) -> "pytest.RaisesExc[RefusedError]":
    return pytest.RaisesExc(RefusedError, check=lambda error: error.code is code)


def test_registering_the_same_again_answers_the_same(desk: Desk) -> None:
    bob = Person()
    assert register(desk, *bob.entries) == register(desk, *bob.entries) == bob.account_id


def test_one_account_has_one_first_device(desk: Desk) -> None:
    bob = Person()
    register(desk, *bob.entries)
    genesis = bob.entries.pop(0)
    other = Person(identity=bob.identity)
    other.entries = [genesis]
    second = other.device_entry(KeyPair.make())
    with refused(ErrorCode.ACCOUNT_EXISTS):
        register(desk, genesis, second)


def test_the_second_entry_adds_the_first_device(desk: Desk) -> None:
    bob = Person()
    del bob.entries[1]
    closed = bob.entry(AccountClosed())
    with refused(ErrorCode.CHAIN_INVALID):
        register(desk, bob.entries[0], closed)


def test_a_handle_belongs_to_one_account(desk: Desk) -> None:
    register(desk, *Person().entries, handle="bob")
    with refused(ErrorCode.HANDLE_TAKEN):
        register(desk, *Person().entries, handle="bob")


def test_an_entry_that_contradicts_the_chain_is_a_conflict(desk: Desk) -> None:
    bob = Person()
    register(desk, *bob.entries)
    granted = ConsentGranted(bytes(16), MULTI_DEVICE_SYNC, bytes(32), bytes(32), None)
    other = bob.entry(replace(granted, consent_id=b"o" * 16))
    append(desk, bob, grown(bob, bob.entry(granted)))
    with refused(ErrorCode.CHAIN_CONFLICT):
        append(desk, bob, other)


def test_an_entry_that_names_another_past_is_refused(desk: Desk) -> None:
    bob = Person()
    register(desk, *bob.entries)
    elsewhere = Person(identity=bob.identity, device=bob.device)
    elsewhere.entries = [*bob.entries[:1], elsewhere.entries[1]]
    elsewhere.account_id = bob.account_id
    strange = replace(bob.entries[1], created_ms=2)
    elsewhere.entries[1] = strange
    with refused(ErrorCode.CHAIN_CONFLICT):
        append(desk, bob, elsewhere.entry(AccountClosed()))


def test_a_gap_is_a_conflict(desk: Desk) -> None:
    bob = Person()
    register(desk, *bob.entries)
    grown(bob, bob.entry(ConsentGranted(bytes(16), MULTI_DEVICE_SYNC, bytes(32), bytes(32), None)))
    with refused(ErrorCode.CHAIN_CONFLICT):
        append(desk, bob, bob.entry(AccountClosed()))


def test_a_device_may_connect_while_a_consent_covers_it_and_it_is_live(desk: Desk) -> None:
    bob, second = Person(), KeyPair.make()
    register(desk, *bob.entries)
    until = START_MS + 1_000
    granted = ConsentGranted(bytes(16), MULTI_DEVICE_SYNC, bytes(32), bytes(32), until)
    append(desk, bob, grown(bob, bob.entry(granted)))
    append(desk, bob, grown(bob, bob.device_entry(second)))
    address = bob.address._replace(device_id=Person(device=second).device_id)

    def connect(now_ms: int) -> None:
        with desk.turn() as turn:
            accounts.usable_device(turn.ledger, address, now_ms)

    connect(until - 1)
    with refused(ErrorCode.CONSENT_REQUIRED):
        connect(until + 1)
    append(desk, bob, grown(bob, bob.entry(DeviceRemoved(address.device_id))))
    with refused(ErrorCode.DEVICE_REVOKED):
        connect(until - 1)
    append(desk, bob, grown(bob, bob.entry(AccountClosed())))
    with refused(ErrorCode.ACCOUNT_CLOSED):
        connect(until - 1)
    with desk.turn() as turn, refused(ErrorCode.ACCOUNT_CLOSED):
        key_packages.claim(turn, 0, [bob.account_id], bytes(10))
