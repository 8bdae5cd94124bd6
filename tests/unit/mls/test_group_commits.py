"""Commits: staged without a trace, merged in one step, and the same for everybody."""

import pytest

from e2ecore.crypto.suites import SUITES, CipherSuite
from e2ecore.errors import CorruptStateError
from e2ecore.mls import rows
from e2ecore.mls.errors import (
    DuplicateMessageError,
    EpochTooOldError,
    InvalidProposalError,
    MembershipError,
    PendingChangeError,
    StaleCommitError,
    UnsupportedError,
)
from e2ecore.mls.extensions import Extension, RequiredCapabilities
from e2ecore.mls.group import Group, PendingCommit
from e2ecore.mls.proposals import Add, GroupContextExtensions, ReInit, Remove, Update
from tests.support.mls_groups import CONVERSATION, NOW_MS, Device, add, agree, everybody, pass_on

LIVE = [SUITES[1], SUITES[2], SUITES[3], SUITES[0xF001]]


@pytest.mark.spec("RFC 9420 §12.4.1 (Creating a Commit)")
@pytest.mark.spec("RFC 9420 §12.4.2 (Processing a Commit)")
@pytest.mark.parametrize("suite", LIVE, ids=lambda suite: suite.name)
def test_group_lives_through_every_kind_of_change(suite: CipherSuite) -> None:
    devices = everybody("alice", "bob", "carol", suite=suite)
    alice, bob, carol = devices
    dave = Device("dave", suite)
    bundle = dave.bundle()
    update = carol.group.propose_update(signer=carol.signer, rng=carol.rng)
    for device in (alice, bob):
        device.take(update)
    title = Extension(CONVERSATION, b"title")
    pending = bob.commit(add(bundle), GroupContextExtensions((title,)))
    pass_on(pending, bob, [alice, carol])
    assert pending.welcome is not None
    dave.join(pending.welcome, bundle)
    everyone = [*devices, dave]
    for device in everyone:
        device.reload()
    assert agree(everyone)
    assert dave.group.extensions == (title,)
    pass_on(dave.commit(Remove(0)), dave, [alice, bob, carol])
    assert agree([bob, carol, dave])
    assert [member.identity for member in bob.group.members()] == [b"bob", b"carol", b"dave"]
    message = carol.send(b"still here")
    assert bob.read(message).data == dave.read(message).data == b"still here"


def test_staged_commit_says_what_it_does() -> None:
    alice, bob, carol = everybody("alice", "bob", "carol")
    dave = Device("dave")
    alice.take(bob.group.propose_update(signer=bob.signer, rng=bob.rng))
    bob.save()
    title = Extension(CONVERSATION, b"title")
    pending = alice.commit(add(dave.bundle()), Remove(2), GroupContextExtensions((title,)))
    staged = bob.stage(pending.commit)
    for each in (staged, pending.staged):
        assert (each.sender_leaf, each.committer.identity) == (0, b"alice")
        assert [(member.leaf, member.identity) for member in each.added] == [(2, b"dave")]
        assert [(member.leaf, member.identity) for member in each.removed] == [(2, b"carol")]
        assert [(old.leaf, new.identity) for old, new in each.updated] == [
            (1, b"bob"),
            (0, b"alice"),
        ]
        assert each.new_extensions == (title,)
        assert not each.self_removed
        assert not each.external
        kinds = [
            (type(sent.proposal), sent.sender.index, sent.ref is None) for sent in each.proposals
        ]
        assert kinds == [
            (Update, 1, False),
            (Add, 0, True),
            (Remove, 0, True),
            (GroupContextExtensions, 0, True),
        ]
    assert carol.group.epoch == 1


@pytest.mark.spec("RFC 9420 §14 (Sequencing of State Changes)")
def test_making_a_commit_changes_the_handshake_ratchet_only() -> None:
    alice, bob = everybody("alice", "bob")
    alice.send(b"speaks")
    before = dict(alice.disk.rows)
    alice.commit(add(Device("carol").bundle()))
    changed = {key for key in alice.disk.rows if alice.disk.rows[key] != before.get(key)}
    assert changed == {(rows.RATCHET, 1, 0)}
    assert alice.disk.rows.keys() == before.keys()
    assert bob.read(alice.send(b"epoch goes on")).epoch == 1


def test_staging_a_commit_changes_nothing() -> None:
    alice, bob = everybody("alice", "bob")
    pending = alice.commit()
    before = dict(bob.disk.rows)
    first, second = bob.stage(pending.commit), bob.stage(pending.commit)
    assert first.committer == second.committer
    assert bob.group.take_changes() == {}
    bob.merge(second)
    assert bob.disk.rows != before
    with pytest.raises(DuplicateMessageError):
        bob.stage(pending.commit)


@pytest.mark.spec("RFC 9420 §14 (Sequencing of State Changes)")
def test_loser_of_a_race_follows_the_winner() -> None:
    alice, bob, carol = everybody("alice", "bob", "carol")
    ours, theirs = alice.commit(), bob.commit()
    staged = alice.stage(theirs.commit)
    pass_on(theirs, bob, [carol])
    alice.merge(staged)
    with pytest.raises(StaleCommitError):
        alice.merge(ours.staged)
    with pytest.raises(EpochTooOldError):
        bob.stage(ours.commit)
    assert agree([alice, bob, carol])
    pass_on(alice.commit(), alice, [bob, carol])
    assert agree([alice, bob, carol])


def test_repeated_attempts_never_reuse_a_handshake_key() -> None:
    alice, bob = everybody("alice", "bob")
    generations = []
    for _ in range(3):
        staged = bob.stage(alice.commit().commit)
        assert staged.key is not None
        generations.append(staged.key[1])
        alice.reload()
    assert generations == [0, 1, 2]


@pytest.mark.parametrize("suite", LIVE, ids=lambda suite: suite.name)
def test_pending_commit_survives_a_restart(suite: CipherSuite) -> None:
    alice, bob, carol = everybody("alice", "bob", "carol", suite=suite)
    dave = Device("dave", suite)
    bundle = dave.bundle()
    alice.take(bob.group.propose_update(signer=bob.signer, rng=bob.rng))
    bob.save()
    pending = alice.commit(add(bundle), Remove(2), GroupContextExtensions(()))
    stored = pending.encode()
    again = PendingCommit.decode(stored, alice.reload())
    assert again.encode() == stored
    assert (again.commit, again.welcome) == (pending.commit, pending.welcome)
    pass_on(again, alice, [bob])
    assert again.welcome is not None
    dave.join(again.welcome, bundle)
    alice.reload()
    assert agree([alice, bob, dave])
    pass_on(alice.commit(), alice, [bob, dave])
    assert agree([alice, bob, dave])
    assert carol.group.epoch == 1


@pytest.mark.parametrize("count", [1, 4, 5])
def test_pending_commit_of_a_growing_or_shrinking_tree_survives_a_restart(count: int) -> None:
    devices = everybody(*(f"member {number}" for number in range(5)))
    first, last = devices[0], devices[4]
    leaving = [Remove(leaf) for leaf in range(1, min(count, 4))]
    more = [Device(f"new {number}") for number in range(count)]
    bundles = [device.bundle() for device in more]
    pending = first.commit(*leaving, *map(add, bundles))
    again = PendingCommit.decode(pending.encode(), first.reload())
    pass_on(again, first, [last])
    assert again.welcome is not None
    for device, bundle in zip(more, bundles, strict=True):
        device.join(again.welcome, bundle)
    assert agree([first, last, *more])
    pass_on(more[0].commit(), more[0], [first, last, *more[1:]])
    assert agree([first, last, *more])


def test_pending_commit_of_a_past_epoch_is_stale() -> None:
    alice, bob = everybody("alice", "bob")
    stored = alice.commit().encode()
    pass_on(bob.commit(), bob, [alice])
    with pytest.raises(StaleCommitError):
        PendingCommit.decode(stored, alice.group)


def test_damaged_pending_commit_is_reported() -> None:
    alice, _ = everybody("alice", "bob")
    stored = alice.commit().encode()
    for damaged in (b"", b"\2" + stored[1:], stored[:-1], stored + b"\0"):
        with pytest.raises(CorruptStateError):
            PendingCommit.decode(damaged, alice.group)


@pytest.mark.spec("RFC 9420 §12.4 (Commit)")
def test_proposals_of_others_are_committed_by_reference() -> None:
    alice, bob, carol = everybody("alice", "bob", "carol")
    dave = Device("dave")
    bundle = dave.bundle()
    added = bob.group.propose_add(bundle.message, signer=bob.signer, rng=bob.rng, now_ms=bob.now_ms)
    left = bob.group.propose_remove(2, signer=bob.signer, rng=bob.rng)
    for proposal in (added, left):
        alice.take(proposal)
        alice.reload()
        carol.take(proposal)
    assert len(alice.group.pending_proposals) == 2
    pending = alice.commit()
    assert bob.stage(pending.commit).proposals == pending.staged.proposals
    pass_on(pending, alice, [bob, carol])
    assert pending.welcome is not None
    dave.join(pending.welcome, bundle)
    assert agree([alice, bob, dave])
    assert not carol.group.is_member
    assert len(alice.group.pending_proposals) == 0


def test_waiting_proposals_that_do_not_fit_are_left_out() -> None:
    alice, bob, carol = everybody("alice", "bob", "carol")
    for proposal in (
        alice.group.propose_update(signer=alice.signer, rng=alice.rng),
        alice.group.propose_remove(0, signer=alice.signer, rng=alice.rng),
        alice.group.propose_remove(2, signer=alice.signer, rng=alice.rng),
    ):
        bob.take(proposal)
        carol.take(proposal)
    pending = alice.commit(Remove(2))
    assert [sent.ref for sent in pending.staged.proposals] == [None]
    pass_on(pending, alice, [bob])
    assert agree([alice, bob])


def test_waiting_proposals_can_be_left_out_or_discarded() -> None:
    alice, bob = everybody("alice", "bob")
    bob.take(alice.group.propose_update(signer=alice.signer, rng=alice.rng))
    alice.save()
    pending = bob.group.create_commit(
        signer=bob.signer, now_ms=NOW_MS, rng=bob.rng, include_pending=False
    )
    assert pending.staged.proposals == ()
    alice.group.discard_proposals()
    alice.save()
    assert alice.group.pending_proposals == ()
    assert [key for key in alice.disk.rows if key[0] == rows.PROPOSAL] == []
    with pytest.raises(InvalidProposalError):
        alice.stage(bob.commit().commit)


def test_own_update_committed_by_another_survives_a_restart() -> None:
    alice, bob, carol = everybody("alice", "bob", "carol")
    update = carol.group.propose_update(signer=carol.signer, rng=carol.rng)
    carol.reload()
    alice.take(update)
    bob.take(update)
    pass_on(alice.commit(), alice, [bob, carol])
    carol.reload()
    for device in (bob, carol, alice):
        others = [each for each in (alice, bob, carol) if each is not device]
        pass_on(device.commit(), device, others)
    assert agree([alice, bob, carol])


@pytest.mark.spec("RFC 9420 §12.1.2 (Update)")
def test_next_commit_after_our_lost_update_still_works() -> None:
    alice, bob, carol = everybody("alice", "bob", "carol")
    carol.group.propose_update(signer=carol.signer, rng=carol.rng)
    carol.save()
    for _ in range(2):
        pass_on(alice.commit(), alice, [bob, carol])
    assert agree([alice, bob, carol])


@pytest.mark.spec("RFC 9420 §7.4 (Ratchet Tree Evolution)")
def test_alone_in_the_group_a_commit_still_brings_a_random_secret() -> None:
    seen = set()
    for name in ("one", "two"):
        alone = Device(name)
        alone.begin()
        alone.rng = Device("same").rng
        pending = alone.commit()
        alone.merge(pending.staged)
        seen.add(alone.group.epoch_authenticator)
        assert alone.group.epoch == 1
    assert len(seen) == 2


def test_commit_without_path_adds_only() -> None:
    alice, bob = everybody("alice", "bob")
    carol = Device("carol")
    bundle = carol.bundle()
    pending = alice.commit(add(bundle), path=False)
    assert pending.staged.updated == ()
    pass_on(pending, alice, [bob])
    assert pending.welcome is not None
    carol.join(pending.welcome, bundle)
    assert agree([alice, bob, carol])
    assert alice.commit(path=False).staged.updated != ()
    assert bob.commit(Remove(2), path=False).staged.updated != ()


@pytest.mark.spec("RFC 9420 §12.1.5 (ReInit)")
def test_reinit_closes_the_group() -> None:
    alice, bob = everybody("alice", "bob")
    pending = alice.commit(ReInit(b"next group", 1, 1, ()))
    pass_on(pending, alice, [bob])
    for device in (alice, bob):
        device.reload()
        assert device.group.is_closed
        with pytest.raises(PendingChangeError):
            device.send(b"hello")
        with pytest.raises(PendingChangeError):
            device.commit()


def test_only_the_key_of_our_leaf_commits_and_proposes() -> None:
    alice, bob = everybody("alice", "bob")
    with pytest.raises(MembershipError):
        alice.group.create_commit(signer=bob.signer, now_ms=NOW_MS, rng=alice.rng)
    with pytest.raises(MembershipError):
        alice.group.propose_remove(1, signer=bob.signer, rng=alice.rng)
    assert alice.group.take_changes() == {}


@pytest.mark.spec("RFC 9420 §11.1 (Required Capabilities)")
@pytest.mark.spec("RFC 9420 §12.1.7 (GroupContextExtensions)")
@pytest.mark.parametrize(
    "extension",
    [
        pytest.param(Extension(0xF0E3, b""), id="an extension nobody knows"),
        pytest.param(RequiredCapabilities((0xF0E3,)).to_extension(), id="a required one"),
    ],
)
def test_group_refuses_extensions_that_a_member_lacks(extension: Extension) -> None:
    alice, _ = everybody("alice", "bob")
    with pytest.raises((InvalidProposalError, UnsupportedError)):
        alice.commit(GroupContextExtensions((extension,)))
    assert alice.group.epoch == 1
    known = RequiredCapabilities((CONVERSATION,)).to_extension()
    assert alice.commit(GroupContextExtensions((known,))).staged.new_extensions == (known,)


@pytest.mark.spec("RFC 9420 §11 (Group Creation)")
def test_creator_must_support_the_groups_extensions() -> None:
    alice = Device("alice")
    with pytest.raises(UnsupportedError):
        Group.create(
            alice.suite,
            b"group",
            alice.signer,
            b"alice",
            extensions=(Extension(CONVERSATION, b""),),
            now_ms=NOW_MS,
            rng=alice.rng,
        )
