"""Changing our own leaf: a new signature key above all."""

import pytest

from e2ecore.crypto.signing import SigningKey
from e2ecore.crypto.suites import SUITES, CipherSuite
from e2ecore.mls.errors import (
    InvalidLeafNodeError,
    MembershipError,
    MlsError,
    UnsupportedError,
)
from e2ecore.mls.extensions import Extension, RequiredCapabilities
from e2ecore.mls.group import PendingCommit
from e2ecore.mls.nodes import Capabilities
from e2ecore.mls.own_leaf import LeafChange
from e2ecore.mls.proposals import GroupContextExtensions
from tests.support.mls_groups import CONVERSATION, NOW_MS, Device, add, agree, everybody, pass_on

TRIED = [SUITES[1], SUITES[4], SUITES[0xF001]]


def rotated(device: Device) -> LeafChange:
    return LeafChange(signer=device.suite.signature.generate(device.rng))


def key_of(change: LeafChange) -> SigningKey:
    assert change.signer is not None
    return change.signer


def commit_with(device: Device, change: LeafChange, *, path: bool = True) -> PendingCommit:
    pending = device.group.create_commit(
        signer=device.signer, now_ms=NOW_MS, rng=device.rng, leaf=change, path=path
    )
    device.save()
    return pending


@pytest.mark.spec("RFC 9420 §7.3 (Leaf Node Validation)")
@pytest.mark.spec("RFC 9420 §12.4.1 (Creating a Commit)")
@pytest.mark.parametrize("suite", TRIED, ids=lambda suite: suite.name)
def test_commit_brings_a_new_signature_key(suite: CipherSuite) -> None:
    alice, bob = everybody("alice", "bob", suite=suite)
    carol = Device("carol", suite)
    bundle, change = carol.bundle(), rotated(alice)
    pending = alice.group.create_commit(
        [add(bundle)], signer=alice.signer, now_ms=NOW_MS, rng=alice.rng, leaf=change
    )
    pending = PendingCommit.decode(pending.encode(), alice.reload())
    old = alice.signer
    assert bob.read(alice.send(b"still the old key")).sender.signature_key == old.public
    pass_on(pending, alice, [bob])
    assert pending.welcome is not None
    carol.join(pending.welcome, bundle)
    alice.reload()
    with pytest.raises(MembershipError):
        alice.send(b"the old key is over")
    alice.signer = key_of(change)
    for device in (bob, carol):
        assert device.read(alice.send(b"hello")).sender.signature_key == alice.signer.public
    pass_on(alice.commit(), alice, [bob, carol])
    assert agree([alice, bob, carol])


@pytest.mark.spec("RFC 9420 §12.1.2 (Update)")
@pytest.mark.parametrize("suite", TRIED, ids=lambda suite: suite.name)
def test_update_brings_a_new_signature_key(suite: CipherSuite) -> None:
    alice, bob, carol = everybody("alice", "bob", "carol", suite=suite)
    change = rotated(carol)
    message = carol.group.propose_update(signer=carol.signer, rng=carol.rng, leaf=change)
    carol.reload()
    for device in (alice, bob):
        device.take(message)
        device.reload()
    pass_on(alice.commit(), alice, [bob, carol])
    carol.reload()
    carol.signer = key_of(change)
    assert bob.read(carol.send(b"hello")).sender.signature_key == carol.signer.public
    pass_on(carol.commit(), carol, [alice, bob])
    assert agree([alice, bob, carol])


def test_change_of_the_leaf_forces_a_path() -> None:
    alice, bob = everybody("alice", "bob")
    carol = Device("carol")
    change = rotated(alice)
    pending = alice.group.create_commit(
        [add(carol.bundle())],
        signer=alice.signer,
        now_ms=NOW_MS,
        rng=alice.rng,
        leaf=change,
        path=False,
    )
    staged = bob.stage(pending.commit)
    ((before, now),) = staged.updated
    assert (before.signature_key, now.signature_key) == (
        alice.signer.public,
        key_of(change).public,
    )


@pytest.mark.spec("RFC 9420 §7.3 (Leaf Node Validation)")
def test_signature_key_of_another_member_is_refused() -> None:
    alice, bob = everybody("alice", "bob")
    change = LeafChange(signer=bob.signer)
    with pytest.raises(InvalidLeafNodeError):
        commit_with(alice, change)
    with pytest.raises(InvalidLeafNodeError):
        alice.group.propose_update(signer=alice.signer, rng=alice.rng, leaf=change)
    carol = Device("carol")
    with pytest.raises(InvalidLeafNodeError):
        alice.group.create_commit(
            [add(carol.bundle())],
            signer=alice.signer,
            now_ms=NOW_MS,
            rng=alice.rng,
            leaf=LeafChange(signer=carol.signer),
        )
    assert alice.group.take_changes() == {}


def test_capabilities_and_extensions_of_the_leaf_change_too() -> None:
    alice, bob = everybody("alice", "bob")
    note = Extension(0xF0E3, b"note")
    more = Capabilities(cipher_suites=(1,), extensions=(CONVERSATION, 0xF0E3))
    pass_on(commit_with(alice, LeafChange(capabilities=more, extensions=(note,))), alice, [bob])
    leaf = bob.group.state.tree.member(0)
    assert (leaf.capabilities, leaf.extensions) == (more, (note,))
    update = alice.group.propose_update(
        signer=alice.signer, rng=alice.rng, leaf=LeafChange(extensions=())
    )
    bob.take(update)
    pass_on(bob.commit(), bob, [alice])
    assert alice.group.state.tree.member(0).extensions == ()
    assert agree([alice, bob])


@pytest.mark.spec("RFC 9420 §11.1 (Required Capabilities)")
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(LeafChange(capabilities=Capabilities(cipher_suites=(1,))), id="required"),
        pytest.param(LeafChange(capabilities=Capabilities()), id="suite"),
        pytest.param(LeafChange(extensions=(Extension(0xF0E3, b""),)), id="not listed"),
    ],
)
def test_leaf_that_would_not_fit_the_group_is_refused(change: LeafChange) -> None:
    alice, bob = everybody("alice", "bob")
    terms = (RequiredCapabilities((CONVERSATION,)).to_extension(),)
    pass_on(alice.commit(GroupContextExtensions(terms)), alice, [bob])
    with pytest.raises((UnsupportedError, MlsError)):
        commit_with(alice, change)
    with pytest.raises((UnsupportedError, MlsError)):
        alice.group.propose_update(signer=alice.signer, rng=alice.rng, leaf=change)
    assert alice.group.take_changes() == {}


def test_lost_race_leaves_the_old_key_in_force() -> None:
    alice, bob = everybody("alice", "bob")
    change = rotated(alice)
    commit_with(alice, change)
    pass_on(bob.commit(), bob, [alice])
    assert bob.read(alice.send(b"old key")).data == b"old key"
    pass_on(commit_with(alice, change), alice, [bob])
    alice.signer = key_of(change)
    assert bob.read(alice.send(b"new key")).data == b"new key"
