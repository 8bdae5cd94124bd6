"""Joining by an external commit, from what a member published."""

import pytest

from e2ecore.crypto.suites import SUITES, CipherSuite
from e2ecore.errors import CorruptStateError
from e2ecore.mls.errors import (
    EpochTooOldError,
    ExpiredError,
    InvalidCommitError,
    InvalidGroupInfoError,
    InvalidLeafNodeError,
    MembershipError,
    UnknownPskError,
    UnsupportedError,
)
from e2ecore.mls.extensions import Extension
from e2ecore.mls.group import Group, StagedCommit
from e2ecore.mls.pending_join import PendingJoin
from e2ecore.mls.proposals import GroupContextExtensions, Remove
from e2ecore.mls.ratchet_tree import RatchetTree
from tests.support.mls_groups import (
    CONVERSATION,
    NOW_MS,
    Device,
    SeededRng,
    add,
    agree,
    everybody,
    knock,
    pass_on,
    published,
)

LIVE = list(SUITES.values())
KEYS = {b"a key": b"shared before"}


def let_in(members: list[Device], newcomer: Device, pending: PendingJoin) -> None:
    for member in members:
        member.merge(member.stage(pending.commit))
    newcomer.enter(pending)


@pytest.mark.spec("RFC 9420 §12.4.3.2 (Joining via External Commits)")
@pytest.mark.spec("RFC 9420 §8.3 (External Initialization)")
@pytest.mark.parametrize("suite", LIVE, ids=lambda suite: suite.name)
def test_who_has_the_group_info_joins_by_itself(suite: CipherSuite) -> None:
    members = everybody("alice", "bob", "carol", suite=suite)
    dave = Device("dave", suite)
    pending = knock(dave, published(members[1]))
    assert (pending.group_id, pending.epoch, pending.own_leaf) == (b"conversation", 1, 3)
    let_in(members, dave, PendingJoin.decode(pending.encode()))
    everyone = [*members, dave]
    for device in everyone:
        device.reload()
    assert agree(everyone)
    assert members[0].read(dave.send(b"here I am")).sender.identity == b"dave"
    assert dave.read(members[2].send(b"hello")).data == b"hello"
    pass_on(dave.commit(), dave, members)
    pass_on(members[0].commit(), members[0], [*members[1:], dave])
    assert agree(everyone)


@pytest.mark.spec("RFC 9420 §11 (Group Creation)")
def test_first_epoch_can_be_joined_too() -> None:
    alice, bob = Device("alice"), Device("bob")
    alice.begin()
    let_in([alice], bob, knock(bob, published(alice)))
    assert agree([alice, bob])
    assert bob.group.epoch == 1


@pytest.mark.parametrize("count", [2, 4, 5])
def test_trees_of_all_shapes_can_be_joined(count: int) -> None:
    members = everybody(*(f"member {number}" for number in range(count)))
    newcomers = [Device(f"new {number}") for number in range(3)]
    for device in newcomers:
        let_in(members, device, knock(device, published(members[-1])))
        members.append(device)
        assert agree(members)
    for device in members:
        device.reload()
        pass_on(device.commit(), device, [each for each in members if each is not device])
    assert agree(members)


@pytest.mark.spec("RFC 9420 §12.4.3.3 (Ratchet Tree Extension)")
def test_tree_may_come_by_another_way() -> None:
    members = everybody("alice", "bob")
    carol = Device("carol")
    info = published(members[0], with_tree=False)
    assert len(info) < len(published(members[0]))
    with pytest.raises(InvalidGroupInfoError):
        knock(carol, info)
    pending = Group.join_by_commit(
        info,
        carol.signer,
        b"carol",
        ratchet_tree=members[1].group.ratchet_tree,
        now_ms=NOW_MS,
        rng=carol.rng,
    )
    let_in(members, carol, pending)
    assert agree([*members, carol])


@pytest.mark.spec("RFC 9420 §12.4.3.2 (Joining via External Commits)")
@pytest.mark.parametrize("same_key", [True, False])
def test_member_that_lost_its_state_replaces_itself(*, same_key: bool) -> None:
    alice, bob, carol = everybody("alice", "bob", "carol")
    again = Device("carol")
    again.rng = SeededRng("after the loss")
    if not same_key:
        again.signer = again.suite.signature.generate(again.rng)
    pending = knock(again, published(alice), resync=True)
    assert pending.own_leaf == 2
    old = carol.stage(pending.commit)
    assert old.self_removed
    staged = bob.stage(pending.commit)
    assert [member.leaf for member in staged.removed] == [2]
    assert [member.leaf for member in staged.added] == [2]
    let_in([alice, bob], again, pending)
    carol.merge(old)
    assert not carol.group.is_member
    assert agree([alice, bob, again])
    assert again.read(alice.send(b"welcome back")).data == b"welcome back"


@pytest.mark.spec("RFC 9420 §12.4.3.2 (Joining via External Commits)")
def test_nobody_replaces_a_self_that_is_not_there_or_not_one() -> None:
    alice, bob = everybody("alice", "bob")
    with pytest.raises(MembershipError):
        knock(Device("carol"), published(alice), resync=True)
    second, third = Device("bob's second"), Device("bob's third")
    second.name = third.name = "bob"
    let_in([alice, bob], second, knock(second, published(alice)))
    with pytest.raises(MembershipError):
        knock(third, published(alice), resync=True)


def test_key_in_use_joins_only_in_place_of_its_old_self() -> None:
    alice, _ = everybody("alice", "bob")
    with pytest.raises(InvalidLeafNodeError):
        knock(Device("bob"), published(alice))


@pytest.mark.spec("RFC 9420 §12.4.3.2 (Joining via External Commits)")
def test_group_info_serves_one_join() -> None:
    members = everybody("alice", "bob")
    info = published(members[0])
    carol, dave = Device("carol"), Device("dave")
    first, second = knock(carol, info), knock(dave, info)
    let_in(members, carol, first)
    with pytest.raises(EpochTooOldError):
        members[0].stage(second.commit)
    let_in([*members, carol], dave, knock(dave, published(carol)))
    assert agree([*members, carol, dave])


@pytest.mark.spec("RFC 9420 §11.1 (Required Capabilities)")
def test_newcomer_must_support_what_the_group_uses() -> None:
    alice = Device("alice")
    alice.begin()
    title = GroupContextExtensions((Extension(CONVERSATION, b"title"),))
    pass_on(alice.commit(title), alice, [])
    with pytest.raises(UnsupportedError):
        knock(Device("eve", extensions=()), published(alice))
    bob = Device("bob")
    let_in([alice], bob, knock(bob, published(alice)))
    assert bob.group.extensions == alice.group.extensions


@pytest.mark.spec("RFC 9420 §7.3 (Leaf Node Validation)")
def test_lifetimes_of_members_are_judged_by_the_given_moment() -> None:
    alice, _ = everybody("alice", "bob")
    carol, later = Device("carol"), NOW_MS + 200 * 24 * 3600 * 1000
    info = published(alice)
    with pytest.raises(ExpiredError):
        Group.join_by_commit(info, carol.signer, b"carol", now_ms=later, rng=carol.rng)
    pending = Group.join_by_commit(info, carol.signer, b"carol", now_ms=None, rng=carol.rng)
    assert pending.own_leaf == 2


def test_damaged_pending_join_is_reported() -> None:
    alice, _ = everybody("alice", "bob")
    stored = knock(Device("carol"), published(alice)).encode()
    for damaged in (b"", b"\2" + stored[1:], stored[:1] + b"\xfe" + stored[2:], stored[:-1]):
        with pytest.raises(CorruptStateError):
            PendingJoin.decode(damaged)


@pytest.mark.spec("RFC 9420 §12.2 (Proposal List Validation)")
@pytest.mark.rule("12.2-18")
def test_newcomer_mixes_in_a_key_that_members_know() -> None:
    alice, bob = everybody("alice", "bob")
    carol = Device("carol")

    def knocking(psks: dict[bytes, bytes]) -> PendingJoin:
        return Group.join_by_commit(
            published(alice),
            carol.signer,
            b"carol",
            inject=[b"a key"],
            psks=psks,
            now_ms=NOW_MS,
            rng=carol.rng,
        )

    with pytest.raises(UnknownPskError):
        knocking({})
    pending = knocking(KEYS)
    with pytest.raises(UnknownPskError):
        bob.stage(pending.commit)
    with pytest.raises(InvalidCommitError):
        bob.group.receive(pending.commit, now_ms=NOW_MS, psks={b"a key": b"another"})
    for member in (alice, bob):
        staged = member.group.receive(pending.commit, now_ms=NOW_MS, psks=KEYS)
        assert isinstance(staged, StagedCommit)
        member.merge(staged)
    carol.enter(PendingJoin.decode(pending.encode()))
    assert agree([alice, bob, carol])


@pytest.mark.spec("RFC 9420 §8.6 (Resumption PSK)")
def test_lost_member_proves_that_it_was_there_before() -> None:
    alice, bob, carol = everybody("alice", "bob", "carol")
    old = carol.group
    pass_on(bob.commit(), bob, [alice])
    again = Device("carol")
    again.rng = SeededRng("after the loss")
    pending = Group.join_by_commit(
        published(alice),
        again.signer,
        b"carol",
        resync=True,
        proof=old,
        now_ms=NOW_MS,
        rng=again.rng,
    )
    let_in([alice, bob], again, pending)
    assert agree([alice, bob, again])


def test_who_was_removed_cannot_come_back_by_an_old_group_info() -> None:
    alice, bob, carol = everybody("alice", "bob", "carol")
    info = published(carol)
    pass_on(alice.commit(Remove(2)), alice, [bob])
    with pytest.raises(EpochTooOldError):
        alice.stage(knock(carol, info, resync=True).commit)


def test_newcomer_invites_others() -> None:
    members = everybody("alice", "bob")
    carol, dave = Device("carol"), Device("dave")
    let_in(members, carol, knock(carol, published(members[0])))
    bundle = dave.bundle()
    pending = carol.commit(add(bundle))
    pass_on(pending, carol, members)
    assert pending.welcome is not None
    dave.join(pending.welcome, bundle)
    assert agree([*members, carol, dave])


def test_join_that_survived_a_restart_leaves_nothing_of_whom_it_removes() -> None:
    alice, _ = everybody("alice", "bob")
    carol = Device("carol")
    carol.enter(PendingJoin.decode(knock(carol, published(alice)).encode()))
    carol.merge(carol.commit(Remove(0)).staged)
    tree = RatchetTree.decode(carol.suite, carol.reload().ratchet_tree)
    assert tree.root_hash() == carol.group.tree_hash
    assert [member.identity for member in carol.group.members()] == [b"bob", b"carol"]
