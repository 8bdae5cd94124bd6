"""Application messages: read once, by members, in their epoch, and never forged."""

import pytest

from e2ecore.crypto.errors import DecryptionError, SignatureError
from e2ecore.crypto.suites import SUITES, CipherSuite
from e2ecore.errors import PeerError
from e2ecore.mls import rows
from e2ecore.mls.errors import (
    DuplicateMessageError,
    EpochInFutureError,
    EpochTooOldError,
    GenerationTooFarError,
    MalformedMessageError,
    MembershipError,
    OwnMessageError,
    PendingChangeError,
    RemovedFromGroupError,
    UnknownSenderError,
    WrongGroupError,
)
from e2ecore.mls.group_state import PAST_EPOCH_MS, PAST_EPOCHS
from e2ecore.mls.message import decode_message, encode_message
from e2ecore.mls.private_message import PrivateMessage
from e2ecore.mls.proposals import Remove
from e2ecore.mls.secret_tree import APPLICATION, WINDOW_FORWARD
from tests.support.mls_forgery import forge_text
from tests.support.mls_groups import Device, add, agree, everybody, pass_on

LIVE = [SUITES[1], SUITES[2], SUITES[3], SUITES[0xF001]]


def refresh(devices: list[Device], times: int = 1) -> None:
    for _ in range(times):
        pass_on(devices[0].commit(), devices[0], devices[1:])


@pytest.mark.spec("RFC 9420 §15 (Application Messages)")
@pytest.mark.parametrize("suite", LIVE, ids=lambda suite: suite.name)
def test_everybody_reads_what_one_sends(suite: CipherSuite) -> None:
    alice, bob, carol = everybody("alice", "bob", "carol", suite=suite)
    for number, size in enumerate((0, 1, 256, 70_000)):
        message = alice.send(bytes(size), b"counter %d" % number)
        for reader in (bob, carol):
            received = reader.read(message)
            assert received.data == bytes(size)
            assert received.authenticated_data == b"counter %d" % number
            assert received.sender.identity == b"alice"
            assert (received.sender_leaf, received.epoch, received.generation) == (0, 1, number)


@pytest.mark.spec("RFC 9420 §9.2 (Deletion Schedule)")
@pytest.mark.parametrize("reload", [False, True], ids=["at once", "after a restart"])
def test_replay_is_named_a_duplicate(*, reload: bool) -> None:
    alice, bob = everybody("alice", "bob")
    messages = [alice.send(b"%d" % number) for number in range(3)]
    for message in reversed(messages):
        bob.read(message)
    if reload:
        bob.reload()
    for message in messages:
        with pytest.raises(DuplicateMessageError):
            bob.read(message)


@pytest.mark.spec("RFC 9420 §6.3.1 (Content Encryption)")
def test_damaged_copy_changes_nothing_and_the_genuine_one_still_opens() -> None:
    alice, bob = everybody("alice", "bob")
    bob.read(alice.send(b"first"))
    alice.send(b"lost")
    message = alice.send(b"hello")
    before = dict(bob.disk.rows)
    for position in range(len(message)):
        damaged = bytearray(message)
        damaged[position] ^= 0x40
        with pytest.raises(PeerError):
            bob.group.receive(bytes(damaged), now_ms=None)
    for size in range(len(message)):
        with pytest.raises(PeerError):
            bob.group.receive(message[:size], now_ms=None)
    assert bob.group.take_changes() == {}
    assert bob.disk.rows == before
    assert bob.read(message).data == b"hello"


@pytest.mark.spec("RFC 9420 §6.1 (Content Authentication)")
@pytest.mark.spec("RFC 9420 §16.5 (Authentication)")
def test_member_cannot_speak_for_another() -> None:
    alice, bob, carol = everybody("alice", "bob", "carol")
    with pytest.raises(SignatureError):
        carol.read(forge_text(bob, b"I am alice", as_leaf=0))
    with pytest.raises(SignatureError):
        carol.read(forge_text(bob, b"I am alice", as_leaf=0, signature=b""))
    assert carol.read(alice.send(b"it is me")).data == b"it is me"


@pytest.mark.spec("RFC 9420 §6.1 (Content Authentication)")
def test_signature_is_bound_to_the_epoch() -> None:
    _, bob, carol = everybody("alice", "bob", "carol")
    other = everybody("x", "y")[0].group.state.keys.context
    with pytest.raises(SignatureError):
        carol.read(forge_text(bob, b"hello", as_leaf=1, signed_epoch_context=other))
    assert carol.read(forge_text(bob, b"hello", as_leaf=1)).data == b"hello"


@pytest.mark.spec("RFC 9420 §6.3.2 (Sender Data Encryption)")
@pytest.mark.parametrize(
    ("leaf", "error"),
    [
        pytest.param(3, UnknownSenderError, id="blank leaf"),
        pytest.param(4000, UnknownSenderError, id="outside of the tree"),
        pytest.param(2, OwnMessageError, id="the reader's own leaf"),
        pytest.param(0, DecryptionError, id="another member"),
    ],
)
def test_sender_data_must_name_the_sender(leaf: int, error: type[PeerError]) -> None:
    _, bob, carol = everybody("alice", "bob", "carol")
    with pytest.raises(error):
        carol.read(forge_text(bob, b"hello", as_leaf=1, named_leaf=leaf))


@pytest.mark.spec("RFC 9420 §6.3.1 (Content Encryption)")
def test_padding_is_zero_or_the_message_is_refused() -> None:
    _, bob, carol = everybody("alice", "bob", "carol")
    with pytest.raises(MalformedMessageError):
        carol.read(forge_text(bob, b"hello", as_leaf=1, tail=bytes(30) + b"\1"))
    assert carol.read(forge_text(bob, b"hello", as_leaf=1, tail=bytes(31))).data == b"hello"


@pytest.mark.spec("RFC 9420 §15.1 (Padding)")
def test_short_texts_have_one_size() -> None:
    alice, _ = everybody("alice", "bob")
    assert len({len(alice.send(bytes(size))) for size in range(40)}) == 1
    assert len({len(alice.send(bytes(size))) for size in range(10_000, 10_500)}) <= 2


@pytest.mark.spec("RFC 9420 §15.3 (Delayed and Reordered Application Messages)")
def test_message_beyond_the_window_is_refused() -> None:
    _, bob, carol = everybody("alice", "bob", "carol")
    at_limit = forge_text(bob, b"far", as_leaf=1, generation=WINDOW_FORWARD)
    tree = bob.group.state.keys.tree
    tree.consume(tree.step(1, APPLICATION, WINDOW_FORWARD))
    beyond = forge_text(bob, b"too far", as_leaf=1, generation=WINDOW_FORWARD + 1)
    with pytest.raises(GenerationTooFarError):
        carol.read(beyond)
    assert carol.read(at_limit).generation == WINDOW_FORWARD
    assert carol.read(beyond).data == b"too far"


def test_message_of_another_group_is_refused() -> None:
    bob = everybody("alice", "bob")[1]
    stranger = Device("stranger")
    stranger.begin(b"another group")
    with pytest.raises(WrongGroupError):
        bob.read(stranger.send(b"hello"))


@pytest.mark.spec("RFC 9420 §14 (Sequencing of State Changes)")
@pytest.mark.spec("RFC 9420 §16.9 (Delivery Service Compromise)")
def test_message_of_the_next_epoch_is_kept_apart_from_a_broken_one() -> None:
    alice, bob, carol = everybody("alice", "bob", "carol")
    pending = alice.commit()
    staged = bob.stage(pending.commit)
    alice.merge(pending.staged)
    early = alice.send(b"early")
    with pytest.raises(EpochInFutureError):
        bob.read(early)
    bob.merge(staged)
    assert bob.read(early).data == b"early"
    assert carol.group.epoch == 1


@pytest.mark.parametrize("reload", [False, True], ids=["in memory", "after a restart"])
def test_late_messages_are_read_for_three_epochs(*, reload: bool) -> None:
    devices = everybody("alice", "bob", "carol")
    alice, bob, _ = devices
    late = []
    for _ in range(PAST_EPOCHS + 1):
        late.append(bob.send(b"late"))
        refresh(devices)
    if reload:
        alice.reload()
    with pytest.raises(EpochTooOldError):
        alice.read(late[0])
    for message in late[1:]:
        assert alice.read(message).data == b"late"
        with pytest.raises(DuplicateMessageError):
            alice.read(message)
    epochs = {epoch for kind, epoch, _ in alice.disk.rows if kind == rows.CONTEXT}
    assert epochs == set(range(alice.group.epoch - PAST_EPOCHS, alice.group.epoch + 1))


@pytest.mark.spec("RFC 9420 §16.6 (Forward Secrecy and Post-Compromise Security)")
def test_past_epochs_are_dropped_after_two_days() -> None:
    devices = everybody("alice", "bob")
    alice, bob = devices
    late = bob.send(b"late")
    refresh(devices)
    alice.group.drop_past_epochs(alice.now_ms + PAST_EPOCH_MS)
    assert alice.group.take_changes() == {}
    alice.group.drop_past_epochs(alice.now_ms + PAST_EPOCH_MS + 1)
    alice.save()
    kept = {kind for kind, epoch, _ in alice.disk.rows if epoch not in {0, 2}}
    assert kept == {rows.RESUMPTION}
    with pytest.raises(EpochTooOldError):
        alice.read(late)


def test_late_message_is_attributed_to_who_sat_there_then() -> None:
    alice, bob, carol = everybody("alice", "bob", "carol")
    late, later = bob.send(b"late"), bob.send(b"later")
    dave, eve = Device("dave"), Device("eve")
    bundles = [dave.bundle(), eve.bundle()]
    pending = alice.commit(Remove(1), *map(add, bundles))
    staged = bob.stage(pending.commit)
    assert staged.self_removed
    pass_on(pending, alice, [carol])
    assert pending.welcome is not None
    dave.join(pending.welcome, bundles[0])
    eve.join(pending.welcome, bundles[1])
    assert dave.group.own_leaf == 1
    assert alice.read(late).sender.identity == b"bob"
    carol.reload()
    assert carol.read(later).sender.identity == b"bob"
    assert carol.read(dave.send(b"new")).sender.identity == b"dave"
    with pytest.raises(EpochTooOldError):
        dave.read(late)
    assert agree([alice, carol, dave, eve])


@pytest.mark.spec("RFC 9420 §16.2 (Confidentiality of Group Secrets)")
def test_removed_member_that_keeps_its_state_reads_nothing_new() -> None:
    alice, bob, carol = everybody("alice", "bob", "carol")
    pending = alice.commit(Remove(2))
    pass_on(pending, alice, [bob])
    staged = carol.stage(pending.commit)
    assert staged.next is None
    message = alice.send(b"secret")
    with pytest.raises(EpochInFutureError):
        carol.read(message)
    private = decode_message(message)
    assert isinstance(private, PrivateMessage)
    with pytest.raises(DecryptionError):
        carol.read(encode_message(private._replace(epoch=1)))


@pytest.mark.spec("RFC 9420 §12.1.3 (Remove)")
def test_removed_member_reads_and_sends_nothing_more() -> None:
    alice, bob, carol = everybody("alice", "bob", "carol")
    pending = alice.commit(Remove(2))
    pass_on(pending, alice, [bob, carol])
    assert not carol.group.is_member
    assert carol.disk.rows == {}
    with pytest.raises(RemovedFromGroupError):
        carol.read(alice.send(b"secret"))
    with pytest.raises(RemovedFromGroupError):
        carol.send(b"still here?")
    with pytest.raises(RemovedFromGroupError):
        carol.group.export("label", b"", 32)


@pytest.mark.spec("RFC 9420 §12.4 (Commit)")
def test_nothing_is_sent_while_proposals_wait() -> None:
    alice, bob, carol = everybody("alice", "bob", "carol")
    proposal = carol.group.propose_remove(2, signer=carol.signer, rng=carol.rng)
    for device in (alice, bob):
        device.take(proposal)
        with pytest.raises(PendingChangeError):
            device.send(b"not yet")
    pass_on(alice.commit(), alice, [bob])
    assert bob.read(alice.send(b"now")).data == b"now"


def test_only_the_key_of_our_leaf_signs() -> None:
    alice, bob = everybody("alice", "bob")
    with pytest.raises(MembershipError):
        alice.group.protect(b"hello", signer=bob.signer, rng=alice.rng)
    assert alice.group.take_changes() == {}


@pytest.mark.spec("RFC 9420 §9.1 (Encryption Keys)")
def test_restart_never_reuses_a_generation() -> None:
    alice, bob = everybody("alice", "bob")
    generations = []
    for _ in range(4):
        generations += [bob.read(alice.send(b"")).generation for _ in range(2)]
        alice.reload()
    assert generations == list(range(8))


def test_content_does_not_get_into_logs() -> None:
    alice, bob = everybody("alice", "bob")
    assert "hello" not in repr(bob.read(alice.send(b"hello")))


def test_one_message_costs_one_row_on_each_side() -> None:
    devices = everybody(*(f"member {number}" for number in range(9)))
    sender, reader = devices[0], devices[8]
    reader.read(sender.send(b"first"))
    for _ in range(3):
        message = sender.group.protect(b"hello", signer=sender.signer, rng=sender.rng)
        reader.group.receive(message, now_ms=None)
        for device in (sender, reader):
            ((key, value),) = device.group.take_changes().items()
            assert key[0] == rows.RATCHET
            assert value is not None
            assert len(value) <= 300
            device.disk.store({key: value})


@pytest.mark.spec("RFC 9420 §8.5 (Exporters)")
@pytest.mark.spec("RFC 9420 §8.7 (Epoch Authenticators)")
def test_members_export_the_same_secrets() -> None:
    alice, bob = everybody("alice", "bob")
    assert alice.group.export("a", b"", 40) == bob.group.export("a", b"", 40)
    assert alice.group.export("a", b"", 32) != alice.group.export("b", b"", 32)
    assert alice.group.export("a", b"", 32) != alice.group.export("a", b"x", 32)
    assert alice.group.epoch_authenticator == bob.group.epoch_authenticator
