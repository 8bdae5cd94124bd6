"""Proposals from outside of a group: listed senders, and clients that ask to be added."""

import pytest

from e2ecore.crypto.errors import InvalidKeyError, SignatureError
from e2ecore.crypto.suites import SUITES, CipherSuite
from e2ecore.mls.credentials import BasicCredential
from e2ecore.mls.errors import (
    DuplicateMessageError,
    EpochInFutureError,
    EpochTooOldError,
    InvalidProposalError,
    MalformedMessageError,
    MembershipError,
    PendingChangeError,
    UnknownSenderError,
    UnsupportedError,
    WrongGroupError,
)
from e2ecore.mls.extensions import Extension, ExtensionType
from e2ecore.mls.external_senders import ExternalSender, external_senders, senders_extension
from e2ecore.mls.framing import Sender, SenderType
from e2ecore.mls.group import Group, OutsideProposal, PendingCommit
from e2ecore.mls.outside import PublishedGroup
from e2ecore.mls.proposals import (
    Add,
    ExternalInit,
    GroupContextExtensions,
    PreSharedKey,
    ReInit,
    Remove,
    Update,
)
from e2ecore.mls.psk import ExternalPskId
from tests.support.mls_external import in_clear
from tests.support.mls_groups import NOW_MS, Device, add, agree, everybody, pass_on

TRIED = [SUITES[2], SUITES[6], SUITES[0xF001]]


def seen(member: Device) -> PublishedGroup:
    return PublishedGroup.read(member.group.group_info(signer=member.signer), now_ms=NOW_MS)


def hear(device: Device, message: bytes, *, join_requests: bool = False) -> OutsideProposal:
    received = device.group.receive(message, now_ms=NOW_MS, join_requests=join_requests)
    device.save()
    assert isinstance(received, OutsideProposal)
    return received


def listed(*services: Device) -> Extension:
    return senders_extension(
        ExternalSender(one.signer.public, BasicCredential(one.name.encode())) for one in services
    )


def admit(members: list[Device], *services: Device) -> None:
    pending = members[0].commit(GroupContextExtensions((listed(*services),)))
    pass_on(pending, members[0], members[1:])


@pytest.mark.spec("RFC 9420 §12.1.8 (External Proposals)")
@pytest.mark.spec("RFC 9420 §12.1.8.1 (External Senders Extension)")
@pytest.mark.parametrize("suite", TRIED, ids=lambda suite: suite.name)
def test_listed_sender_has_a_member_removed_and_another_added(suite: CipherSuite) -> None:
    members = everybody("alice", "bob", "carol", suite=suite)
    alice, bob, carol = members
    other, service = Device("other", suite), Device("service", suite)
    admit(members, other, service)
    dave = Device("dave", suite)
    bundle = dave.bundle()
    view = seen(bob)
    assert [member.identity for member in view.members()] == [b"alice", b"bob", b"carol"]
    assert view.extensions == bob.group.extensions
    for proposal in (Remove(2), add(bundle)):
        message = view.propose(proposal, signer=service.signer, authenticated_data=b"ticket 7")
        for device in members:
            received = hear(device, message)
            assert received.sender == external_senders(device.group.extensions)[1]
            assert received.proposal == proposal
            assert received.authenticated_data == b"ticket 7"
            device.reload()
    with pytest.raises(PendingChangeError):
        alice.send(b"not before the commit")
    pending = PendingCommit.decode(alice.commit().encode(), alice.reload())
    assert [sent.sender.type for sent in pending.staged.proposals] == [SenderType.EXTERNAL] * 2
    pass_on(pending, alice, [bob, carol])
    assert not carol.group.is_member
    assert pending.welcome is not None
    dave.join(pending.welcome, bundle)
    assert agree([alice, bob, dave])
    assert external_senders(dave.group.extensions) == external_senders(alice.group.extensions)


@pytest.mark.spec("RFC 9420 §12.1.8 (External Proposals)")
def test_listed_sender_proposes_keys_ends_and_terms() -> None:
    members = everybody("alice", "bob")
    alice, bob = members
    service = Device("service")
    admit(members, service)
    terms = GroupContextExtensions((listed(service, Device("second")),))
    for proposal in (
        PreSharedKey(ExternalPskId(b"a key", bytes(32))),
        ReInit(b"next", 1, 1, ()),
        terms,
    ):
        message = seen(alice).propose(proposal, signer=service.signer)
        for device in members:
            assert hear(device, message).proposal == proposal
    pending = alice.commit()
    assert [sent.proposal for sent in pending.staged.proposals] == [terms]
    pass_on(pending, alice, [bob])
    assert agree(members)


@pytest.mark.spec("RFC 9420 §12.1.8 (External Proposals)")
def test_what_only_members_may_propose_is_malformed_from_outside() -> None:
    members = everybody("alice", "bob")
    alice, bob = members
    admit(members, bob)
    leaf = bob.group.state.tree.member(1)
    for proposal in (Update(leaf), ExternalInit(bytes(32))):
        message = in_clear(bob, proposal, sender=Sender(SenderType.EXTERNAL, 0))
        with pytest.raises(MalformedMessageError):
            alice.group.receive(message, now_ms=NOW_MS)
        with pytest.raises(InvalidProposalError):
            seen(alice).propose(proposal, signer=bob.signer)
    message = in_clear(bob, Remove(1), sender=Sender(SenderType.NEW_MEMBER_PROPOSAL))
    with pytest.raises(MalformedMessageError):
        alice.group.receive(message, now_ms=NOW_MS, join_requests=True)
    assert alice.group.take_changes() == {}


@pytest.mark.spec("RFC 9420 §12.1.8.1 (External Senders Extension)")
def test_only_who_is_listed_is_heard() -> None:
    members = everybody("alice", "bob", "carol")
    alice, bob, _ = members
    service, stranger = Device("service"), Device("stranger")
    with pytest.raises(MembershipError):
        seen(alice).propose(Remove(2), signer=service.signer)
    admit(members, service)
    with pytest.raises(MembershipError):
        seen(alice).propose(Remove(2), signer=stranger.signer)
    for index, error in ((0, SignatureError), (1, UnknownSenderError)):
        message = in_clear(bob, Remove(2), sender=Sender(SenderType.EXTERNAL, index))
        with pytest.raises(error):
            alice.group.receive(message, now_ms=NOW_MS)
    message = seen(alice).propose(Remove(2), signer=service.signer)
    pass_on(alice.commit(GroupContextExtensions(())), alice, members[1:])
    with pytest.raises(EpochTooOldError):
        alice.group.receive(message, now_ms=NOW_MS)
    assert external_senders(alice.group.extensions) == ()


def test_proposal_for_another_group_or_epoch_is_refused() -> None:
    members = everybody("alice", "bob")
    alice, bob = members
    service = Device("service")
    admit(members, service)
    other = Device("other")
    other.begin(b"another group")
    pass_on(other.commit(GroupContextExtensions((listed(service),))), other, [])
    with pytest.raises(WrongGroupError):
        bob.group.receive(seen(other).propose(Remove(0), signer=service.signer), now_ms=NOW_MS)
    alice.merge(alice.commit().staged)
    with pytest.raises(EpochInFutureError):
        bob.group.receive(seen(alice).propose(Remove(0), signer=service.signer), now_ms=NOW_MS)


@pytest.mark.spec("RFC 9420 §12.1.8.1 (External Senders Extension)")
@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(b"\x01\x00", MalformedMessageError, id="cut"),
        pytest.param(b"\x05\x00\x00\x01\x01a", InvalidKeyError, id="no key"),
    ],
)
def test_senders_that_make_no_sense_are_not_listed(data: bytes, error: type[Exception]) -> None:
    alice, bob = everybody("alice", "bob")
    broken = Extension(ExtensionType.EXTERNAL_SENDERS, data)
    with pytest.raises(error):
        alice.commit(GroupContextExtensions((broken,)))
    with pytest.raises(error):
        alice.take(in_clear(bob, GroupContextExtensions((broken,))))
    with pytest.raises(error):
        Group.create(
            alice.suite,
            b"group",
            alice.signer,
            b"alice",
            extensions=(broken,),
            now_ms=NOW_MS,
            rng=alice.rng,
        )


@pytest.mark.spec("RFC 9420 §12.1.8 (External Proposals)")
@pytest.mark.parametrize("suite", TRIED, ids=lambda suite: suite.name)
def test_client_asks_to_be_added(suite: CipherSuite) -> None:
    members = everybody("alice", "bob", suite=suite)
    alice, bob = members
    carol = Device("carol", suite)
    bundle = carol.bundle()
    message = seen(alice).ask_to_join(bundle, signer=carol.signer)
    with pytest.raises(UnsupportedError):
        alice.group.receive(message, now_ms=NOW_MS)
    for device in members:
        received = hear(device, message, join_requests=True)
        assert received.sender is None
        assert isinstance(received.proposal, Add)
        device.reload()
    pending = bob.commit()
    pass_on(pending, bob, [alice])
    assert pending.welcome is not None
    carol.join(pending.welcome, bundle)
    assert agree([alice, bob, carol])


def test_request_that_is_not_wanted_is_discarded() -> None:
    alice, bob = everybody("alice", "bob")
    carol = Device("carol")
    message = seen(alice).ask_to_join(carol.bundle(), signer=carol.signer)
    hear(alice, message, join_requests=True)
    alice.group.discard_proposals()
    pass_on(alice.commit(), alice, [bob])
    assert len(alice.group.members()) == 2


def test_request_is_signed_by_the_client_itself() -> None:
    alice, bob = everybody("alice", "bob")
    carol = Device("carol")
    bundle = carol.bundle()
    with pytest.raises(MembershipError):
        seen(alice).ask_to_join(bundle, signer=bob.signer)
    forged = in_clear(bob, add(bundle), sender=Sender(SenderType.NEW_MEMBER_PROPOSAL))
    with pytest.raises(SignatureError):
        alice.group.receive(forged, now_ms=NOW_MS, join_requests=True)
    assert alice.group.take_changes() == {}


def test_request_of_a_client_that_does_not_fit_is_refused() -> None:
    alice = Device("alice")
    alice.begin()
    terms = GroupContextExtensions((Extension(alice.extensions[0], b"title"),))
    pass_on(alice.commit(terms), alice, [])
    eve = Device("eve", extensions=())
    with pytest.raises(UnsupportedError):
        seen(alice).ask_to_join(eve.bundle(), signer=eve.signer)


def test_repeated_proposal_is_kept_once() -> None:
    members = everybody("alice", "bob")
    service = Device("service")
    admit(members, service)
    message = seen(members[0]).propose(Remove(1), signer=service.signer)
    hear(members[0], message)
    with pytest.raises(DuplicateMessageError):
        hear(members[0], message)
    assert len(members[0].group.pending_proposals) == 1
