"""An account that moves: its new device takes the places of the old one, and waits for its leaf."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2ecore_protocol.chain.bodies import DeviceRemoved, RemovalReason
from e2ecore_protocol.errors import ErrorCode
from e2ecore_protocol.frames import ConversationKind, EnvelopeKind, Refused
from e2ecore_protocol.frames.conversations import DeviceAddress, direct_conversation_id
from e2ecore_protocol.limits import VACANCY_S
from e2ecore_relay.domain import accounts, moving
from e2ecore_relay.domain.blobs import BlobKeeper, BlobRules
from e2ecore_relay.domain.errors import RefusedError
from e2ecore_relay.domain.ports import StoredDevice
from e2ecore_relay.server.authentication import verify
from tests.support.raw_client import KeyPair, Person
from tests.support.relay_desk import Desk

GROUP = bytes(16)
RULES = BlobRules(1, {}, 1, 1, 1)
KEEPER = BlobKeeper("relay", RULES, 1, bytes(32), lambda _: bytes(64), bytes)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.close()


def register(desk: Desk, person: Person) -> StoredDevice:
    with desk.turn() as turn:
        accounts.register(turn, [one.encode() for one in person.entries], None, verify)
        return turn.ledger.accounts.devices([person.address])[person.address]


def entries_of_a_move(person: Person) -> tuple[list[bytes], KeyPair]:
    new, first = KeyPair.make(), len(person.entries)
    person.entries.append(person.entry(DeviceRemoved(person.device_id, RemovalReason.MOVED)))
    person.entries.append(person.device_entry(new))
    return [one.encode() for one in person.entries[first:]], new


def move(desk: Desk, person: Person) -> StoredDevice:
    encoded, new = entries_of_a_move(person)
    with desk.turn() as turn:
        accounts.append(KEEPER, turn, person.account_id, encoded, verify)
    person.device = new
    with desk.turn() as turn:
        return turn.ledger.accounts.devices([person.address])[person.address]


def group(desk: Desk, founder: StoredDevice, other: StoredDevice) -> bytes:
    desk.commit(founder, GROUP, 0, create=ConversationKind.GROUP, added=[other])
    return GROUP


def test_the_new_device_is_in_every_route_of_the_old_one_and_reads_from_the_head_on(
    desk: Desk,
) -> None:
    alice = Person()
    old, bob = register(desk, alice), desk.device()
    conversation = group(desk, bob, old)
    desk.submit(bob, desk.envelope(conversation, b"for the old device"))
    new = move(desk, alice)
    desk.start()
    assert [one.conversation for one in desk.ledger.logs.conversations(new.device)] == [GROUP]
    assert desk.ledger.logs.routes_of(old.device) == []
    assert [one.kind for one in desk.read(new)] == [EnvelopeKind.NOTICE]  # of the removal
    request = desk.envelope(conversation, b"add me", kind=EnvelopeKind.READD_REQUEST)
    assert not isinstance(desk.submit(new, request)[0], Refused)
    assert [one.payload for one in desk.read(bob)] == [b"add me"]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_group_waits_a_while_for_the_commit_that_adds_the_new_device(
    desk: Desk, *, restarts: bool
) -> None:
    alice = Person()
    old, bob = register(desk, alice), desk.device()
    conversation = group(desk, bob, old)
    new = move(desk, alice)
    if restarts:
        desk.start()
    (refused,) = desk.submit(bob, desk.envelope(conversation))
    assert isinstance(refused, Refused)
    assert (refused.code, refused.retry_after_ms > 0) == (ErrorCode.RATE_LIMITED, True)
    desk.commit(bob, conversation, 1, added=[new])
    if restarts:
        desk.start()
    assert not isinstance(desk.submit(bob, desk.envelope(conversation, epoch=2))[0], Refused)
    assert [one.kind for one in desk.read(new)] == [
        EnvelopeKind.NOTICE, EnvelopeKind.WELCOME, EnvelopeKind.COMMIT, EnvelopeKind.APPLICATION,
    ]  # fmt: skip


def test_a_group_does_not_wait_for_ever(desk: Desk) -> None:
    alice = Person()
    old, bob = register(desk, alice), desk.device()
    conversation = group(desk, bob, old)
    move(desk, alice)
    desk.pass_time(VACANCY_S)
    assert not isinstance(desk.submit(bob, desk.envelope(conversation))[0], Refused)


def test_a_group_does_not_wait_for_who_is_removed_from_it(desk: Desk) -> None:
    alice = Person()
    old, bob = register(desk, alice), desk.device()
    conversation = group(desk, bob, old)
    desk.commit(bob, conversation, 1, removed=[move(desk, alice)])
    assert not isinstance(desk.submit(bob, desk.envelope(conversation, epoch=2))[0], Refused)


def test_in_a_direct_conversation_nobody_else_could_read_what_is_refused(desk: Desk) -> None:
    alice, bob = Person(), Person()
    old, other = register(desk, alice), register(desk, bob)
    name = direct_conversation_id(alice.account_id, bob.account_id, 0)
    desk.commit(other, name, 0, create=ConversationKind.DIRECT, added=[old])
    new = move(desk, alice)
    desk.pass_time(VACANCY_S * 100)
    assert desk.submit(other, desk.envelope(name)) == [Refused(ErrorCode.STALE_EPOCH, 0, 1)]
    desk.commit(other, name, 1, added=[new])
    assert not isinstance(desk.submit(other, desk.envelope(name, epoch=2))[0], Refused)


def test_who_had_left_a_conversation_is_not_followed_there(desk: Desk) -> None:
    alice = Person()
    old, bob = register(desk, alice), desk.device()
    conversation = group(desk, bob, old)
    desk.commit(bob, conversation, 1, removed=[old])
    new = move(desk, alice)
    assert desk.ledger.logs.conversations(new.device) == []


def test_a_device_does_not_go_before_it_has_read_what_waits_for_it(desk: Desk) -> None:
    alice = Person()
    old, bob = register(desk, alice), desk.device()
    conversation = group(desk, bob, old)
    desk.submit(bob, desk.envelope(conversation))
    encoded, _ = entries_of_a_move(alice)
    with desk.turn() as turn:
        with pytest.raises(RefusedError) as refused:
            moving.check_read(turn, old, encoded)
        assert refused.value.code is ErrorCode.RATE_LIMITED
        moving.check_read(turn, bob, encoded)  # it stays
        moving.check_read(turn, old, [b"no entry"])  # refused for that
    inbox, log = [one.lid for one in desk.unread(old)]
    desk.acknowledge(old, {inbox: 9, log: 9})
    with desk.turn() as turn:
        moving.check_read(turn, old, encoded)


def test_an_account_with_a_device_that_stays_has_not_moved(desk: Desk) -> None:
    alice = Person()
    old, bob = register(desk, alice), desk.device()
    group(desk, bob, old)
    alice.entries.append(alice.entry(DeviceRemoved(alice.device_id)))
    with desk.turn() as turn:
        accounts.append(KEEPER, turn, alice.account_id, [alice.entries[-1].encode()], verify)
    assert desk.ledger.logs.routes_of(old.device) == []
    assert DeviceAddress(alice.account_id, alice.device_id) == old.address
