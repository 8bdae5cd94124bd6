"""What is rare: floods, closed groups, late blanks, strange suites."""

from dataclasses import replace

import pytest

from e2ecore.crypto.suites import SUITES
from e2ecore.errors import CorruptStateError, PeerError
from e2ecore.mls import pending as pending_module
from e2ecore.mls import rows
from e2ecore.mls.codec import Reader, decode_all
from e2ecore.mls.errors import (
    InvalidCommitError,
    InvalidProposalError,
    InvalidWelcomeError,
    MalformedMessageError,
    UnknownSenderError,
    UnsupportedError,
)
from e2ecore.mls.extensions import Extension
from e2ecore.mls.framing import AuthenticatedContent, Sender, read_body
from e2ecore.mls.group import Group, StagedCommit
from e2ecore.mls.message import decode_message, encode_message
from e2ecore.mls.private_message import PrivateMessage, no_padding
from e2ecore.mls.proposals import (
    Commit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ReInit,
    Remove,
    Update,
    read_proposal,
    read_proposal_or_ref,
)
from e2ecore.mls.psk import ExternalPskId, read_psk_id
from e2ecore.mls.secret_tree import HANDSHAKE
from tests.support.mls_external import in_clear
from tests.support.mls_forgery import altered_commits, forge_text
from tests.support.mls_groups import (
    CONVERSATION,
    NOW_MS,
    Device,
    SeededRng,
    add,
    agree,
    everybody,
    pass_on,
)


def test_flood_of_proposals_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending_module, "MAX_PENDING", 2)
    alice, bob = everybody("alice", "bob")
    updates = [bob.group.propose_update(signer=bob.signer, rng=bob.rng) for _ in range(2)]
    bob.save()
    with pytest.raises(InvalidProposalError):
        bob.group.propose_update(signer=bob.signer, rng=bob.rng)
    assert bob.group.take_changes() == {}
    for update in updates:
        alice.take(update)
    third = in_clear(bob, bob.group.pending_proposals[0].proposal)
    with pytest.raises(InvalidProposalError):
        alice.take(third)
    assert alice.group.take_changes() == {}


def test_latest_of_two_waiting_updates_is_committed() -> None:
    alice, bob = everybody("alice", "bob")
    for _ in range(2):
        alice.take(bob.group.propose_update(signer=bob.signer, rng=bob.rng))
    bob.save()
    latest = alice.group.pending_proposals[1]
    pending = alice.commit()
    assert pending.staged.proposals == (latest,)
    pass_on(pending, alice, [bob])
    pass_on(bob.commit(), bob, [alice])
    assert agree([alice, bob])


@pytest.mark.spec("RFC 9420 §12.1.5 (ReInit)")
def test_closed_group_takes_no_handshakes() -> None:
    alice, bob = everybody("alice", "bob")
    pass_on(alice.commit(ReInit(b"next group", 1, 1, ())), alice, [bob])
    with pytest.raises(InvalidProposalError):
        alice.take(in_clear(bob, Remove(0)))
    with pytest.raises(InvalidCommitError):
        alice.stage(in_clear(bob, Commit((), None)))


@pytest.mark.spec("RFC 9420 §12.1.2 (Update)")
@pytest.mark.spec("RFC 9420 §12.1.3 (Remove)")
def test_proposals_that_no_commit_could_contain_are_not_kept() -> None:
    alice, bob = everybody("alice", "bob")
    leaf = bob.group.state.tree.member(1)
    package = Device("eve").bundle().key_package
    for proposal in (
        Remove(3),
        Update(leaf),
        replace(add(Device("eve").bundle()), key_package=replace(package, signature=b"")),
        ReInit(b"next", 0, 1, ()),
        PreSharedKey(ExternalPskId(b"a key", b"short")),
    ):
        with pytest.raises(PeerError):
            alice.take(in_clear(bob, proposal))
    assert alice.group.take_changes() == {}
    alice.take(in_clear(bob, PreSharedKey(ExternalPskId(b"a key", bytes(32)))))
    with pytest.raises(InvalidProposalError):
        alice.group.propose_remove(3, signer=alice.signer, rng=alice.rng)


def test_extensions_are_proposed_and_committed_by_another() -> None:
    alice, bob = everybody("alice", "bob")
    title = (Extension(CONVERSATION, b"title"),)
    alice.take(bob.group.propose_extensions(title, signer=bob.signer, rng=bob.rng))
    bob.save()
    pass_on(alice.commit(), alice, [bob])
    assert alice.group.extensions == bob.group.extensions == title


@pytest.mark.spec("RFC 9420 §6.3.2 (Sender Data Encryption)")
def test_leaf_that_was_blank_in_a_past_epoch_did_not_speak_then() -> None:
    alice, bob, carol = everybody("alice", "bob", "carol")
    forged = forge_text(bob, b"hello", as_leaf=1, named_leaf=3)
    genuine = bob.send(b"hello")
    dave = Device("dave")
    pass_on(alice.commit(add(dave.bundle())), alice, [bob, carol])
    member = carol.group.member(3)
    assert member is not None
    assert member.identity == b"dave"
    with pytest.raises(UnknownSenderError):
        carol.read(forged)
    assert carol.read(genuine).data == b"hello"


def test_commit_key_that_is_gone_already_does_not_hinder_the_merge() -> None:
    alice, bob = everybody("alice", "bob")
    pending = alice.commit()
    staged = bob.stage(pending.commit)
    tree = bob.group.state.keys.tree
    tree.consume(tree.step(0, HANDSHAKE, 0))
    bob.merge(staged)
    alice.merge(pending.staged)
    assert agree([alice, bob])


def test_sender_data_of_a_wrong_size_is_malformed() -> None:
    alice, bob = everybody("alice", "bob")
    message = decode_message(alice.send(b"hello"))
    assert isinstance(message, PrivateMessage)
    keys = bob.group.state.keys
    key, nonce = keys.sender_data_keys(message.ciphertext)
    short = keys.suite.aead.seal(key, nonce, bytes(11), keys.head + b"\1")
    with pytest.raises(MalformedMessageError):
        bob.read(encode_message(message._replace(encrypted_sender_data=short)))


def test_group_stored_with_an_unknown_suite_is_reported() -> None:
    alice, _ = everybody("alice", "bob")
    row = alice.disk.rows[rows.GROUP, 0, 0]
    alice.disk.rows[rows.GROUP, 0, 0] = row[:1] + b"\x7f\x7f" + row[3:]
    with pytest.raises(CorruptStateError):
        Group.load(alice.disk)


@pytest.mark.spec("RFC 9420 §12.3 (Applying a Proposal List)")
def test_new_extensions_count_for_everything_else_in_the_list() -> None:
    alice, bob = everybody("alice", "bob")
    title = GroupContextExtensions((Extension(CONVERSATION, b"title"),))
    plain = add(Device("eve", extensions=()).bundle())
    with pytest.raises(UnsupportedError):
        alice.commit(plain, title)
    pass_on(alice.commit(title), alice, [bob])
    pending = alice.commit(plain, GroupContextExtensions(()))
    pass_on(pending, alice, [bob])
    assert len(bob.group.members()) == 3


@pytest.mark.spec("RFC 9420 §12.3 (Applying a Proposal List)")
def test_removals_come_before_additions_whatever_their_order() -> None:
    alice, bob, carol = everybody("alice", "bob", "carol")
    dave = add(Device("dave").bundle())
    leaves = set()
    orders: list[list[Proposal]] = [[dave, Remove(1)], [Remove(1), dave]]
    for proposals in orders:
        staged = alice.commit(*proposals).staged
        leaves.add(staged.added[0].leaf)
        assert carol.stage(alice.commit(*proposals).commit).added == staged.added
    assert leaves == {1}
    assert bob.group.epoch == 1


@pytest.mark.spec("RFC 9420 §12.1 (Proposals)")
@pytest.mark.spec("RFC 9420 §13.2 (Proposals)")
@pytest.mark.parametrize("number", [0, 8, 0x0A0A, 0xF0E2])
def test_proposal_of_unknown_type_is_refused(number: int) -> None:
    with pytest.raises(MalformedMessageError):
        decode_all(read_proposal, number.to_bytes(2, "big") + bytes(8))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\0", id="neither proposal nor reference"),
        pytest.param(b"\3", id="nor anything else"),
    ],
)
def test_entry_of_a_commit_is_a_proposal_or_a_reference(data: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        decode_all(read_proposal_or_ref, data)


@pytest.mark.spec("RFC 9420 §8.4 (Pre-Shared Keys)")
@pytest.mark.parametrize("data", [b"\2\0", b"\2\4", b"\0", b"\3"])
def test_pre_shared_key_of_unknown_kind_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        read_psk_id(Reader(data))


@pytest.mark.parametrize("data", [b"\0", b"\5"])
def test_sender_of_unknown_kind_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        Sender.read(Reader(data))


@pytest.mark.parametrize("number", [0, 4])
def test_content_of_unknown_kind_is_malformed(number: int) -> None:
    with pytest.raises(MalformedMessageError):
        read_body(Reader(b""), number)


def test_welcomes_are_not_authenticated_content() -> None:
    with pytest.raises(MalformedMessageError):
        decode_all(AuthenticatedContent.read, b"\0\3" + bytes(40))


def test_padding_can_be_left_out() -> None:
    alice, bob = everybody("alice", "bob")
    messages = [
        alice.group.protect(bytes(size), signer=alice.signer, rng=alice.rng, padding=no_padding)
        for size in (10, 11)
    ]
    assert len(messages[1]) - len(messages[0]) == 1
    assert bob.read(messages[1]).data == bytes(11)


def test_welcome_can_leave_the_tree_to_another_way() -> None:
    alice, bob = everybody("alice", "bob")
    carol = Device("carol")
    bundle = carol.bundle()
    pending = alice.group.create_commit(
        [add(bundle)], signer=alice.signer, now_ms=NOW_MS, rng=SeededRng(1), with_tree=False
    )
    assert pending.welcome is not None
    with pytest.raises(InvalidWelcomeError):
        Group.join(pending.welcome, bundle, now_ms=NOW_MS)
    pass_on(pending, alice, [bob])
    tree = bob.group.ratchet_tree
    group = Group.join(pending.welcome, bundle, ratchet_tree=tree, now_ms=NOW_MS)
    assert group.suite is SUITES[1]
    assert group.group_id == alice.group.group_id
    assert group.epoch_authenticator == alice.group.epoch_authenticator


@pytest.mark.spec("RFC 9420 §8.4 (Pre-Shared Keys)")
def test_external_pre_shared_key_reaches_members_and_new_members() -> None:
    alice, bob = everybody("alice", "bob")
    carol = Device("carol")
    bundle = carol.bundle()
    psks = {b"a key": b"shared before"}
    pending = alice.group.create_commit(
        [alice.group.psk_proposal(b"a key", rng=alice.rng), add(bundle)],
        signer=alice.signer,
        now_ms=NOW_MS,
        rng=alice.rng,
        psks=psks,
    )
    staged = bob.group.receive(pending.commit, now_ms=NOW_MS, psks=psks)
    assert isinstance(staged, StagedCommit)
    bob.merge(staged)
    alice.merge(pending.staged)
    assert pending.welcome is not None
    group = Group.join(pending.welcome, bundle, now_ms=NOW_MS, psks=psks)
    assert group.epoch_authenticator == alice.group.epoch_authenticator
    assert agree([alice, bob])


def test_update_of_a_leaf_that_is_gone_is_refused() -> None:
    alice, bob, carol = everybody("alice", "bob", "carol")
    update = carol.group.propose_update(signer=carol.signer, rng=carol.rng)
    for device in (alice, bob):
        device.take(update)
    bob.group.state.tree.remove_leaf(2)
    with altered_commits(lambda commit: commit):
        pending = alice.commit()
    with pytest.raises(InvalidProposalError):
        bob.stage(pending.commit)
