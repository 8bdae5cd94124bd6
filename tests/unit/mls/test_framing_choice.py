"""Handshakes in clear or encrypted, by choice; application data encrypted always."""

from dataclasses import replace

import pytest

from e2ecore.crypto.suites import SUITES, CipherSuite
from e2ecore.mls import rows
from e2ecore.mls.errors import DuplicateMessageError, InvalidKeyPackageError, OwnMessageError
from e2ecore.mls.framing_choice import PUBLIC, HandshakeFraming
from e2ecore.mls.group import PendingCommit
from e2ecore.mls.key_package import KEY_PACKAGE_LABEL
from e2ecore.mls.labels import sign_with_label
from e2ecore.mls.message import decode_message
from e2ecore.mls.private_message import PrivateMessage, no_padding
from e2ecore.mls.proposals import Proposal, Remove
from e2ecore.mls.public_message import PublicMessage
from tests.support.mls_groups import NOW_MS, Device, add, agree, everybody, pass_on

TRIED = [SUITES[1], SUITES[2], SUITES[0xF001]]


def commit(
    device: Device, *proposals: Proposal, framing: HandshakeFraming = PUBLIC
) -> PendingCommit:
    pending = device.group.create_commit(
        proposals, signer=device.signer, now_ms=NOW_MS, rng=device.rng, framing=framing
    )
    device.save()
    return pending


@pytest.mark.spec("RFC 9420 §6.2 (Encoding and Decoding a Public Message)")
@pytest.mark.parametrize("suite", TRIED, ids=lambda suite: suite.name)
def test_group_evolves_in_clear(suite: CipherSuite) -> None:
    alice, bob, carol = everybody("alice", "bob", "carol", suite=suite)
    dave = Device("dave", suite)
    bundle = dave.bundle()
    added = bob.group.propose_add(
        bundle.message, signer=bob.signer, rng=bob.rng, now_ms=NOW_MS, framing=PUBLIC
    )
    update = carol.group.propose_update(signer=carol.signer, rng=carol.rng, framing=PUBLIC)
    for message, sender in ((added, bob), (update, carol)):
        decoded = decode_message(message)
        assert isinstance(decoded, PublicMessage)
        for device in (alice, bob, carol):
            if device is not sender:
                device.take(message)
        sender.reload()
    pending = PendingCommit.decode(commit(alice).encode(), alice.reload())
    assert isinstance(decode_message(pending.commit), PublicMessage)
    pass_on(pending, alice, [bob, carol])
    assert pending.welcome is not None
    dave.join(pending.welcome, bundle)
    assert agree([alice, bob, carol, dave])
    pass_on(commit(dave, Remove(2)), dave, [alice, bob, carol])
    pass_on(bob.commit(), bob, [alice, dave])
    assert agree([alice, bob, dave])


def test_handshake_in_clear_uses_no_key_and_writes_no_ratchet() -> None:
    alice, _ = everybody("alice", "bob")
    before = dict(alice.disk.rows)
    commit(alice)
    assert alice.disk.rows == before
    alice.group.propose_remove(1, signer=alice.signer, rng=alice.rng, framing=PUBLIC)
    kinds = {kind for kind, _, _ in alice.group.take_changes()}
    assert kinds == {rows.PROPOSAL}


def test_our_own_commit_in_clear_is_recognised_when_it_comes_back() -> None:
    alice, bob = everybody("alice", "bob")
    pending = commit(alice)
    with pytest.raises((OwnMessageError, DuplicateMessageError)):
        alice.stage(pending.commit)
    pass_on(pending, alice, [bob])
    for device in (alice, bob):
        with pytest.raises(DuplicateMessageError):
            device.stage(pending.commit)


@pytest.mark.spec("RFC 9420 §15.1 (Padding)")
def test_padding_of_handshakes_is_chosen() -> None:
    alice, _ = everybody("alice", "bob")

    def size(framing: HandshakeFraming) -> int:
        message = alice.group.propose_remove(1, signer=alice.signer, rng=alice.rng, framing=framing)
        alice.group.discard_proposals()
        decoded = decode_message(message)
        assert isinstance(decoded, PrivateMessage)
        return len(decoded.ciphertext)

    bare = size(HandshakeFraming(padding=no_padding))
    tag = alice.suite.aead.tag_size
    assert size(HandshakeFraming(padding=lambda _: 100)) == bare + 100
    assert (size(HandshakeFraming()) - tag) % 64 == 0


@pytest.mark.spec("RFC 9420 §6.3.1 (Content Encryption)")
def test_reuse_guard_is_fresh_for_each_message() -> None:
    alice, bob = everybody("alice", "bob")
    drawn: list[bytes] = []

    def rng(size: int, /) -> bytes:
        drawn.append(alice.rng(size))
        return drawn[-1]

    for _ in range(3):
        bob.read(alice.group.protect(b"text", signer=alice.signer, rng=rng))
    assert [len(each) for each in drawn] == [4, 4, 4]
    assert len(set(drawn)) == 3


@pytest.mark.spec("RFC 9420 §16.8 (KeyPackage Reuse)")
def test_mark_of_a_last_resort_is_empty() -> None:
    bundle, signer = Device("carol").bundle(last_resort=True), Device("carol").signer
    (mark,) = bundle.key_package.extensions
    package = replace(bundle.key_package, extensions=(replace(mark, data=b"\0"),))
    signature = sign_with_label(signer, KEY_PACKAGE_LABEL, package.tbs())
    bundle.key_package.validate(now_ms=NOW_MS)
    with pytest.raises(InvalidKeyPackageError):
        replace(package, signature=signature).validate(now_ms=NOW_MS)


@pytest.mark.spec("RFC 9420 §16.8 (KeyPackage Reuse)")
def test_last_resort_package_survives_a_restart_and_its_copies_part_with_the_first_commit() -> None:
    carol = Device("carol")
    bundle = type(carol.bundle()).decode(carol.bundle(last_resort=True).encode())
    assert bundle.key_package.last_resort
    groups = []
    for name in (b"one", b"two"):
        alice, member = Device("alice"), Device("carol")
        alice.begin(name)
        pending = commit(alice, add(bundle))
        alice.merge(pending.staged)
        assert pending.welcome is not None
        member.signer = carol.signer
        member.join(pending.welcome, bundle)
        groups.append((alice, member))
    assert len({member.group.state.tree.member(1).encryption_key for _, member in groups}) == 1
    for number, (alice, member) in enumerate(groups):
        member.rng = Device(f"carol {number}").rng
        pass_on(member.commit(), member, [alice])
        assert agree([alice, member])
    assert len({member.group.state.tree.member(1).encryption_key for _, member in groups}) == 2
