"""Handshakes in clear, and parties outside of the group."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from e2ecore.crypto.errors import DecryptionError, SignatureError
from e2ecore.crypto.suites import SUITES, CipherSuite
from e2ecore.errors import PeerError
from e2ecore.mls.errors import (
    ConfirmationError,
    CredentialError,
    EpochInFutureError,
    EpochTooOldError,
    InvalidCommitError,
    InvalidLeafNodeError,
    InvalidProposalError,
    MalformedMessageError,
    MembershipTagError,
    UnknownSenderError,
    UnsupportedError,
    WrongGroupError,
)
from e2ecore.mls.framing import FramedContent, Sender, SenderType
from e2ecore.mls.message import encode_message
from e2ecore.mls.proposals import (
    Commit,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ProposalRef,
    Remove,
)
from e2ecore.mls.psk import ExternalPskId
from e2ecore.mls.public_message import PublicMessage
from tests.support.mls_external import ExternalJoiner, in_clear
from tests.support.mls_groups import Device, add, agree, everybody, pass_on

LIVE = [SUITES[1], SUITES[2], SUITES[3], SUITES[0xF001]]


def content_changed(
    alter: Callable[[FramedContent], FramedContent],
) -> Callable[[PublicMessage], PublicMessage]:
    def change(message: PublicMessage) -> PublicMessage:
        sent = message.authenticated
        return replace(message, authenticated=replace(sent, content=alter(sent.content)))

    return change


def unsigned(message: PublicMessage) -> PublicMessage:
    return replace(message, authenticated=replace(message.authenticated, signature=b""))


@pytest.mark.spec("RFC 9420 §6.2 (Encoding and Decoding a Public Message)")
def test_proposal_in_clear_is_taken_from_a_member() -> None:
    alice, bob, carol = everybody("alice", "bob", "carol")
    message = in_clear(bob, Remove(2))
    assert alice.take(message).sender.identity == b"bob"
    assert carol.take(message).proposal == Remove(2)
    pending = alice.commit()
    with pytest.raises(InvalidProposalError):
        bob.stage(pending.commit)
    carol.merge(carol.stage(pending.commit))
    assert not carol.group.is_member


@pytest.mark.spec("RFC 9420 §6.2 (Encoding and Decoding a Public Message)")
@pytest.mark.spec("RFC 9420 §6.1 (Content Authentication)")
@pytest.mark.parametrize(
    ("alter", "error"),
    [
        pytest.param(
            lambda message: replace(message, membership_tag=bytes(32)), MembershipTagError, id="tag"
        ),
        pytest.param(
            lambda message: replace(message, membership_tag=b""), MembershipTagError, id="no tag"
        ),
        pytest.param(unsigned, MembershipTagError, id="no signature"),
        pytest.param(
            content_changed(lambda content: replace(content, group_id=b"other")),
            WrongGroupError,
            id="other group",
        ),
        pytest.param(
            content_changed(lambda content: replace(content, epoch=0)), EpochTooOldError, id="old"
        ),
        pytest.param(
            content_changed(lambda content: replace(content, epoch=2)),
            EpochInFutureError,
            id="future",
        ),
        pytest.param(
            content_changed(lambda content: replace(content, sender=Sender(SenderType.MEMBER, 7))),
            UnknownSenderError,
            id="no member",
        ),
        pytest.param(
            content_changed(lambda content: replace(content, sender=Sender(SenderType.MEMBER, 0))),
            MembershipTagError,
            id="ourselves",
        ),
        pytest.param(
            content_changed(lambda content: replace(content, sender=Sender(SenderType.MEMBER, 2))),
            MembershipTagError,
            id="another member",
        ),
    ],
)
def test_message_in_clear_with_one_fault_is_refused(
    alter: Callable[[PublicMessage], PublicMessage], error: type[PeerError]
) -> None:
    alice, bob, _ = everybody("alice", "bob", "carol")
    with pytest.raises(error):
        alice.take(in_clear(bob, Remove(2), alter=alter))
    assert alice.group.take_changes() == {}


@pytest.mark.spec("RFC 9420 §6.1 (Content Authentication)")
def test_member_in_clear_cannot_speak_for_another() -> None:
    alice, bob, _ = everybody("alice", "bob", "carol")
    with pytest.raises(SignatureError):
        alice.take(in_clear(bob, Remove(1), sender=Sender(SenderType.MEMBER, 2)))


@pytest.mark.spec("RFC 9420 §6 (Message Framing)")
def test_application_data_in_clear_is_refused() -> None:
    alice, bob = everybody("alice", "bob")
    with pytest.raises(MalformedMessageError):
        alice.group.receive(in_clear(bob, b"hello"), now_ms=None)


@pytest.mark.spec("RFC 9420 §12.1.8 (External Proposals)")
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (SenderType.EXTERNAL, UnknownSenderError),
        (SenderType.NEW_MEMBER_PROPOSAL, MalformedMessageError),
    ],
)
def test_proposals_from_outside_are_not_accepted(kind: SenderType, error: type[PeerError]) -> None:
    alice, bob = everybody("alice", "bob")
    with pytest.raises(error):
        alice.group.receive(in_clear(bob, Remove(1), sender=Sender(kind)), now_ms=None)
    commit = in_clear(bob, Commit((), None), sender=Sender(kind))
    with pytest.raises(InvalidProposalError):
        alice.group.receive(commit, now_ms=None)


@pytest.mark.parametrize("number", [2, 3, 4])
def test_other_messages_do_not_belong_into_a_group(number: int) -> None:
    alice, _ = everybody("alice", "bob")
    carol = Device("carol")
    bundle = carol.bundle()
    pending = alice.commit(add(bundle))
    assert pending.welcome is not None
    messages = {2: encode_message(bundle.key_package), 3: pending.welcome, 4: b"\0\2\0\1"}
    with pytest.raises((MalformedMessageError, UnsupportedError)):
        alice.group.receive(messages[number], now_ms=None)


@pytest.mark.spec("RFC 9420 §12.4.3.2 (Joining via External Commits)")
@pytest.mark.spec("RFC 9420 §8.3 (External Initialization)")
@pytest.mark.spec("RFC 9420 §12.1.6 (ExternalInit)")
@pytest.mark.parametrize("suite", LIVE, ids=lambda suite: suite.name)
def test_new_member_adds_itself(suite: CipherSuite) -> None:
    alice, bob, carol = everybody("alice", "bob", "carol", suite=suite)
    joiner = ExternalJoiner(Device("dave", suite), alice)
    message = joiner.commit()
    for device in (alice, bob, carol):
        staged = device.stage(message)
        assert staged.external
        assert [member.identity for member in staged.added] == [b"dave"]
        assert staged.sender_leaf == 3
        device.merge(staged)
        device.reload()
        assert device.group.epoch_authenticator == joiner.authenticator
    pass_on(bob.commit(), bob, [alice, carol])
    assert agree([alice, bob, carol])


@pytest.mark.spec("RFC 9420 §12.4.3.2 (Joining via External Commits)")
def test_member_replaces_its_lost_self() -> None:
    alice, bob, carol = everybody("alice", "bob", "carol")
    late = carol.send(b"before the loss")
    joiner = ExternalJoiner(Device("carol"), alice)
    message = joiner.commit(Remove(2))
    for device in (alice, bob):
        staged = device.stage(message)
        assert [member.leaf for member in staged.removed] == [2]
        assert [member.leaf for member in staged.added] == [2]
        device.merge(staged)
        assert device.group.epoch_authenticator == joiner.authenticator
        assert device.read(late).sender.leaf == 2
    staged = carol.stage(message)
    assert staged.self_removed


def path_dropped(commit: Commit) -> Commit:
    return replace(commit, path=None)


@pytest.mark.spec("RFC 9420 §12.2 (Proposal List Validation)")
@pytest.mark.spec("RFC 9420 §12.4.3.2 (Joining via External Commits)")
@pytest.mark.parametrize(
    ("change", "error"),
    [
        pytest.param(lambda _: (), InvalidProposalError, id="no external init"),
        pytest.param(lambda init: (init, init), InvalidProposalError, id="two external inits"),
        pytest.param(
            lambda init: (init, Remove(2), Remove(1)), InvalidProposalError, id="two removed"
        ),
        pytest.param(lambda init: (init, Remove(1)), CredentialError, id="other removed"),
        pytest.param(
            lambda init: (init, add(Device("eve").bundle())), InvalidProposalError, id="adds"
        ),
        pytest.param(
            lambda init: (init, GroupContextExtensions(())), InvalidProposalError, id="extensions"
        ),
        pytest.param(
            lambda init: (init, PreSharedKey(ExternalPskId(b"a", b""))),
            InvalidProposalError,
            id="nonce",
        ),
        pytest.param(lambda _: (ExternalInit(b"short"),), DecryptionError, id="init of no size"),
        pytest.param(lambda _: (ExternalInit(bytes(32)),), DecryptionError, id="low order init"),
    ],
)
def test_external_commit_with_one_fault_is_refused(
    change: Callable[[ExternalInit], tuple[Proposal, ...]], error: type[PeerError]
) -> None:
    alice, bob, _ = everybody("alice", "bob", "carol")
    joiner = ExternalJoiner(Device("dave"), alice)
    message = joiner.commit(proposals=change(joiner.external_init))
    before = dict(bob.disk.rows)
    with pytest.raises(error):
        bob.stage(message)
    assert bob.group.take_changes() == {}
    assert bob.disk.rows == before
    bob.merge(bob.stage(joiner.commit()))
    assert bob.group.epoch == 2


@pytest.mark.spec("RFC 9420 §12.4.3.2 (Joining via External Commits)")
def test_external_commit_has_a_path_and_names_nothing() -> None:
    alice, bob, _ = everybody("alice", "bob", "carol")
    joiner = ExternalJoiner(Device("dave"), alice)
    with pytest.raises(InvalidCommitError):
        bob.stage(joiner.commit(alter=path_dropped))
    bob.take(in_clear(alice, Remove(2)))
    refs = [ProposalRef(sent.ref) for sent in bob.group.pending_proposals if sent.ref]

    def naming(commit: Commit) -> Commit:
        return replace(commit, proposals=(*commit.proposals, *refs))

    with pytest.raises(InvalidProposalError):
        bob.stage(joiner.commit(alter=naming))


def test_external_commit_of_a_key_in_use_is_refused() -> None:
    alice, bob, _ = everybody("alice", "bob", "carol")
    with pytest.raises(InvalidLeafNodeError):
        bob.stage(ExternalJoiner(Device("carol"), alice).commit())


def test_external_commit_with_another_init_secret_is_refused() -> None:
    alice, bob = everybody("alice", "bob")
    one, two = ExternalJoiner(Device("dave"), alice), ExternalJoiner(Device("dave"), alice)
    one.init = two.init
    with pytest.raises(ConfirmationError):
        bob.stage(one.commit())
